"""An environment that is drawn in known colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from gailkit.types import Trajectory


class Climbing(gymnasium.Env[np.ndarray, int]):
    """Observes a height, which is the seed at first; action 1 climbs by 1. A picture's brightness is 20 a step.

    The episode ends at the height ``top``; at ``slips_at`` it raises, at ``tears_at`` drawing does.
    """

    observation_space = Box(-1000, 1000, (1,), np.float32)
    action_space = Discrete(2)
    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (Gymnasium's own form)

    def __init__(self, render_mode: str | None = None, top: int = 0, slips_at: int = -1, tears_at: int = -1) -> None:
        self.render_mode = render_mode
        self.top = top
        self.slips_at = slips_at
        self.tears_at = tears_at

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        self.start = self.height = seed or 0
        return self._seen(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.height += int(action)
        if self.height == self.slips_at:
            raise RuntimeError("slipped")
        return self._seen(), 1.0, bool(self.top) and self.height - self.start >= self.top, False, {}

    def render(self) -> np.ndarray:
        if self.height == self.tears_at:
            raise RuntimeError("the paper tore")
        return np.full((40, 60, 3), 20 * self.height % 256, np.uint8)

    def _seen(self) -> np.ndarray:
        return np.array([self.height], np.float32)


class Misdrawn(Climbing):
    def render(self) -> np.ndarray:
        return np.zeros((40, 60), np.float32)


class Undrawn(Climbing):
    metadata: dict[str, Any] = {"render_modes": ["ansi"]}  # noqa: RUF012


class Noise(Climbing):
    """Pictures that no method can make small."""

    def render(self) -> np.ndarray:
        return np.random.default_rng(self.height).integers(0, 256, (300, 300, 3), np.uint8)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    entries = {"Climbing-v0": Climbing, "Misdrawn-v0": Misdrawn, "Undrawn-v0": Undrawn, "Noise-v0": Noise}
    for name, entry in entries.items():
        gymnasium.register(name, entry_point=entry, max_episode_steps=200)
    yield
    for name in entries:
        del gymnasium.registry[name]


@pytest.fixture
def climb() -> Callable[..., Trajectory]:
    """``climb(6)``: an episode of Climbing that goes up 6 steps from height 2, its seed."""

    def make(steps: int, terminated: bool = False) -> Trajectory:
        heights = np.arange(2, 3 + steps, dtype=np.float32)[:, None]
        return Trajectory(heights, np.ones(steps, np.int64), np.ones(steps), terminated, seed=2)

    return make
