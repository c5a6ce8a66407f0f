"""Flat NPZ with ``obs``, ``actions``, ``rewards`` and ``next_obs``, and marks of the last step of each episode in
``dones_as_stored``, ``dones`` or ``terminals``; such as the experts of the course CS 285.

``episode_starts`` marks the first step of each episode where it is there; else an episode also ends where ``next_obs``
is not the observation of the step that follows. A mark at an end may be a time limit, so that
an end after as many steps as the longest episode, where several are as long, is asked about. Actions stand there as the
policy put them out, which may be beyond the Box of the environment.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gailkit.demonstrations.endings import doubtful
from gailkit.demonstrations.file_contents import About, Broken, Contents, Episode, ReadOptions
from gailkit.demonstrations.formats.arrays import (
    check_one_length,
    column,
    episode_bounds,
    is_npz_of,
    left_behind,
    origin,
    rows_that_differ,
    unmarked_cuts,
)
from gailkit.errors import DataError
from gailkit.untrusted.source import Source

NAME = "CS 285 NPZ"
_ARRAYS = ("obs", "actions", "rewards", "next_obs")
_MARKS = ("dones_as_stored", "dones", "terminals")
_STARTS = "episode_starts"


def recognises(source: Source) -> bool:
    """Whether it is an NPZ with the four arrays and marks of the ends."""
    return is_npz_of(source, _ARRAYS) and _marks(source) is not None


def read(source: Source, options: ReadOptions) -> Contents:
    """The episodes; each observation but the first is ``next_obs`` of the step before.

    Raises:
        DataError: if the arrays do not fit each other.
    """
    marks = _marks(source)
    if marks is None:
        raise DataError(f"{source.path} has no marks of the ends of episodes; accepted are {', '.join(_MARKS)}")
    observations, actions, following = source.array("obs"), source.array("actions"), source.array("next_obs")
    rewards, ends = column(source, "rewards"), column(source, marks) != 0
    named = {"obs": observations, "actions": actions, "next_obs": following, "rewards": rewards, marks: ends}
    check_one_length(source, named)
    if following.shape != observations.shape:
        raise DataError(f"{source.path}: 'next_obs' {following.shape} must be like 'obs' {observations.shape}")
    starts, stops = _bounds(source, observations, following, ends)
    terminated = doubtful((stops - starts).tolist(), ends[stops - 1].tolist())

    def episodes() -> Iterator[Episode | Broken]:
        for start, stop, ended in zip(starts.tolist(), stops.tolist(), terminated, strict=True):
            jumps = np.flatnonzero(rows_that_differ(observations[start + 1 : stop], following[start : stop - 1]))
            if len(jumps):
                yield Broken(f"next_obs of step {jumps[0]} is not the observation of the step that follows")
                continue
            seen = np.concatenate([observations[start:stop], following[stop - 1 : stop]])
            yield Episode(seen, actions[start:stop], rewards[start:stop], ended)

    notes = origin(source, NAME)
    if actions.dtype.kind == "f":
        notes["actions"] = f"as the policy put them out, from {actions.min():.4g} to {actions.max():.4g}; not clipped"
    return Contents(About(provenance=notes), len(starts), episodes(), left_behind(source, (*_ARRAYS, marks, _STARTS)))


def _marks(source: Source) -> str | None:
    return next((name for name in _MARKS if is_npz_of(source, (name,))), None)


def _bounds(
    source: Source, observations: np.ndarray, following: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First steps (E,) and steps behind the last (E,) of the episodes."""
    if not source.has(_STARTS):
        shown = ends | unmarked_cuts(source, observations, following, ends)
        stops = np.union1d(np.flatnonzero(shown) + 1, [len(ends)])
        return np.concatenate([[0], stops[:-1]]), stops
    starts, stops = episode_bounds(source, _STARTS)
    if stops[-1] != len(ends) or not np.isin(np.flatnonzero(ends) + 1, stops).all():
        raise DataError(f"{source.path}: the marks of the ends of episodes contradict {_STARTS!r}")
    return starts, stops
