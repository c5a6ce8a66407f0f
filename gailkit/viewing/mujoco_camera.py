"""What a picture of a MuJoCo task shows, and what it costs; the task itself stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium

SHADOWS = 1024  # pixels a side of the map in which shadows are cast; usually 4096


def follow_body(env: gymnasium.Env[Any, Any], env_kwargs: Mapping[str, Any]) -> None:
    """Let the camera follow the body, on a floor without an end; for a task without MuJoCo, nothing.

    Gymnasium 1.4 takes a camera that stays where the episode begins, unless ``env_kwargs`` name one, and its floors
    end after 20 or 40 metres. Only how a floor is drawn depends on its size.
    """
    bare: Any = env.unwrapped
    if not hasattr(bare, "mujoco_renderer"):
        return
    import mujoco

    model = bare.model
    if not {"camera_id", "camera_name"} & set(env_kwargs):
        camera = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, "track")
        bare.mujoco_renderer.camera_id = camera  # -1, which is Gymnasium's own, where there is none
    for geom in (model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE).nonzero()[0]:
        size, material = model.geom_size[geom, :2], model.geom_matid[geom]
        if material >= 0 and not model.mat_texuniform[material] and (size > 0).all():
            model.mat_texrepeat[material] /= 2 * size  # from squares of the whole floor to squares of a metre
            model.mat_texuniform[material] = True
        model.geom_size[geom, :2] = 0  # to MuJoCo, without an end


def draw_cheaply(env: gymnasium.Env[Any, Any]) -> None:
    """Draw at a third of the cost, good enough for what is scaled down; for a task without MuJoCo, nothing.

    To be called before the first frame.
    """
    bare: Any = env.unwrapped
    if hasattr(bare, "mujoco_renderer"):
        bare.model.vis.quality.offsamples = 0
        bare.model.vis.quality.shadowsize = SHADOWS
