"""Whole episodes under any policy: what `record` and `evaluate` are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Discrete

from gailkit.errors import EnvironmentFailure, InputError
from gailkit.rollouts.environments import all_finite
from gailkit.rollouts.failures import Mishaps, Told, failures_in
from gailkit.rollouts.global_generators import seeded_globally
from gailkit.rollouts.group import EnvFactory
from gailkit.rollouts.protocol import SUCCESSES, Environments
from gailkit.rollouts.running_episode import Episode
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import Given, stepped_together
from gailkit.spaces import Flat, as_batch, clip_to_space
from gailkit.types import Policy, Trajectory, followed

LONGEST_EPISODE = 100_000
SOME_STEPS = 200  # that an episode is taken to have, where it has to be judged how many there will be


def run_episodes(
    policy: Policy,
    env_factory: EnvFactory | Given,
    seeds: Sequence[int],
    num_envs: int = 8,
    max_episode_steps: int = LONGEST_EPISODE,
    on_steps: Callable[[int], None] | None = None,
    *,
    stepping: Stepping | None = None,
    mishaps: Mishaps | None = None,
    spare: Iterator[int] | None = None,
) -> Generator[tuple[int, Trajectory], None, None]:
    """Run one episode for each seed and yield it as it ends: its index in ``seeds`` and its Trajectory.

    ``num_envs`` environments run side by side. One that is done takes the next seed, one that finds none left drops
    out of the batch: exactly the episodes that were asked for are run, none is preferred for being short.
    ``on_steps`` is called after each batch with the number of steps just taken; it may raise to stop the run, and no
    finished episode is lost then. Actions are stored as the environment saw them, clipped to its Box.

    Args:
        stepping: where the environments run; in this process when None.
        mishaps: how many failures are accepted; none when None.
        spare: seeds for episodes in place of those whose environment failed, which it would do again with the same.

    Raises:
        EnvironmentFailure: if an environment fails once too often: it raises, returns a number that is not finite or an
            observation of the wrong shape, its process dies or does not answer; or if an episode takes more than
            ``max_episode_steps`` steps.
        InputError: if the policy returns actions of the wrong shape or type, or ``num_envs`` is less than 1.
    """
    if num_envs < 1:
        raise InputError(f"the number of environments must be at least 1; found {num_envs}")
    if not len(seeds):
        return
    count = min(num_envs, len(seeds))
    stepping = (stepping or Stepping()).for_at_most(count)
    with closing(stepped_together(env_factory, count, stepping, len(seeds) * SOME_STEPS)) as envs:
        queue = _Queue(iter(enumerate(seeds)), iter(()) if spare is None else spare)
        yield from _SideBySide(policy, envs, queue, mishaps or Mishaps(), max_episode_steps).run(on_steps)


class _Queue:
    """Episodes that are to be begun: numbers and seeds."""

    def __init__(self, waiting: Iterator[tuple[int, int]], spare: Iterator[int]) -> None:
        self._waiting, self._spare = waiting, spare

    def next(self) -> Episode | None:
        """The next one; None where none is left."""
        numbered = next(self._waiting, None)
        return None if numbered is None else Episode(*numbered)

    def in_place_of(self, episode: Episode, failure: EnvironmentFailure | None) -> Episode:
        """The one that is begun where ``episode`` was lost: another where it failed, and else the same again.

        Raises:
            EnvironmentFailure: the ``failure``, if there is no seed left for another.
        """
        if failure is None:
            return Episode(episode.index, episode.seed)
        seed = next(self._spare, None)
        if seed is None:
            raise failure
        return Episode(episode.index, seed)


class _SideBySide:
    """Episodes of a policy in N environments."""

    def __init__(
        self, policy: Policy, envs: Environments, queue: _Queue, mishaps: Mishaps, max_episode_steps: int
    ) -> None:
        self.policy, self.envs, self.queue = policy, envs, queue
        self.mishaps, self.max_episode_steps = mishaps, max_episode_steps
        self._rounds = 0
        self.running: dict[int, Episode] = {}  # by the number of the environment, in the order of these
        shape = envs.single_action_space.shape or ()
        self._actions = np.zeros((envs.num_envs, *shape), envs.single_action_space.dtype)

    def run(self, on_steps: Callable[[int], None] | None) -> Iterator[tuple[int, Trajectory]]:
        """Episodes as they end, until none is left in the queue and none runs."""
        self._begin({i: self.queue.next() for i in range(self.envs.num_envs)})
        while self.running:
            taken = len(self.running)
            ended, lost = self._step()
            for i in ended:
                yield self.running[i].index, self.running[i].trajectory()
            self._check_lengths(ended, lost)
            self._begin({**self._after(lost), **{i: self.queue.next() for i in ended}})
            if on_steps is not None:
                on_steps(taken)

    def _step(self) -> tuple[list[int], dict[int, EnvironmentFailure | None]]:
        """Take a step in every episode; which of them ended, and which were lost."""
        rows = list(self.running)
        seen = np.array([episode.observations[-1] for episode in self.running.values()])
        before = [episode.remembered for episode in self.running.values()]
        actions, after = _ask(self.policy, seen, before, self.envs.single_action_space)
        self._actions[rows] = actions
        for episode, own in zip(self.running.values(), after, strict=True):
            episode.remembered = own
        which = self._mask(rows)
        observations, rewards, terminated, truncated, infos = self.envs.step(self._actions, which)
        answers = [("an observation", observations, observations), ("a reward", rewards, rewards)]
        found = self._failed(infos, which, answers, self._actions)
        over, earned, final = (terminated | truncated).tolist(), rewards.tolist(), terminated.tolist()
        succeeded = infos.get(SUCCESSES, {})
        for action, i in zip(actions, rows, strict=True):
            if i not in found:
                self.running[i].note(action, observations[i].copy(), earned[i], final[i])
                self.running[i].success = succeeded.get(i)
        return [i for i in rows if over[i] and i not in found], found

    def _check_lengths(self, ended: Iterable[int], lost: Iterable[int]) -> None:
        """Raise EnvironmentFailure if an episode that goes on is too long."""
        self._rounds += 1
        if self._rounds >= self.max_episode_steps:  # before, none can be
            for i in set(self.running).difference(ended, lost):
                self.running[i].check_length(self.max_episode_steps)

    def _begin(self, episodes: Mapping[int, Episode | None]) -> None:
        """Begin episodes in the environments of these numbers; one without any drops out."""
        begun = {**self.running, **episodes}
        self.running = {i: episode for i, episode in sorted(begun.items()) if episode is not None}
        waiting = {i: episode for i, episode in episodes.items() if episode is not None}
        while waiting:
            which = self._mask(waiting)
            seeds = [waiting[i].seed if i in waiting else None for i in range(self.envs.num_envs)]
            observations, infos = self.envs.reset(seed=seeds, options={"reset_mask": which})
            found = self._failed(infos, which, [("an observation", observations, observations)])
            for i, episode in waiting.items():
                episode.observations = [observations[i].copy()]
            waiting = self._after(found)
            self.running.update(waiting)

    def _failed(
        self,
        infos: Mapping[str, Any],
        which: np.ndarray,
        answers: Sequence[tuple[str, np.ndarray, np.ndarray]],
        actions: np.ndarray | None = None,
    ) -> dict[int, EnvironmentFailure | None]:
        """Failures by number of those whose episode was lost."""
        if not infos and all(_surely_finite(stored) or all_finite(stored) for _, _, stored in answers):
            return {}
        numbers = range(self.envs.num_envs)
        seeds = [self.running[i].seed if i in self.running else 0 for i in numbers]
        steps = [len(self.running[i].actions) + 1 if actions is not None and i in self.running else 0 for i in numbers]
        found = failures_in(self.envs.about, infos, which, Told(seeds, steps, actions), answers)
        return {i: failure for i, failure in found.items() if i in self.running}

    def _after(self, lost: Mapping[int, EnvironmentFailure | None]) -> dict[int, Episode]:
        """What is begun in place of what was lost, if that is accepted."""
        self.mishaps.suffer(lost)
        return {i: self.queue.in_place_of(self.running[i], failure) for i, failure in lost.items()}

    def _mask(self, rows: Iterable[int]) -> np.ndarray:
        mask = np.zeros(self.envs.num_envs, bool)
        mask[list(rows)] = True
        return mask


def collect_episodes(
    policy: Policy,
    env_factory: EnvFactory | Given,
    seeds: Sequence[int],
    num_envs: int = 8,
    on_episode: Callable[[Trajectory], None] | None = None,
    on_steps: Callable[[int], None] | None = None,
    *,
    stepping: Stepping | None = None,
    mishaps: Mishaps | None = None,
    spare: Iterator[int] | None = None,
) -> list[Trajectory]:
    """The episodes of ``run_episodes`` in the order of their seeds; ``on_episode`` sees each as it ends.

    The same seeds and number of environments give the same episodes, also where an environment draws from global
    generators.
    """
    finished: dict[int, Trajectory] = {}
    with seeded_globally([len(seeds), *seeds]):
        run = run_episodes(
            policy, env_factory, seeds, num_envs, on_steps=on_steps, stepping=stepping, mishaps=mishaps, spare=spare
        )
        for index, trajectory in run:
            finished[index] = trajectory
            if on_episode is not None:
                on_episode(trajectory)
    return [finished[index] for index in range(len(seeds))]


def _surely_finite(values: np.ndarray) -> bool:
    """False if a number is NaN or infinite, and also where the sum of squares is too large to tell; fast for few."""
    return values.dtype.kind != "f" or math.isfinite(np.vdot(values, values))


def _ask(
    policy: Policy, observations: np.ndarray, remembered: Sequence[Any], space: Space[Any]
) -> tuple[np.ndarray, Sequence[Any]]:
    """The policy's actions (N, *act) as the environment takes them, checked; and what it remembers of each episode."""
    answer, remembered = followed(policy, observations, remembered)
    return _checked(answer, len(observations), space), remembered


def _checked(answer: Any, count: int, space: Space[Any]) -> np.ndarray:
    actions = as_batch(space, answer, "action").values if isinstance(space, Flat) else np.asarray(answer)
    expected = (count, *(space.shape or ()))
    kinds, wanted = ("iub", "integers") if isinstance(space, Discrete) else ("iuf", "real numbers")
    if actions.shape != expected or actions.dtype.kind not in kinds:
        raise InputError(
            f"the policy returned actions of shape {actions.shape} and type {actions.dtype}; "
            f"expected are {wanted} of shape {expected}"
        )
    if isinstance(space, Discrete):
        return actions.astype(np.int64)
    if not (_surely_finite(actions) or all_finite(actions)):
        raise InputError("the policy returned an action that is not finite (NaN or infinity)")
    return clip_to_space(space, actions)
