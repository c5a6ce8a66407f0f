"""Environments that are stepped in turn, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gailkit.rollouts.group import NO_SEED, NOT_TOLD, Arrays, EnvFactory, Group
from gailkit.rollouts.protocol import FAILURES, SUCCESSES, Failure

Infos = dict[str, Any]
Answer = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Infos]


class InProcess:
    """``rollouts.protocol.Environments`` in this process: the end of the process is theirs, and one that hangs is
    waited for without end.

    Raises: whatever the ``factory`` raises.
    """

    def __init__(self, factory: EnvFactory, num_envs: int) -> None:
        self._group = Group(factory, range(num_envs))
        self.num_envs, self.about = num_envs, self._group.about
        self.single_observation_space = self.about.observation_space
        self.single_action_space = self.about.action_space
        self._arrays = Arrays.on(bytearray(Arrays.size(self.about, num_envs)), self.about, num_envs)
        self._group.attach(self._arrays)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, Infos]:
        """As ``Environments.reset``."""
        tell_reset(self._arrays, seed, options)
        failures = self._group.reset()
        return self._arrays.observations.copy(), infos_of(failures)

    def step(self, actions: np.ndarray, which: np.ndarray | None = None) -> Answer:
        """As ``Environments.step``."""
        tell_step(self._arrays, actions, which)
        return answer_of(self._arrays, self._group.step())

    def replay(self, seeds: Sequence[int], actions: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        """As ``Environments.replay``."""
        self._arrays.which[...] = True
        failures = self._group.replay(dict(enumerate(zip(seeds, actions, strict=True))))
        return replayed(self._arrays, failures)

    def close(self) -> None:
        """Close the environments."""
        self._group.close()


def tell_reset(arrays: Arrays, seed: int | Sequence[int | None] | None, options: dict[str, Any] | None) -> None:
    """Write down who is to be reset, and how. A number for all seeds the environments with it and those after it."""
    count = len(arrays.seeds)
    seeds = [None] * count if seed is None else range(seed, seed + count) if isinstance(seed, int) else seed
    arrays.seeds[...] = [NO_SEED if own is None else own for own in seeds]
    arrays.which[...] = True if options is None else options.get("reset_mask", True)


def tell_step(arrays: Arrays, actions: np.ndarray, which: np.ndarray | None) -> None:
    """Write down who is to take a step, and with which action."""
    arrays.actions[...] = actions
    arrays.which[...] = True if which is None else which


def answer_of(arrays: Arrays, failures: dict[int, Failure]) -> Answer:
    """What a step returns: copies, which the next one leaves as they are."""
    told = (arrays.observations, arrays.rewards, arrays.terminated, arrays.truncated)
    observations, rewards, terminated, truncated = (each.copy() for each in told)
    infos, over = infos_of(failures), (terminated | truncated) & arrays.which
    if over.any():
        known = np.flatnonzero(over & (arrays.succeeded != NOT_TOLD)).tolist()
        infos |= {SUCCESSES: {i: bool(arrays.succeeded[i]) for i in known}} if known else {}
    return observations, rewards, terminated, truncated, infos


def infos_of(failures: dict[int, Failure]) -> Infos:
    """The infos of a step or a reset."""
    return {FAILURES: failures} if failures else {}


def replayed(arrays: Arrays, failures: dict[int, Failure]) -> list[np.ndarray | None]:
    """What a replay returns."""
    lost = arrays.truncated.copy()
    lost[list(failures)] = True
    return [None if gone else seen.copy() for gone, seen in zip(lost, arrays.observations, strict=True)]
