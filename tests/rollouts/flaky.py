"""Environments for processes of their own, which import this file by its name: one that fails in some episodes."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

NAME, TIME, ACTION = 0, 1, 2  # what the three numbers of an observation are
LIMIT = 6


class Flaky(gymnasium.Env[np.ndarray, np.ndarray]):
    """Observes its name (the seed modulo 1009), the steps so far and the action it was given; earns the step's number.

    It terminates after 4 to 7 steps, as its name modulo 4 says; the time limit is 6. In episodes whose name can be
    divided by ``every`` the ``fault`` happens at step ``at``, 0 for the reset. Its infos call an episode a success
    whose name leaves 1 when divided by 3, none whose name leaves 2, and say nothing of others.
    """

    observation_space = Box(-np.inf, np.inf, (3,))
    action_space = Box(-1, 1, (1,))

    def __init__(self, fault: str = "", every: int = 5, at: int = 3) -> None:
        if fault == "torch":
            assert "torch" not in sys.modules
        self.fault, self.every, self.at = fault, every, at

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        self.name, self.time = (seed or 0) % 1009, 0
        return self._observation(0.0), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.time += 1
        info = {"is_success": self.name % 3 == 1} if self.name % 3 else {}
        return self._observation(action[0]), float(self.time), self.time == 4 + self.name % 4, False, info

    def _observation(self, action: float) -> np.ndarray:
        failing = self.fault and self.time == self.at and self.name % self.every == 0
        if failing and self.fault != "nan":
            self._fail()
        return np.array([np.nan if failing else self.name, self.time, action], np.float32)

    def _fail(self) -> None:
        if self.fault == "raise":
            raise RuntimeError("the arm broke")
        if self.fault == "exit":
            os._exit(3)
        if self.fault == "hang":
            time.sleep(60)
        os.kill(os.getpid(), getattr(signal, self.fault))


gymnasium.register("Flaky-v0", entry_point="flaky:Flaky", max_episode_steps=LIMIT, disable_env_checker=True)
