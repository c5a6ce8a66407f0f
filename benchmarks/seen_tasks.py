"""CartPole as a camera sees it. Importing this module registers ``SeenCartPole-v0``, which draws without a window."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

SIDE = 64  # pixels
FRAMES = 4  # of the last steps, the newest last
REACH = 2.4  # of the cart to either side, where the picture ends
HALF_WIDTH, HALF_HEIGHT = 5.0, 2.5  # of the cart, pixels
POLE, HALF_THICKNESS = 40.0, 1.2  # pixels
LEAN = 6.0  # times the angle: the expert keeps the pole within a quarter of a degree, which is a fraction of a pixel
GROUND = 54.0  # the row of the middle of the cart
CART_GREY, POLE_GREY = 120.0, 255.0
_ROWS, _COLUMNS = np.mgrid[0.0:SIDE, 0.0:SIDE].astype(np.float32)


class SeenCartPole(gymnasium.Wrapper[np.ndarray, Any, np.ndarray, Any]):
    """Observations are the last FRAMES grey pictures (FRAMES, SIDE, SIDE) of cart and pole.

    The pole leans LEAN times as far as it does, and falls at 72 degrees of what is seen.
    """

    def __init__(self) -> None:
        super().__init__(gymnasium.make("CartPole-v1").unwrapped)
        self.observation_space = Box(0, 255, (FRAMES, SIDE, SIDE), np.uint8)
        self._pictures = np.zeros((FRAMES, SIDE, SIDE), np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """The first picture, as often as there are frames."""
        state, info = self.env.reset(seed=seed, options=options)
        self._pictures[...] = drawn(float(state[0]), float(state[2]))
        return self._pictures.copy(), info

    def step(self, action: Any) -> tuple[np.ndarray, Any, bool, bool, dict[str, Any]]:
        """Likewise, with a new picture."""
        state, reward, terminated, truncated, info = self.env.step(action)
        self._pictures[:-1] = self._pictures[1:]
        self._pictures[-1] = drawn(float(state[0]), float(state[2]))
        return self._pictures.copy(), reward, terminated, truncated, info


def drawn(position: float, angle: float) -> np.ndarray:
    """Cart and pole, (SIDE, SIDE) bytes, with smooth edges: what moves by less than a pixel is seen too."""
    column = (position / REACH + 1.0) / 2.0 * (SIDE - 1)
    right, down = np.sin(LEAN * angle), -np.cos(LEAN * angle)
    across, below = _COLUMNS - column, _ROWS - GROUND
    along = np.clip(across * right + below * down, 0.0, POLE)
    away = np.hypot(across - along * right, below - along * down)
    pole = np.clip(HALF_THICKNESS + 0.5 - away, 0.0, 1.0)
    cart = np.clip(HALF_WIDTH + 0.5 - np.abs(across), 0.0, 1.0) * np.clip(HALF_HEIGHT + 0.5 - np.abs(below), 0.0, 1.0)
    picture: np.ndarray = np.maximum(CART_GREY * cart, POLE_GREY * pole).astype(np.uint8)
    return picture


if "SeenCartPole-v0" not in gymnasium.registry:
    gymnasium.register("SeenCartPole-v0", entry_point="benchmarks.seen_tasks:SeenCartPole", max_episode_steps=500)
