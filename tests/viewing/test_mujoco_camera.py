"""A body that runs stays in the picture, and nothing of the task itself changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from gailkit.rollouts.environments import make_env
from gailkit.viewing import rendering
from gailkit.viewing.mujoco_camera import draw_cheaply, follow_body
from gailkit.viewing.rendering import make_drawn

pytest.importorskip("mujoco", reason="NOT TESTED how MuJoCo draws: it is not installed")


@pytest.fixture(scope="module")
def drawing() -> Iterator[None]:
    """MuJoCo draws without a display."""
    before = os.environ.get("MUJOCO_GL")
    if before is None:
        found = next((name for name in ("egl", "osmesa") if rendering._mujoco_draws_with(name)), None)
        if found is None:
            pytest.skip("NOT TESTED how MuJoCo draws: neither EGL nor OSMesa works here")
        os.environ["MUJOCO_GL"] = found
    yield
    if before is None:
        del os.environ["MUJOCO_GL"]


def seen_at(env: Any, x: float) -> np.ndarray:
    """The picture (H, W, 3) of the body as it is after a reset, but ``x`` metres ahead."""
    env.reset(seed=0)
    positions, velocities = env.unwrapped.data.qpos.copy(), env.unwrapped.data.qvel.copy()
    positions[0] = x
    env.unwrapped.set_state(positions, velocities)
    frame: np.ndarray = env.render()
    return frame.astype(np.float64)


@pytest.mark.parametrize("env_id", ["Hopper-v5", "HalfCheetah-v5"])
def test_a_body_far_away_is_drawn_like_one_at_the_start(drawing: None, env_id: str) -> None:
    with closing(make_drawn(env_id, {})) as env:
        follow_body(env, {})
        draw_cheaply(env)
        squares = env.unwrapped.model.mat_texrepeat[0, 0]  # a metre
        start, far = (seen_at(env, x) for x in (0.0, round(80 * squares) / squares))
        assert start.std() > 10
        assert np.abs(start - far).mean() < 3


def test_the_task_stays_as_it_is(drawing: None) -> None:
    with closing(make_drawn("Hopper-v5", {})) as shown, closing(make_env("Hopper-v5")) as plain:
        follow_body(shown, {})
        draw_cheaply(shown)
        shown.reset(seed=0), plain.reset(seed=0)
        for index in range(20):
            action = np.sin(np.arange(3) + index).astype(np.float32)
            ours, theirs = shown.step(action), plain.step(action)
            assert np.array_equal(ours[0], theirs[0])
            assert ours[1:4] == theirs[1:4]
            shown.render()


def test_a_camera_that_was_asked_for_stays() -> None:
    with closing(make_env("Hopper-v5", {"camera_id": -1})) as env:
        follow_body(env, {"camera_id": -1})
        assert env.unwrapped.mujoco_renderer.camera_id == -1
        follow_body(env, {})
        assert env.unwrapped.mujoco_renderer.camera_id == 0


def test_a_floor_is_made_endless_once() -> None:
    with closing(make_env("Hopper-v5")) as env:
        model = env.unwrapped.model
        squares = model.mat_texrepeat[0] / (2 * model.geom_size[0, :2])
        for _ in range(2):
            follow_body(env, {})
            assert model.geom_size[0, :2].tolist() == [0, 0]
            assert model.mat_texrepeat[0] == pytest.approx(squares)


def test_a_task_without_mujoco_has_nothing_to_change() -> None:
    with closing(make_env("CartPole-v1")) as env:
        before = dict(vars(env.unwrapped))
        follow_body(env, {})
        draw_cheaply(env)
        assert vars(env.unwrapped) == before
