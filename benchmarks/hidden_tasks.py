"""Two tasks in which an observation alone does not tell what to do, and who knows it.

Importing this module registers ``CartPositions-v0``, CartPole-v1 without its velocities, and ``TMaze-v0``. ``record``
makes a file of either's expert.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import Space
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.spaces import Box, Discrete

from benchmarks.tasks import REPOSITORY
from gailkit import Demonstrations
from gailkit.types import Trajectory

CARTS = REPOSITORY / "datasets" / "cartpole-v1.hdf5"
POSITIONS = [0, 2]  # of the cart and of the pole, among the four numbers of CartPole
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


def tmaze_expert(observations: np.ndarray) -> np.ndarray:
    """The actions (L,) in an episode with these observations (L, 4) of one that turns as its sign has said."""
    turn = UP if observations[0, 0] > 0.5 else DOWN
    actions: np.ndarray = np.where(observations[:, 3] > 0.5, turn, FORWARD)
    return actions


class CartPositions(gymnasium.ObservationWrapper[np.ndarray, Any, np.ndarray]):
    """CartPole of which the positions (2,) are observed and the velocities are not."""

    def __init__(self) -> None:
        super().__init__(CartPoleEnv())
        space = self.env.observation_space
        assert isinstance(space, Box)
        self.observation_space = Box(space.low[POSITIONS], space.high[POSITIONS])

    def observation(self, observation: np.ndarray) -> np.ndarray:
        """What is left of it."""
        return observation[POSITIONS]


def record(env_id: str, path: Path, episodes: int = 30) -> None:
    """Write episodes of the expert in one of the two, by their names here; those of the cart are the shipped ones."""
    shown = _mazes(episodes) if env_id == "TMaze-v0" else _carts(episodes)
    spaces = (TMaze() if env_id == "TMaze-v0" else CartPositions()).observation_space, shown[1]
    about = {"source": __name__, "acted": "likeliest"}
    Demonstrations(shown[0], *spaces, f"{__name__}:{env_id}", provenance=about).save(path)


def _mazes(episodes: int) -> tuple[list[Trajectory], Space[Any]]:
    env, found = TMaze(), []
    for seed in range(episodes):
        observation, _ = env.reset(seed=seed)
        seen, rewards, over = [observation], [], False
        while not over:
            observation, reward, over, _, _ = env.step(tmaze_expert(np.array(seen))[-1])
            seen.append(observation)
            rewards.append(reward)
        actions = tmaze_expert(np.array(seen[:-1]))
        found.append(Trajectory(np.array(seen), actions, np.array(rewards), True, seed))
    return found, env.action_space


def _carts(episodes: int) -> tuple[list[Trajectory], Space[Any]]:
    whole = Demonstrations.load(CARTS).choose(episodes)
    assert whole.action_space is not None
    return [
        replace(each, observations=each.observations[:, POSITIONS]) for each in whole.trajectories
    ], whole.action_space


gymnasium.register("CartPositions-v0", entry_point=f"{__name__}:CartPositions", max_episode_steps=500)
gymnasium.register("TMaze-v0", entry_point=f"{__name__}:TMaze", max_episode_steps=3 * LENGTH)
