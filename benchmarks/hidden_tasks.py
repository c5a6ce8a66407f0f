"""Two tasks in which an observation alone does not tell what to do, and an expert for the one of our own.

Importing this module registers ``CartPositions-v0``, CartPole-v1 without its velocities, and ``TMaze-v0``: ``gailkit
record benchmarks.hidden_tasks:TMaze-v0 --policy benchmarks.hidden_tasks:TMazeExpert --episodes 40 --seed 0 -o tmaze.hdf5``.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

POSITIONS = (0, 2)  # of the cart and of the pole, among the four numbers of CartPole
FORWARD, UP, DOWN = range(3)
LENGTH = 20  # of the corridor of TMaze-v0


class TMaze(gymnasium.Env[np.ndarray, np.int64]):
    """A corridor with a sign at its beginning, which says where to turn at its end.

    Observation (4,): whether the sign says up, or down, whether this is the corridor, whether it is the end. Actions:
    FORWARD, UP, DOWN; none but FORWARD does anything in the corridor, and FORWARD nothing at its end. An episode
    terminates with the turn, a success as the sign said, with the reward 1, else a failure with the reward 0;
    ``info["success"]`` says which. Whoever does not remember the sign is right half of the time.
    """

    def __init__(self, length: int = LENGTH) -> None:
        """``length`` is how many steps lead from the sign to the end."""
        self.observation_space = Box(0.0, 1.0, (4,), np.float32)
        self.action_space = Discrete(3)
        self.length, self.place, self.up = length, 0, False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin at one of the two signs."""
        super().reset(seed=seed)
        self.place, self.up = 0, bool(self.np_random.integers(2))
        return self._observation(), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Walk on, or turn."""
        if self.place < self.length:
            self.place += int(action == FORWARD)
            return self._observation(), 0.0, False, False, {"success": False}
        turned, success = action != FORWARD, action == (UP if self.up else DOWN)
        return self._observation(), float(success), bool(turned), False, {"success": bool(success)}

    def _observation(self) -> np.ndarray:
        first, last = self.place == 0, self.place == self.length
        return np.array([first and self.up, first and not self.up, not first and not last, last], np.float32)


class TMazeExpert:
    """A callable that walks to the end of a maze and turns as the sign has said."""

    def __init__(self) -> None:
        self.turn = UP

    def __call__(self, observation: np.ndarray) -> int:
        """Remembers a sign for as long as no other is seen."""
        up, down, _, last = observation > 0.5
        if up or down:
            self.turn = UP if up else DOWN
        return self.turn if last else FORWARD


def tmaze_expert(observations: np.ndarray) -> np.ndarray:
    """The actions (L,) of the expert in an episode of which these are the observations (L, 4)."""
    expert = TMazeExpert()
    return np.array([expert(observation) for observation in observations])


def cart_positions() -> gymnasium.Env[Any, Any]:
    """CartPole of which the positions are observed and the velocities are not."""
    from gymnasium.envs.classic_control import CartPoleEnv
    from gymnasium.wrappers import TransformObservation

    env = CartPoleEnv()
    low, high = (bound[list(POSITIONS)] for bound in (env.observation_space.low, env.observation_space.high))
    return TransformObservation(env, lambda observation: observation[list(POSITIONS)], Box(low, high))


gymnasium.register("CartPositions-v0", entry_point=cart_positions, max_episode_steps=500)
gymnasium.register("TMaze-v0", entry_point=TMaze, max_episode_steps=3 * LENGTH)
