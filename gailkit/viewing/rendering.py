"""An environment that can be watched: in a window where there is a display, else as the frames of a film."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.error import DependencyNotInstalled

from gailkit.errors import GailkitError, InputError
from gailkit.importing import missing_package
from gailkit.rollouts.environments import environment_failures, make_env
from gailkit.viewing.mujoco_camera import follow_body

USUAL_STEPS_PER_SECOND = 30.0  # of environments that do not say how fast they are
PROBE_SECONDS = 60

PROBE = """
import importlib, sys, mujoco
context = importlib.import_module("mujoco." + sys.argv[1]).GLContext(8, 8)
context.make_current()
mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), mujoco.mjtFontScale.mjFONTSCALE_100)
"""

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # pygame greets on stdout, which is ours


def has_display() -> bool:
    """Whether a window could appear somewhere: on Linux DISPLAY or WAYLAND_DISPLAY says so."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def steps_per_second(env: gymnasium.Env[Any, Any]) -> float:
    """The environment's own pace, which its metadata name ``render_fps``."""
    pace = env.metadata.get("render_fps")
    return float(pace) if isinstance(pace, (int, float)) and 0 < pace < math.inf else USUAL_STEPS_PER_SECOND


def make_drawn(env_id: str, env_kwargs: Mapping[str, Any]) -> gymnasium.Env[Any, Any]:
    """The environment with a ``render()`` that returns frames; MuJoCo has been shown a way to draw.

    Others are reset and drawn once, so that what is missing is known before anything is played.

    Raises:
        InputError: if the environment returns no frames, a package is missing, or MuJoCo can draw in no way here; and
            as ``make_env``.
        EnvironmentFailure: if it fails to draw, and as ``make_env``.
    """
    if not has_display():
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # else SDL looks for a display, and complains on stderr
    env = _make_in_mode(env_id, env_kwargs, "rgb_array")
    try:
        if _is_mujoco(env):
            _choose_mujoco_gl()
            follow_body(env, env_kwargs)
        else:
            with environment_failures("it was reset"):
                env.reset(seed=0)
            _drawn(env)
    except GailkitError:
        env.close()
        raise
    return env


def open_window(env_id: str, env_kwargs: Mapping[str, Any], seed: int) -> gymnasium.Env[Any, Any]:
    """The environment with a window that shows each step at its own pace, reset once with ``seed`` so as to open it.

    Raises:
        InputError, EnvironmentFailure: if there is no window, and as ``make_env``.
    """
    env = _make_in_mode(env_id, env_kwargs, "human")
    try:
        if _is_mujoco(env) and not _glfw_finds_a_monitor():  # it would end the process
            raise InputError("MuJoCo finds no monitor")
        with environment_failures("its window was opened"):
            env.reset(seed=seed)
        if _draws_off_screen():
            raise InputError("pygame cannot reach the display")
    except GailkitError:
        env.close()
        raise
    return env


class Filmed(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Hands a frame (H, W, 3) of every ``stride``-th state to ``on_frame``.

    Drawing that fails ends the film but not the episode: ``failure`` then keeps why.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], stride: int, on_frame: Callable[[np.ndarray], None]) -> None:
        super().__init__(env)
        self.stride = stride
        self.on_frame = on_frame
        self.states = 0
        self.failure: GailkitError | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As the environment does, and draw its first state."""
        started = self.env.reset(seed=seed, options=options)
        self._film()
        return started

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """As the environment does, and draw the state it leads to."""
        happened = self.env.step(action)
        self._film()
        return happened

    def _film(self) -> None:
        if self.failure is None and self.states % self.stride == 0:
            try:
                self.on_frame(_drawn(self.env))
            except GailkitError as failure:
                self.failure = failure
        self.states += 1


def _drawn(env: gymnasium.Env[Any, Any]) -> np.ndarray:
    """One frame of ``env``. Raises InputError where a package is missing, else EnvironmentFailure if there is none."""
    with environment_failures("it was drawn"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium warns of metadata that are incomplete
        try:
            return np.asarray(env.render())
        except DependencyNotInstalled as error:
            if "pygame is not" in str(error):
                raise missing_package("drawing", "classic") from error
            raise InputError(f"drawing needs a package that is not installed: {error}") from error


def _make_in_mode(env_id: str, env_kwargs: Mapping[str, Any], mode: str) -> gymnasium.Env[Any, Any]:
    if "render_mode" in env_kwargs:
        raise InputError(f"how an environment is shown is not for its arguments to say; found {dict(env_kwargs)}")
    try:
        env = make_env(env_id, {**env_kwargs, "render_mode": mode})
    except InputError as error:
        raise InputError(f"{env_id} cannot be shown with render_mode {mode!r}: {error}") from error
    modes = env.metadata.get("render_modes") or []
    if mode not in modes:
        env.close()
        found = ", ".join(map(str, modes)) or "none"
        raise InputError(f"{env_id} cannot be shown with render_mode {mode!r}; those it has are: {found}")
    return env


def _is_mujoco(env: gymnasium.Env[Any, Any]) -> bool:
    return hasattr(env.unwrapped, "mujoco_renderer")


def _choose_mujoco_gl() -> None:
    """Set MUJOCO_GL, unless the user has, to what works here: tried in processes of their own, for some abort.

    Nor can one process try them in turn: PyOpenGL stays with the first.
    """
    if "MUJOCO_GL" in os.environ:
        return
    candidates = ("glfw", "egl", "osmesa") if has_display() else ("egl", "osmesa")
    for name in candidates:
        if _mujoco_draws_with(name):
            os.environ["MUJOCO_GL"] = name
            return
    raise InputError(
        f"MuJoCo can draw in no way here: tried {', '.join(candidates)}; "
        "install EGL (libegl1) or OSMesa (libosmesa6), or set MUJOCO_GL to what works"
    )


def _mujoco_draws_with(name: str) -> bool:
    environment = {**os.environ, "MUJOCO_GL": name}
    try:
        probe = subprocess.run(
            [sys.executable, "-c", PROBE, name], env=environment, capture_output=True, timeout=PROBE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return probe.returncode == 0


def _glfw_finds_a_monitor() -> bool:
    import glfw

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what the answer says
        return bool(glfw.init() and glfw.get_primary_monitor())


def _draws_off_screen() -> bool:
    """Whether SDL fell back to drawing where nobody sees it, as it does in silence; on request it is all right."""
    pygame = sys.modules.get("pygame")
    if pygame is None or "SDL_VIDEODRIVER" in os.environ or not pygame.display.get_init():
        return False
    return pygame.display.get_driver() in ("offscreen", "dummy")
