"""Steps of the learner's own policy, for training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gailkit.generator.base import Generator
from gailkit.rollouts.environments import SeedStream
from gailkit.rollouts.failures import Mishaps, Told, failures_in
from gailkit.rollouts.in_progress import EpisodesInProgress
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.recent import RecentSteps
from gailkit.rollouts.remembered import RememberedEpisodes
from gailkit.rollouts.staggering import NEVER, ends, stages
from gailkit.spaces import clip_to_space, storage_dtype
from gailkit.types import EpisodeSummary, Rollout


class Collector:
    """Runs a generator in N environments, T steps at a time; episodes go on from one rollout to the next.

    Every episode starts from a seed of its own. The environment's rewards are added up into ``finished`` for reports
    and go nowhere else, unless somebody asks for them with ``on_rewards``.

    The first episode of each environment is cut (``rollouts.staggering``), and does not count as finished.

    An environment that fails takes another step in place of the one that failed, the first of an episode with a new
    seed. What a rollout holds are steps that were taken: the last one of an episode that failed counts as truncated,
    which says of it what is known, that something would have followed; the episode does not count as finished.
    """

    by = "seed and actions"  # how interrupted episodes are brought back

    def __init__(
        self,
        envs: Environments,
        steps: int,
        seeds: SeedStream,
        time_limit: int | None = None,
        on_rewards: Callable[[np.ndarray], None] | None = None,
        mishaps: Mishaps | None = None,
        earlier: int = 0,
    ) -> None:
        """
        Args:
            envs: N environments that do not reset themselves (``rollouts.vector.make_vector_env``).
            steps: T, the length of a rollout in each environment.
            time_limit: steps after which the environments truncate an episode; None where they do not.
            on_rewards: sees the environment's own rewards (N,) of every step.
            mishaps: how many failures are accepted; none when None.
            earlier: how many of the steps before a rollout it holds too.
        """
        self.envs = envs
        self.steps = steps
        self.seeds = seeds
        self.on_rewards = on_rewards
        self.mishaps = mishaps or Mishaps()
        self._recent = RecentSteps(earlier)
        self.finished: list[EpisodeSummary] = []
        self._stages = stages(envs.num_envs, time_limit)
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
        act = np.empty((*lead, *(act_space.shape or ())), storage_dtype(act_space))
        steps = _Steps(obs, act, np.empty_like(obs), *(np.empty(lead, bool) for _ in range(2)))
        for t in range(self.steps):
            self._take_step(generator, steps, t)
        self._episodes.note_actions(act)
        first, states = self._taken, self._before
        self._taken += steps.terminated.size
        device = generator.actor_critic.device
        o, a, following, ended, cut = (torch.from_numpy(each).to(device) for each in steps)
        begun = torch.from_numpy(self._begun).to(device)
        return self._recent.before(Rollout(o, a, following, ended, cut, first, states, begun))

    @property
    def ended(self) -> int:
        """How many episodes ended within the last rollout."""
        return len(self.finished)

    def state_dict(self) -> dict[str, Any]:
        """The position in the stream of seeds, and the episodes in progress."""
        return {
            "seeds": self.seeds.generator.bit_generator.state,
            "episodes": self._episodes.state_dict(),
            "observations": None if self._obs is None else torch.from_numpy(self._obs),
            "returns": self._returns.tolist(),
            "cut_at": self._cut_at.tolist(),
            "taken": self._taken,
            "remembered": self._remembered.states,
            "recent": self._recent.state_dict(),
            "discarded": self.mishaps.discarded,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` was taken, between two rollouts.

        ``not_restored`` then holds the numbers of the environments in which the same seed and actions led elsewhere;
        they begin new episodes.
        """
        self.seeds.generator.bit_generator.state = state["seeds"]
        self.mishaps.discarded = state.get("discarded", 0)
        self._begin_anew()
        self._taken = state.get("taken", 0)  # runs of 0.1.0 did not say
        self._recent.load_state_dict(state.get("recent"), self.envs.num_envs)
        self.not_restored = []
        if state["observations"] is None:
            return
        self._obs = state["observations"].numpy()
        self._returns, self._cut_at = np.array(state["returns"]), np.array(state["cut_at"])
        self._episodes.load_state_dict(state["episodes"])
        kept = state.get("remembered")  # of a policy without memory, and in runs that knew of none, nothing
        self._remembered.states = None if kept is None else kept.clone()
        self.not_restored = self._episodes.replay(self.envs, self._obs)
        if self.not_restored:
            strayed = np.isin(np.arange(self.envs.num_envs), self.not_restored)
            self._returns[strayed], self._cut_at[strayed] = 0.0, NEVER
            self._obs = np.where(_as_column(strayed, self._obs), self._reset(strayed), self._obs)
            self._forget_lost(np.zeros(self.envs.num_envs, bool))

    def _begin_anew(self) -> None:
        """Give up the episodes in progress; the next rollout begins new ones, staggered."""
        self._obs = None
        self._episodes = EpisodesInProgress(self.envs.num_envs)
        self._remembered = RememberedEpisodes(self.envs.num_envs)
        self._before: Tensor | None = None  # what was remembered before the first step of a rollout
        self._begun = np.ones(self.envs.num_envs, bool)  # (N,) whether the first step of a rollout begins an episode
        self._returns = np.zeros(self.envs.num_envs)
        self._taken = 0
        self._lost = np.zeros(self.envs.num_envs, bool)  # (N,) whose episode went with the process of another
        self._cut_at = self._stages.copy()  # (N,) length at which an environment's first episode is truncated

    def _take_step(self, generator: Generator, steps: _Steps, t: int) -> None:
        """Step number ``t`` of a rollout, taken by every environment; where it ended episodes, new ones begin."""
        assert self._obs is not None
        rewards = np.empty(self.envs.num_envs)
        steps.obs[t] = self._obs
        steps.act[t] = self._remembered.act(generator, steps.obs[t], slice(None))
        failed = self._step(steps, t, rewards, None)
        while failed.any():
            if t:
                steps.truncated[t - 1] |= failed & (self._episodes.lengths > 0)
            self._give_up(failed)
            steps.obs[t, failed] = self._reset(failed)[failed]
            steps.act[t, failed] = self._remembered.act(generator, steps.obs[t, failed], failed)
            failed = self._step(steps, t, rewards, failed)
        if not t:
            self._before, self._begun = self._remembered.states, self._episodes.lengths == 0
        self._remembered.go_on()
        if self.on_rewards is not None:
            self.on_rewards(rewards)
        self._returns += rewards
        self._episodes.lengths += 1
        self._end_episodes(steps.terminated[t], steps.truncated[t])
        self._obs = steps.next_obs[t]
        over = steps.terminated[t] | steps.truncated[t]
        if over.any():
            self._obs = self._reset(over)
        self._forget_lost(steps.truncated[t])

    def _step(self, steps: _Steps, t: int, rewards: np.ndarray, which: np.ndarray | None) -> np.ndarray:
        """Step the environments of the mask ``which`` (N,), or all; a mask of those that failed, and did not."""
        actions = clip_to_space(self.envs.single_action_space, steps.act[t])
        successors, earned, terminated, truncated, infos = self.envs.step(actions, which)
        meant = np.ones(self.envs.num_envs, bool) if which is None else which
        stored = self._stored(successors)
        failed = self._failed(
            infos,
            meant,
            Told(self._episodes.seeds, self._episodes.lengths + 1, actions),
            [("an observation", successors, stored), ("a reward", earned, earned)],
        )
        done = meant & ~failed if which is not None or failed.any() else slice(None)
        steps.next_obs[t, done], rewards[done] = stored[done], earned[done]
        steps.terminated[t, done], steps.truncated[t, done] = terminated[done], truncated[done]
        return failed

    def _end_episodes(self, terminated: np.ndarray, truncated: np.ndarray) -> None:
        """Count those that came to their end; mark as ``truncated`` those that are to end here."""
        lost = self._lost & ~terminated & ~truncated
        cut, counted = ends(self._episodes.lengths, self._cut_at, terminated, truncated)
        for i in np.flatnonzero(counted):
            length, earned = int(self._episodes.lengths[i]), float(self._returns[i])
            self.finished.append(EpisodeSummary(length, earned, bool(terminated[i])))
        truncated |= cut | lost
        self._lost[...] = False
        self._give_up(terminated | truncated)

    def _forget_lost(self, truncated: np.ndarray) -> None:
        """Begin new episodes where one was lost while others were reset; its last step was this one, ``truncated``."""
        while self._lost.any():
            lost = self._lost.copy()
            self._lost[...] = False
            truncated |= lost & (self._episodes.lengths > 0)
            self._give_up(lost)
            self._obs = self._reset(lost)

    def _give_up(self, which: np.ndarray) -> None:
        """Have done with the episodes of the environments of a mask (N,)."""
        self._returns[which], self._cut_at[which] = 0.0, NEVER

    def _reset(self, which: np.ndarray) -> np.ndarray:
        """Begin an episode with a new seed in each environment of the mask ``which`` (N,); all observations."""
        begun = which
        while True:
            seeds = [next(self.seeds) if chosen else None for chosen in which]
            self._episodes.note_seeds(seeds)
            self._remembered.forget(which)
            observations, infos = self.envs.reset(seed=seeds, options={"reset_mask": which})
            stored = self._stored(observations)
            told = Told(self._episodes.seeds, self._episodes.lengths)
            which = self._failed(infos, which, told, [("an observation", observations, stored)])
            which |= self._lost & begun  # they have not taken a step, of which anything would have to be said
            self._lost &= ~begun
            if not which.any():
                return stored

    def _stored(self, observations: np.ndarray) -> np.ndarray:
        """Observations (N, *obs) in the type that a policy takes."""
        with np.errstate(over="ignore"):  # what the type cannot hold is not finite in it
            stored: np.ndarray = observations.astype(storage_dtype(self.envs.single_observation_space), copy=False)
        return stored

    def _failed(
        self,
        infos: Mapping[str, Any],
        which: np.ndarray,
        told: Told,
        answers: list[tuple[str, np.ndarray, np.ndarray]],
    ) -> np.ndarray:
        """The mask of those of ``which`` that failed, if that is accepted; others that did are ``_lost``."""
        found = failures_in(self.envs.about, infos, which, told, answers)
        if not found:
            return np.zeros(self.envs.num_envs, bool)
        self.mishaps.suffer(found)
        failed = np.zeros(self.envs.num_envs, bool)
        failed[list(found)] = True
        self._lost |= failed & ~which
        failed &= which
        return failed


class _Steps(NamedTuple):
    """What a rollout consists of before the networks have looked at it: T steps in N environments."""

    obs: np.ndarray  # (T, N, *obs)
    act: np.ndarray  # (T, N, *act)
    next_obs: np.ndarray  # (T, N, *obs)
    terminated: np.ndarray  # (T, N)
    truncated: np.ndarray  # (T, N)


def _as_column(mask: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A mask (N,) that chooses among the rows of an array (N, ...)."""
    return mask.reshape(-1, *(1,) * (like.ndim - 1))
