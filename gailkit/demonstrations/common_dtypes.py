"""Numbers of several widths as the widest of them: a file has one type for all its episodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gailkit.demonstrations.joined_episodes import row_types
from gailkit.types import Trajectory

Types = tuple[np.dtype[Any] | None, ...]
"""Of observations, actions and rewards, as ``row_types`` gives them; None for rewards that were not recorded."""


def widest(found: Iterable[Types]) -> Types:
    """The narrowest types that hold every number of all those ``found``, which have the same kinds and parts."""
    different = list(dict.fromkeys(found))
    if len(different) == 1:
        return different[0]
    return tuple(
        None if None in dtypes else _widest([dtype for dtype in dtypes if dtype is not None])
        for dtypes in zip(*different, strict=True)
    )


def widened(trajectories: Sequence[Trajectory]) -> Iterator[Trajectory]:
    """The trajectories, all in the widest of the types that they have."""
    types = widest(map(row_types, trajectories))
    return (cast(trajectory, types) for trajectory in trajectories)


def cast(trajectory: Trajectory, types: Types) -> Trajectory:
    """The same numbers in ``types``."""
    if row_types(trajectory) == types:
        return trajectory
    observed, acted, rewarded = types
    return replace(
        trajectory,
        observations=trajectory.observations.astype(observed, copy=False),
        actions=trajectory.actions.astype(acted, copy=False),
        rewards=None if trajectory.rewards is None else trajectory.rewards.astype(rewarded, copy=False),
    )


def _widest(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """Field by field: numpy's own result for fields that are arrays lets them overlap, and numbers are lost."""
    first = dtypes[0]
    if first.names is not None:
        return np.dtype([(name, _widest([dtype[name] for dtype in dtypes])) for name in first.names])
    if first.subdtype is not None:
        return np.dtype((_widest([dtype.base for dtype in dtypes]), first.shape))
    return np.result_type(*dtypes)
