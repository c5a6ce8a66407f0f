"""Episodes of policy, expert and random actions, and which of them face each other in a distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gailkit.evaluation.steps_as_points import Points


@dataclass(frozen=True)
class Sides:
    """The steps of policy, expert and random actions, and of further episodes of the expert."""

    policy: Points
    expert: Points  # that the others are compared with
    random: Points
    further: Points

    def columns(self, chosen: Sequence[int]) -> Sides:
        """Some of the columns."""
        sides = (self.policy, self.expert, self.random, self.further)
        return Sides(*([rows[:, chosen] for rows in side] for side in sides))

    @property
    def demonstrations(self) -> int:
        """Of the expert, in all."""
        return len(self.expert) + len(self.further)

    @property
    def episodes(self) -> int:
        """Of each side of a distance."""
        return max(1, min(len(self.policy), len(self.random), len(self.expert), self.demonstrations // 2))

    def split(self, random: np.random.Generator) -> tuple[Points, Points]:
        """So many of the expert's episodes to compare with, and others of the expert: none if there is but one."""
        order = random.permutation(len(self.expert)).tolist()
        here = [self.expert[index] for index in order[: self.episodes]]
        return here, some([*(self.expert[index] for index in order[self.episodes :]), *self.further], len(here), random)


def parts(times: np.ndarray, compared: int, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint sets of about ``count`` episodes, each as often as ``times`` (E,) says: one of the first
    ``compared``, and one of what is left."""
    order = random.permutation(np.flatnonzero(times[:compared]))
    middle = min(_reaching(times[order], count), max(1, np.count_nonzero(times) - 1))
    rest = random.permutation(np.concatenate([order[middle:], compared + np.flatnonzero(times[compared:])]))
    here, there = order[:middle], rest[: _reaching(times[rest], count)] if len(rest) else order
    return np.repeat(here, times[here]), np.repeat(there, times[there])


def _reaching(times: np.ndarray, count: int) -> int:
    """How many of these it takes for about ``count`` in all."""
    return max(1, int(np.searchsorted(np.cumsum(times), count - 0.5)) + 1)


def times_drawn(count: int, random: np.random.Generator) -> np.ndarray:
    """How often each of ``count`` is drawn when as many are drawn with replacement."""
    return np.bincount(random.integers(count, size=count), minlength=count) if count else np.zeros(0, np.int64)


def with_replacement(points: Points, random: np.random.Generator) -> Points:
    """As many of the episodes, drawn with replacement."""
    return [points[index] for index in random.integers(len(points), size=len(points))]


def some(points: Points, count: int, random: np.random.Generator) -> Points:
    """``count`` of the episodes at random, or all if there are fewer."""
    return [points[index] for index in random.permutation(len(points))[:count]]
