"""One episode as it goes, kept step by step."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from gailkit.errors import EnvironmentFailure
from gailkit.rollouts.failures import Mishaps, Told, failures_in
from gailkit.rollouts.in_process import InProcess
from gailkit.rollouts.protocol import SUCCESSES
from gailkit.types import Trajectory
from gailkit.wording import counted


class Episode:
    """What an environment was told and answered since it began the episode ``index`` with ``seed``."""

    def __init__(self, index: int, seed: int) -> None:
        self.index, self.seed = index, seed
        self.observations: list[np.ndarray] = []
        self.actions: list[np.ndarray | np.int64] = []
        self.rewards: list[float] = []
        self.terminated = False
        self.success: bool | None = None  # as the environment called it in the end
        self.remembered: Any = None  # of it by a policy that looks back, see ``RememberingPolicy``

    def note(self, action: np.ndarray | np.int64, observation: np.ndarray, reward: float, terminated: bool) -> None:
        """A step was taken with ``action`` (*act), kept as it is."""
        self.observations.append(observation)
        self.actions.append(action)
        self.rewards.append(reward)
        self.terminated = terminated

    def check_length(self, most: int) -> None:
        """Raise EnvironmentFailure if it goes on although it has had ``most`` steps."""
        if len(self.actions) >= most:
            raise EnvironmentFailure(
                f"an episode has not ended after {counted(most, 'step')}; "
                "give the environment a time limit (max_episode_steps where it is registered)"
            )

    def trajectory(self) -> Trajectory:
        """What has happened since the episode began."""
        return Trajectory(
            observations=np.array(self.observations),
            actions=np.array(self.actions),
            rewards=np.array(self.rewards, dtype=np.float64),
            terminated=self.terminated,
            seed=self.seed,
            success=self.success,
        )


class RunningEpisode:
    """One environment, which stays the caller's to close, and the episode that runs in it."""

    def __init__(self, env: gymnasium.Env[Any, Any], max_episode_steps: int) -> None:
        self.max_episode_steps = max_episode_steps
        self.so_far = Episode(0, 0)
        self._env = InProcess(lambda: env, 1)

    def begin(self, numbered_seed: tuple[int, int] | None) -> bool:
        """Start the episode (index, seed); False if there is none left to start."""
        if numbered_seed is None:
            return False
        self.so_far = Episode(*numbered_seed)
        observations, infos = self._env.reset(seed=[self.so_far.seed])
        self._check(infos, observations, None)
        self.so_far.observations.append(observations[0])
        return True

    def step(self, action: np.ndarray | np.int64) -> bool:
        """Take one step with ``action`` (*act), kept as it is; True if it ended the episode."""
        observations, rewards, terminated, truncated, infos = self._env.step(np.asarray(action)[np.newaxis])
        self._check(infos, observations, rewards, np.asarray(action)[np.newaxis])
        self.so_far.note(action, observations[0], float(rewards[0]), bool(terminated[0]))
        self.so_far.success = infos.get(SUCCESSES, {}).get(0)
        ended = bool(terminated[0] or truncated[0])
        if not ended:
            self.so_far.check_length(self.max_episode_steps)
        return ended

    def _check(
        self,
        infos: dict[str, Any],
        observations: np.ndarray,
        rewards: np.ndarray | None,
        actions: np.ndarray | None = None,
    ) -> None:
        """Raise EnvironmentFailure if the environment failed."""
        step = 0 if actions is None else len(self.so_far.actions) + 1
        told = Told([self.so_far.seed], [step], actions)
        answers = [("an observation", observations, observations)]
        answers += [] if rewards is None else [("a reward", rewards, rewards)]
        Mishaps().suffer(failures_in(self._env.about, infos, np.ones(1, bool), told, answers))
