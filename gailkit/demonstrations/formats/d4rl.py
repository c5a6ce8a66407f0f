"""Flat D4RL files: ``observations``, ``actions``, ``rewards``, ``terminals``, and where present ``timeouts`` and
``next_observations``, all of one length N; episodes follow one another without a gap.

An episode ends where ``terminals`` or ``timeouts`` say so; a terminal wins over a timeout on the same step. What
follows the last mark is an episode that was truncated. Without ``timeouts`` an episode is also cut where the next
observation recorded is not the observation that follows. Where there is neither of the two, or no mark at all, what
stands between two marks may be several episodes, and the time limit divides it.

The last observation of an episode comes from ``next_observations``, where the file has them. Without ``timeouts`` a
terminal after as many steps as the longest episode, where several are as long, may be a time limit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gailkit.demonstrations.endings import doubtful
from gailkit.demonstrations.file_contents import About, Contents, Episode, ReadOptions
from gailkit.demonstrations.formats.arrays import check_one_length, column, left_behind, origin, unmarked_cuts
from gailkit.errors import DataError
from gailkit.untrusted.source import Source

NAME = "D4RL flat"
_REQUIRED = ("observations", "actions", "rewards", "terminals")
_READ = (*_REQUIRED, "timeouts", "next_observations")


class _Steps(NamedTuple):
    """N steps in the order of the file."""

    observations: np.ndarray  # (N, *obs)
    actions: np.ndarray  # (N, *act)
    rewards: np.ndarray  # (N,)
    terminals: np.ndarray  # (N,) bool
    timeouts: np.ndarray | None  # (N,) bool
    next_observations: np.ndarray | None  # (N, *obs)


def recognises(source: Source) -> bool:
    """Whether the root has the four arrays that every flat D4RL file has."""
    return source.container == "HDF5" and all(source.has(name) for name in _REQUIRED)


def read(source: Source, options: ReadOptions) -> Contents:
    """The episodes of a flat D4RL file; it states no spaces.

    Raises:
        DataError: if the arrays do not fit each other.
    """
    steps = _read_steps(source)
    end, marked = _ends(source, steps)
    ends = np.flatnonzero(end)
    starts = np.concatenate([[0], ends[:-1] + 1])
    terminated: list[bool | None] = steps.terminals[ends].tolist()
    if steps.timeouts is None:
        terminated = doubtful((ends - starts + 1).tolist(), steps.terminals[ends].tolist())
    provenance = origin(source, NAME)
    provenance |= {"note": note} if (note := source.text("note")) else {}
    episodes = (
        _episode(steps, start, end, ended)
        for start, end, ended in zip(starts.tolist(), ends.tolist(), terminated, strict=True)
    )
    unheld = left_behind(source, _READ)
    about = About(None, None, source.text("env_id"), {}, provenance)
    return Contents(about, len(ends), episodes, unheld, ends_marked=marked)


def _ends(source: Source, steps: _Steps) -> tuple[np.ndarray, bool]:
    """Whether each step (N,) is the last of an episode, the last of all among them; and whether no end is missing."""
    end = steps.terminals.copy()
    if steps.timeouts is not None:
        end |= steps.timeouts
    elif steps.next_observations is not None:
        end |= unmarked_cuts(source, steps.observations, steps.next_observations, end)
    marked = steps.next_observations is not None if steps.timeouts is None else bool(end.any())
    end[-1] = True
    return end, marked


def _episode(steps: _Steps, start: int, end: int, terminated: bool | None) -> Episode:
    """The episode of steps ``start`` to ``end`` inclusive."""
    observations = steps.observations[start : end + 1]
    if steps.next_observations is not None:
        observations = np.concatenate([observations, steps.next_observations[end : end + 1]])
    return Episode(observations, steps.actions[start : end + 1], steps.rewards[start : end + 1], terminated)


def _read_steps(source: Source) -> _Steps:
    observations, actions = source.array("observations"), source.array("actions")
    following = source.array("next_observations") if source.has("next_observations") else None
    steps = _Steps(
        observations,
        actions,
        column(source, "rewards"),
        column(source, "terminals") != 0,
        column(source, "timeouts") != 0 if source.has("timeouts") else None,
        following,
    )
    check_one_length(source, steps._asdict())
    if following is not None and (following.shape, following.dtype) != (observations.shape, observations.dtype):
        raise DataError(
            f"{source.path}: next_observations {following.dtype} {following.shape} must be like "
            f"observations {observations.dtype} {observations.shape}"
        )
    return steps
