"""Environments whose observations are the last few of their episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gailkit.rollouts.protocol import FAILURES, Environments
from gailkit.spaces import Flat, Stacking


def stacked(envs: Environments, frames: int) -> Environments:
    """``envs`` with observations that consist of ``frames``; themselves where that is 1."""
    return envs if frames == 1 else Stacked(envs, frames)


class Stacked:
    """``rollouts.protocol.Environments`` that show the K last observations as one (``spaces.stacking``).

    The observation space in ``about`` is that of one of them, as the environment itself has it.
    """

    def __init__(self, envs: Environments, frames: int) -> None:
        self._envs, self.stacking = envs, Stacking(envs.single_observation_space, frames)
        stated = self.stacking.space.stated if isinstance(self.stacking.space, Flat) else None
        self.about, self.num_envs = envs.about._replace(flattened_from=stated), envs.num_envs
        self.single_observation_space = self.stacking.space
        self.single_action_space = envs.single_action_space
        plain = self.stacking.plain
        self._last = np.zeros((self.num_envs, frames, *(plain.shape or ())), plain.dtype)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """As ``Environments.reset``."""
        observations, infos = self._envs.reset(seed=seed, options=options)
        begun = np.ones(self.num_envs, bool) if options is None else options.get("reset_mask", np.True_)
        which = np.broadcast_to(begun, self.num_envs)
        self._last[which] = self.stacking.begun(observations[which])
        return self.stacking.stacked(self._last), infos

    def step(
        self, actions: np.ndarray, which: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """As ``Environments.step``."""
        observations, *answer, infos = self._envs.step(actions, which)
        moved = np.ones(self.num_envs, bool) if which is None else which.copy()
        moved[list(infos.get(FAILURES, {}))] = False
        self._last[moved] = self.stacking.followed(self._last[moved], observations[moved])
        rewards, terminated, truncated = answer
        return self.stacking.stacked(self._last), rewards, terminated, truncated, infos

    def replay(self, seeds: Sequence[int], actions: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        """As ``Environments.replay``: up to the first observation that is among the last ones, and from there on step
        by step."""
        again = [min(len(taken), self.stacking.frames - 1) for taken in actions]
        earlier = [taken[: len(taken) - count] for taken, count in zip(actions, again, strict=True)]
        found = self._envs.replay(seeds, earlier)
        gone = np.array([seen is None for seen in found])
        for i, seen in enumerate(found):
            if seen is not None:
                self._last[i] = seen
        for k in range(max(again)):
            which = ~gone & (np.array(again) > k)
            given = np.stack([taken[len(taken) - again[i] + k if which[i] else 0] for i, taken in enumerate(actions)])
            _, _, terminated, truncated, infos = self.step(given, which)
            gone |= which & (terminated | truncated)
            gone[list(infos.get(FAILURES, {}))] = True
        shown = self.stacking.stacked(self._last)
        return [None if lost else seen for lost, seen in zip(gone, shown, strict=True)]

    def close(self) -> None:
        """Close the environments."""
        self._envs.close()
