"""An environment is drawn on every machine that can, and where one cannot, a sentence says why."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from gailkit.errors import EnvironmentFailure, InputError, StorageError
from gailkit.rollouts.environments import make_env
from gailkit.viewing import rendering
from gailkit.viewing.rendering import Filmed, has_display, make_drawn, open_window, steps_per_second

needs_mujoco = pytest.mark.skipif(
    importlib.util.find_spec("mujoco") is None, reason="NOT TESTED how MuJoCo draws: it is not installed"
)


class Painting(gymnasium.Env[np.ndarray, int]):
    """Episodes of 4 steps; a frame's brightness is its number, and drawing the ``breaks_at``-th fails."""

    observation_space = Box(-1, 1, (1,), np.float32)
    action_space = Discrete(2)
    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012 (Gymnasium's own form)

    def __init__(self, render_mode: str | None = None, breaks_at: int | None = None) -> None:
        self.render_mode = render_mode
        self.breaks_at = breaks_at
        self.moment = -1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        self.moment += 1
        self.left = 4
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.moment += 1
        self.left -= 1
        return np.zeros(1, np.float32), 1.0, self.left == 0, False, {}

    def render(self) -> np.ndarray:
        if self.breaks_at == self.moment:
            raise RuntimeError("out of paint")
        return np.full((2, 3, 3), self.moment, np.uint8)


class Blind(Painting):
    metadata: dict[str, Any] = {"render_modes": ["ansi"]}  # noqa: RUF012


class Untold(Painting):
    def __init__(self) -> None:
        super().__init__()


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a display where nobody has chosen how to draw; what the code chooses is undone afterwards."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "MUJOCO_GL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    entries = {"Drawn-v0": Painting, "Undrawn-v0": Blind, "Untold-v0": Untold}
    for name, entry in entries.items():
        gymnasium.register(name, entry_point=entry)
    yield
    for name in entries:
        del gymnasium.registry[name]


@pytest.fixture
def pretend_gl(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``pretend_gl("egl")``: MuJoCo draws with that alone; returns the list of what is tried."""

    def pretend(*working: str) -> list[str]:
        tried: list[str] = []
        monkeypatch.setattr(rendering, "_mujoco_draws_with", lambda name: tried.append(name) or name in working)
        return tried

    return pretend


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", None, False),
        ("linux", "DISPLAY", True),
        ("linux", "WAYLAND_DISPLAY", True),
        ("darwin", None, True),
        ("win32", None, True),
    ],
)
def test_a_display_is_told_by_the_system(
    monkeypatch: pytest.MonkeyPatch, platform: str, variable: str | None, expected: bool
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    if variable is not None:
        monkeypatch.setenv(variable, ":0")
    assert has_display() is expected


def test_an_empty_display_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", "")
    assert not has_display()


@pytest.mark.parametrize(
    ("pace", "expected"), [(50, 50.0), (12.5, 12.5), (None, 30.0), (0, 30.0), (-3, 30.0), ("fast", 30.0), (np.inf, 30)]
)
def test_the_pace_is_the_environments_own_where_it_has_one(pace: object, expected: float) -> None:
    env = Painting()
    env.metadata = {"render_fps": pace}
    assert steps_per_second(env) == expected


@pytest.mark.parametrize(("env_id", "size"), [("CartPole-v1", (400, 600, 3)), ("Pendulum-v1", (500, 500, 3))])
def test_a_classic_task_is_drawn_without_a_display(env_id: str, size: tuple[int, ...]) -> None:
    with closing(make_drawn(env_id, {})) as env:
        env.reset(seed=0)
        before = env.render()
        assert isinstance(before, np.ndarray)
        assert (before.shape, before.dtype) == (size, np.uint8)
        for _ in range(5):
            env.step(env.action_space.sample())  # no five actions end an episode
        assert not np.array_equal(before, env.render())


@needs_mujoco
def test_mujoco_is_drawn_without_a_display_where_it_can_be() -> None:
    if not any(map(rendering._mujoco_draws_with, ("egl", "osmesa"))):
        pytest.skip("NOT TESTED how MuJoCo draws: neither EGL nor OSMesa works here")
    with closing(make_drawn("Hopper-v5", {})) as env:
        assert os.environ["MUJOCO_GL"] in ("egl", "osmesa")
        env.reset(seed=0)
        frame = env.render()
        assert isinstance(frame, np.ndarray)
        assert (frame.shape, frame.dtype) == (((480, 480, 3)), np.uint8)
        assert frame.std() > 10


@needs_mujoco
def test_mujoco_takes_the_first_way_that_works(
    monkeypatch: pytest.MonkeyPatch, pretend_gl: Callable[..., list[str]]
) -> None:
    tried = pretend_gl("osmesa")
    make_drawn("Hopper-v5", {}).close()
    assert (tried, os.environ.pop("MUJOCO_GL")) == (["egl", "osmesa"], "osmesa")
    monkeypatch.setenv("DISPLAY", ":0")
    make_drawn("Hopper-v5", {}).close()
    assert tried[2:] == ["glfw", "egl", "osmesa"]


@needs_mujoco
def test_what_the_user_chose_for_mujoco_stays(
    monkeypatch: pytest.MonkeyPatch, pretend_gl: Callable[..., list[str]]
) -> None:
    tried = pretend_gl("egl")
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    make_drawn("Hopper-v5", {}).close()
    assert (tried, os.environ["MUJOCO_GL"]) == ([], "osmesa")


@needs_mujoco
def test_where_mujoco_cannot_draw_it_says_what_was_tried(pretend_gl: Callable[..., list[str]]) -> None:
    pretend_gl()
    with pytest.raises(InputError, match=r"in no way here: tried egl, osmesa; install .*or set MUJOCO_GL"):
        make_drawn("Hopper-v5", {})
    assert "MUJOCO_GL" not in os.environ


def test_a_way_to_draw_that_does_not_exist_does_not_work() -> None:
    assert not rendering._mujoco_draws_with("crayons")


@pytest.mark.parametrize(
    ("env_id", "env_kwargs", "said"),
    [
        ("Undrawn-v0", {}, r"Undrawn-v0 cannot be shown with render_mode 'rgb_array'; those it has are: ansi"),
        ("Untold-v0", {}, r"Untold-v0 cannot be shown with render_mode 'rgb_array': .*render_mode"),
        ("Drawn-v0", {"render_mode": "human"}, r"not for its arguments to say; found \{'render_mode': 'human'\}"),
    ],
)
def test_an_environment_without_frames_is_refused(env_id: str, env_kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        make_drawn(env_id, env_kwargs)


def filmed(stride: int, breaks_at: int | None = None) -> tuple[Filmed, list[int]]:
    """Two episodes of Painting, filmed; the brightness of each frame."""
    brightness: list[int] = []
    env = Filmed(
        make_env("Drawn-v0", {"render_mode": "rgb_array", "breaks_at": breaks_at}),
        stride,
        lambda frame: brightness.append(int(frame[0, 0, 0])),
    )
    for _ in range(2):
        env.reset()
        endings = [env.step(0)[2] for _ in range(4)]
        assert endings == [False, False, False, True]
    return env, brightness


@pytest.mark.parametrize(("stride", "shown"), [(1, list(range(10))), (3, [0, 3, 6, 9]), (20, [0])])
def test_every_strideth_state_of_all_episodes_is_filmed(stride: int, shown: list[int]) -> None:
    env, brightness = filmed(stride)
    assert (brightness, env.failure) == (shown, None)


def test_drawing_that_fails_ends_the_film_and_not_the_episodes() -> None:
    env, brightness = filmed(stride=1, breaks_at=6)
    assert brightness == [0, 1, 2, 3, 4, 5]
    assert isinstance(env.failure, EnvironmentFailure)
    assert "failed while it was drawn: RuntimeError: out of paint (test_rendering.py, line" in str(env.failure)


def test_a_film_that_takes_no_more_frames_is_the_failure_it_names() -> None:
    def full(frame: np.ndarray) -> None:
        raise StorageError("no space left")

    env = Filmed(make_env("Drawn-v0", {"render_mode": "rgb_array"}), 1, full)
    env.reset()
    assert isinstance(env.failure, StorageError)


def test_without_pygame_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(InputError, match=r"drawing needs a package .*: pip install 'gailkit\[classic\]'$"):
        make_drawn("CartPole-v1", {})


def test_what_cannot_be_drawn_at_all_is_known_before_it_is_played() -> None:
    with pytest.raises(EnvironmentFailure, match="failed while it was drawn: RuntimeError: out of paint"):
        make_drawn("Drawn-v0", {"breaks_at": 0})


def test_a_window_opens_on_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """SDL's dummy driver stands in for the screen."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with closing(open_window("CartPole-v1", {}, seed=0)) as env:
        pygame = sys.modules["pygame"]
        assert pygame.display.get_surface().get_size() == (600, 400)
        before = pygame.surfarray.array3d(pygame.display.get_surface())
        env.step(1)
        env.step(1)
        assert not np.array_equal(before, pygame.surfarray.array3d(pygame.display.get_surface()))


def test_a_window_that_nobody_would_see_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """SDL itself says nothing when it cannot reach a display, and draws off screen."""
    monkeypatch.setenv("DISPLAY", ":77")
    with pytest.raises(InputError, match="pygame cannot reach the display"):
        open_window("CartPole-v1", {}, seed=0)


@needs_mujoco
def test_mujoco_without_a_monitor_is_told_before_it_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":77")
    with pytest.raises(InputError, match="MuJoCo finds no monitor"):
        open_window("Hopper-v5", {}, seed=0)


def test_an_environment_without_a_window_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"Undrawn-v0 cannot be shown with render_mode 'human'; those it has are: ansi"
    ):
        open_window("Undrawn-v0", {}, seed=0)
