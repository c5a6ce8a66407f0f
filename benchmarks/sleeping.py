"""An environment whose steps take a given time and no processor: a slow simulator as far as waiting goes."""

from __future__ import annotations

import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Sleeping(gymnasium.Env[np.ndarray, np.int64]):
    """Sleeps ``seconds`` in every step, and never ends an episode."""

    observation_space = Box(-1, 1, (4,), np.float32)
    action_space = Discrete(2)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin, at once."""
        return np.zeros(4, np.float32), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Sleep."""
        time.sleep(self.seconds)
        return np.zeros(4, np.float32), 0.0, False, False, {}
