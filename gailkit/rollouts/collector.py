"""Steps of the learner's own policy, for training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from gymnasium.vector import SyncVectorEnv

from gailkit.errors import DivergenceError
from gailkit.generator.base import Generator
from gailkit.rollouts.environments import SeedStream, all_finite, environment_failures, not_finite_failure
from gailkit.rollouts.in_progress import EpisodesInProgress
from gailkit.spaces import clip_to_space, storage_dtype
from gailkit.types import EpisodeSummary, Rollout

NEVER = -1


class Collector:
    """Runs a generator in N environments, T steps at a time; episodes go on from one rollout to the next.

    Every episode starts from a seed of its own. The environment's rewards are added up into ``finished`` for reports
    and go nowhere else, unless somebody asks for them with ``on_rewards``.

    Episodes that all begin together and all last as long would put every environment at the same stage in every
    rollout, and the discriminator would tell expert from policy by the stage. The first episode of environment i is
    therefore truncated after i/N of the time limit, and does not count as finished.
    """

    def __init__(
        self,
        envs: SyncVectorEnv,
        steps: int,
        seeds: SeedStream,
        time_limit: int | None = None,
        on_rewards: Callable[[np.ndarray], None] | None = None,
    ) -> None:
        """
        Args:
            envs: N environments that do not reset themselves (``rollouts.environments.make_vector_env``).
            steps: T, the length of a rollout in each environment.
            time_limit: steps after which the environments truncate an episode; None where they do not.
            on_rewards: sees the environment's own rewards (N,) of every step.
        """
        self.envs = envs
        self.steps = steps
        self.seeds = seeds
        self.on_rewards = on_rewards
        self.finished: list[EpisodeSummary] = []
        stages = np.arange(envs.num_envs) * (time_limit or 0) // envs.num_envs
        self._stages = np.where(stages > 0, stages, NEVER)
        self._obs: np.ndarray | None
        self._taken: int  # steps, of all environments together
        self.not_restored: list[int] = []
        self._begin_anew()

    def collect(self, generator: Generator) -> Rollout:
        """T steps in each environment. ``finished`` afterwards holds the episodes that ended within them."""
        self.finished = []
        if self._obs is None:
            self._obs = self._reset(np.ones(self.envs.num_envs, dtype=bool))
        obs_space, act_space = self.envs.single_observation_space, self.envs.single_action_space
        lead = (self.steps, self.envs.num_envs)
        obs = np.empty((*lead, *(obs_space.shape or ())), storage_dtype(obs_space))
        next_obs = np.empty_like(obs)
        act = np.empty((*lead, *(act_space.shape or ())), storage_dtype(act_space))
        terminated, truncated = np.empty(lead, bool), np.empty(lead, bool)
        for t in range(self.steps):
            obs[t] = self._obs
            with torch.inference_mode():
                act[t] = generator.act(torch.from_numpy(obs[t])).numpy()
            if not all_finite(act[t]):
                raise DivergenceError("the policy chose an action that is not finite (NaN or infinity)")
            next_obs[t], terminated[t], truncated[t] = self._step(clip_to_space(act_space, act[t]))
        self._episodes.note_actions(act)
        first = self._taken
        self._taken += terminated.size
        o, a, following, ended, cut = map(torch.from_numpy, (obs, act, next_obs, terminated, truncated))
        return Rollout(o, a, following, ended, cut, first)

    def state_dict(self) -> dict[str, Any]:
        """The position in the stream of seeds, and the episodes in progress."""
        return {
            "seeds": self.seeds.generator.bit_generator.state,
            "episodes": self._episodes.state_dict(),
            "observations": None if self._obs is None else torch.from_numpy(self._obs),
            "returns": self._returns.tolist(),
            "cut_at": self._cut_at.tolist(),
            "taken": self._taken,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` was taken, between two rollouts.

        ``not_restored`` then holds the numbers of the environments in which the same seed and actions led elsewhere;
        they begin new episodes.
        """
        self.seeds.generator.bit_generator.state = state["seeds"]
        self._begin_anew()
        self._taken = state.get("taken", 0)  # runs of 0.1.0 did not say
        self.not_restored = []
        if state["observations"] is None:
            return
        self._obs = state["observations"].numpy()
        self._returns, self._cut_at = np.array(state["returns"]), np.array(state["cut_at"])
        self._episodes.load_state_dict(state["episodes"])
        self.not_restored = self._episodes.replay(self.envs, self._obs)
        if self.not_restored:
            strayed = np.isin(np.arange(self.envs.num_envs), self.not_restored)
            self._returns[strayed], self._cut_at[strayed] = 0.0, NEVER
            self._obs = np.where(_as_column(strayed, self._obs), self._reset(strayed), self._obs)

    def _begin_anew(self) -> None:
        """Give up the episodes in progress; the next rollout begins new ones, staggered."""
        self._obs = None
        self._episodes = EpisodesInProgress(self.envs.num_envs)
        self._returns = np.zeros(self.envs.num_envs)
        self._taken = 0
        self._cut_at = self._stages.copy()  # (N,) length at which an environment's first episode is truncated

    def _step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Step all environments, begin new episodes where one ended; returns the true successors and how it ended."""
        with environment_failures("stepping"):
            successors, rewards, terminated, truncated, _ = self.envs.step(actions)
        successors = self._acceptable(successors, self._episodes.lengths + 1)
        self._check("a reward", rewards, rewards, self._episodes.lengths + 1)
        if self.on_rewards is not None:
            self.on_rewards(rewards)
        self._returns += rewards
        self._episodes.lengths += 1
        cut = (self._episodes.lengths == self._cut_at) & ~terminated
        truncated = truncated | cut
        done = terminated | truncated
        self._obs = successors
        if done.any():
            self._begin_episodes(done, terminated, cut)
        return successors, terminated, truncated

    def _begin_episodes(self, done: np.ndarray, terminated: np.ndarray, cut: np.ndarray) -> None:
        for i in np.flatnonzero(done & ~cut):
            length, earned = int(self._episodes.lengths[i]), float(self._returns[i])
            self.finished.append(EpisodeSummary(length, earned, bool(terminated[i])))
        self._returns[done], self._cut_at[done] = 0.0, NEVER
        self._obs = self._reset(done)

    def _reset(self, which: np.ndarray) -> np.ndarray:
        """Begin an episode with a new seed in each environment of the mask ``which`` (N,); all observations."""
        seeds = [next(self.seeds) if chosen else None for chosen in which]
        self._episodes.note_seeds(seeds)
        with environment_failures("resetting"):
            observations, _ = self.envs.reset(seed=seeds, options={"reset_mask": which})
        return self._acceptable(observations, self._episodes.lengths)

    def _acceptable(self, observations: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Observations (N, *obs), ``steps`` (N,) into their episodes, in the type that a policy takes and finite."""
        with np.errstate(over="ignore"):  # what the type cannot hold is not finite in it
            stored = np.asarray(observations).astype(storage_dtype(self.envs.single_observation_space), copy=False)
        self._check("an observation", observations, stored, steps)
        return stored

    def _check(self, what: str, values: np.ndarray, stored: np.ndarray, steps: np.ndarray) -> None:
        """Raise EnvironmentFailure unless ``values`` (N, ...) of the environments are finite as they are ``stored``."""
        if not all_finite(stored):
            i = next(i for i in range(len(stored)) if not all_finite(stored[i]))
            seed, step = int(self._episodes.seeds[i]), int(steps[i])
            raise not_finite_failure(self.envs.envs[i], what, values[i], stored[i], seed, step)


def _as_column(mask: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A mask (N,) that chooses among the rows of an array (N, ...)."""
    return mask.reshape(-1, *(1,) * (like.ndim - 1))
