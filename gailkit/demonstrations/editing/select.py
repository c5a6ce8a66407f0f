"""New demonstrations out of those that there are: some of their episodes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gailkit.demonstrations.dataset import Demonstrations
from gailkit.demonstrations.provenance import next_step
from gailkit.errors import InputError


@dataclass(frozen=True)
class Interval:
    """Numbers from ``lowest`` to ``highest``, both included."""

    lowest: float = -math.inf
    highest: float = math.inf

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Which of ``values`` (N,) are in it, (N,) bool."""
        inside: np.ndarray = (self.lowest <= values) & (values <= self.highest)
        return inside


EVERYTHING = Interval()


@dataclass(frozen=True)
class Criteria:
    """Which episodes to keep; as they stand here, the criteria keep all."""

    episodes: tuple[range, ...] | None = None  # counted from 0; None for all
    returns: Interval = EVERYTHING
    lengths: Interval = EVERYTHING  # in steps
    ending: Literal["terminated", "truncated"] | None = None
    unique: bool = False  # of the episodes that are left and exactly equal, the first alone
    best: int | None = None  # of the episodes that are left then, as many with the highest returns


def select(demonstrations: Demonstrations, criteria: Criteria) -> Demonstrations:
    """The episodes that meet ``criteria``, in the order they had; of equally good ones the earlier are the best.

    Raises:
        InputError: if none does, if fewer are left than the best that are wanted, if an episode is named that is not
            there, or if returns decide and were not recorded.
    """
    _check_answerable(demonstrations, criteria)
    kept = np.flatnonzero(_admitted(demonstrations, criteria)).tolist()
    if not kept:
        raise InputError(_nothing_left(demonstrations))
    selected = demonstrations.pick(kept)
    if criteria.unique:
        selected = unique(selected)
    return selected if criteria.best is None else _best(selected, criteria.best)


def unique(demonstrations: Demonstrations) -> Demonstrations:
    """Every episode once: of those with equal digests the first."""
    first: dict[str, int] = {}
    for index, digest in enumerate(demonstrations.digests()):
        first.setdefault(digest, index)
    return demonstrations.pick(list(first.values()))


def with_step(demonstrations: Demonstrations, step: str) -> Demonstrations:
    """The same, their provenance telling under ``step_N`` what was done to them, after the steps that it tells of."""
    return replace(
        demonstrations, provenance={**demonstrations.provenance, **next_step(demonstrations.provenance, step)}
    )


def _admitted(demonstrations: Demonstrations, criteria: Criteria) -> np.ndarray:
    """Which episodes (N,) meet the criteria that concern each alone; none of their steps is read for it."""
    episodes, returns = demonstrations.episodes, demonstrations.returns()
    admitted = criteria.lengths.holds(episodes.lengths)
    if returns is not None and criteria.returns != EVERYTHING:
        admitted &= criteria.returns.holds(returns)
    if criteria.ending is not None:
        admitted &= episodes.terminated == (criteria.ending == "terminated")
    if criteria.episodes is not None:
        named = np.zeros(len(episodes), dtype=np.bool_)
        for part in criteria.episodes:
            named[part.start : part.stop] = True
        admitted &= named
    return admitted


def _best(demonstrations: Demonstrations, count: int) -> Demonstrations:
    returns = demonstrations.returns()
    assert returns is not None  # checked before anything was selected
    if not 1 <= count <= len(returns):
        raise InputError(f"the {count} best episodes were asked for; there are {len(returns)} to choose from")
    return demonstrations.pick(sorted((-returns).argsort(kind="stable")[:count].tolist()))


def _check_answerable(demonstrations: Demonstrations, criteria: Criteria) -> None:
    if demonstrations.returns() is None and (criteria.returns != EVERYTHING or criteria.best is not None):
        raise InputError("these episodes cannot be selected by their returns, because no rewards were recorded")
    available = len(demonstrations.trajectories)
    for part in criteria.episodes or ():
        if part and not 0 <= part[0] <= part[-1] < available:
            named = part[-1] if part[0] >= 0 else part[0]
            raise InputError(f"episode {named} was asked for; there are {available}, numbered 0 to {available - 1}")


def _nothing_left(demonstrations: Demonstrations) -> str:
    """What there was to choose from, so that the next attempt has a chance."""
    count, terminated = len(demonstrations.trajectories), demonstrations.num_terminated
    lengths = demonstrations.episodes.lengths
    returns = demonstrations.returns()
    earned = "" if returns is None else f", returns from {returns.min():g} to {returns.max():g}"
    return (
        f"no episode meets every condition; there are {count}, {terminated} terminated and {count - terminated} "
        f"truncated, with lengths from {lengths.min()} to {lengths.max()}{earned}"
    )
