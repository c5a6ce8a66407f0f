"""Flat D4RL files: ``observations``, ``actions``, ``rewards``, ``terminals``, and where present ``timeouts`` and
``next_observations``, all of one length N; episodes follow one another without a gap.

An episode ends where ``terminals`` or ``timeouts`` say so; a terminal wins over a timeout on the same step. What
follows the last mark is an episode that was cut off. Without ``timeouts`` an episode is also cut where the next
observation recorded is not the observation that follows.

The last observation of an episode comes from ``next_observations``. A file without it does not hold that observation:

- an episode that was cut off loses its last action and reward, so that each kept action has its true successor;
- a terminated episode keeps every step, and its last observation is repeated in place of the unknown one.

What was dropped or repeated is counted in the provenance.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gailkit.demonstrations.contents import Contents
from gailkit.demonstrations.safety import SafeReader
from gailkit.errors import DataError, InputError
from gailkit.types import Trajectory

NAME = "D4RL flat"
_REQUIRED = ("observations", "actions", "rewards", "terminals")


class _Steps(NamedTuple):
    """N steps in the order of the file."""

    observations: np.ndarray  # (N, *obs)
    actions: np.ndarray  # (N, *act)
    rewards: np.ndarray  # (N,)
    terminals: np.ndarray  # (N,) bool
    timeouts: np.ndarray | None  # (N,) bool
    next_observations: np.ndarray | None  # (N, *obs)


def recognises(reader: SafeReader) -> bool:
    """Whether the root has the four arrays that every flat D4RL file has."""
    return all(reader.has(name) for name in _REQUIRED)


def read(reader: SafeReader) -> Contents:
    """The episodes of a flat D4RL file; it states no spaces.

    Raises:
        DataError: if the arrays do not fit each other, a number is not finite, or no whole step is left.
    """
    steps = _read_steps(reader)
    ends = episode_ends(steps.observations, steps.next_observations, steps.terminals, steps.timeouts)
    starts = np.concatenate([[0], ends[:-1] + 1])
    trajectories = []
    for index, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        try:
            trajectory = _trajectory(steps, start, end)
        except InputError as error:
            raise DataError(f"{reader.path}: episode {index} of {len(ends)}: {error}") from error
        if trajectory is not None:
            trajectories.append(trajectory)
    if not trajectories:
        raise DataError(f"{reader.path} holds no step whose successor is known")
    provenance = {"source": reader.path.name, "sha256": _sha256(reader.path), "format": NAME}
    provenance |= {"note": note} if (note := reader.text("note")) else {}
    provenance |= _losses(steps, ends)
    return Contents(tuple(trajectories), None, None, reader.text("env_id"), {}, provenance)


def episode_ends(
    observations: np.ndarray,
    next_observations: np.ndarray | None,
    terminals: np.ndarray,
    timeouts: np.ndarray | None,
) -> np.ndarray:
    """Indices (E,) of the last step of each episode, ascending; the last of them is N - 1."""
    end = terminals.copy()
    if timeouts is not None:
        end |= timeouts
    elif next_observations is not None:
        differs = next_observations[:-1] != observations[1:]
        end[:-1] |= differs.any(axis=tuple(range(1, differs.ndim)))
    end[-1] = True
    return np.flatnonzero(end)


def _trajectory(steps: _Steps, start: int, end: int) -> Trajectory | None:
    """The episode of steps ``start`` to ``end`` inclusive; None if no step of it has a known successor."""
    terminated = bool(steps.terminals[end])
    own = steps.observations[start : end + 1]
    stop = end + 1
    if steps.next_observations is not None:
        observations = np.concatenate([own, steps.next_observations[end:stop]])
    elif terminated:
        observations = np.concatenate([own, own[-1:]])
    elif end > start:
        observations, stop = own, end
    else:
        return None
    return Trajectory(observations, steps.actions[start:stop], steps.rewards[start:stop], terminated)


def _losses(steps: _Steps, ends: np.ndarray) -> dict[str, str]:
    if steps.next_observations is not None:
        return {}
    terminated = int(steps.terminals[ends].sum())
    return {
        "conversion": f"the file has no next_observations: the last step of {len(ends) - terminated} cut-off episodes "
        f"was dropped, the last observation of {terminated} terminated episodes repeated"
    }


def _read_steps(reader: SafeReader) -> _Steps:
    observations, actions = reader.array("observations"), reader.array("actions")
    following = reader.array("next_observations") if reader.has("next_observations") else None
    steps = _Steps(
        observations,
        actions,
        _column(reader, "rewards"),
        _column(reader, "terminals") != 0,
        _column(reader, "timeouts") != 0 if reader.has("timeouts") else None,
        following,
    )
    sizes = {name: len(values) for name, values in steps._asdict().items() if values is not None}
    if len(set(sizes.values())) != 1 or not len(observations):
        raise DataError(f"{reader.path}: the arrays must have one length, at least 1; found {sizes}")
    if following is not None and (following.shape, following.dtype) != (observations.shape, observations.dtype):
        raise DataError(
            f"{reader.path}: next_observations {following.dtype} {following.shape} must be like "
            f"observations {observations.dtype} {observations.shape}"
        )
    return steps


def _column(reader: SafeReader, name: str) -> np.ndarray:
    """One number a step, stored as (N,) or (N, 1)."""
    values = reader.array(name)
    if values.ndim > 2 or values[:1].size != len(values[:1]):
        raise DataError(f"{reader.path}: {name!r} must hold one number a step; found shape {values.shape}")
    return values.reshape(-1)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
