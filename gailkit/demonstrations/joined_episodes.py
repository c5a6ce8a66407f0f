"""Episodes joined end to end, as a file holds them, and the digest of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.lib.recfunctions import repack_fields

from gailkit.errors import InputError
from gailkit.types import Trajectory


@dataclass(frozen=True, eq=False)
class FlatEpisodes:
    """The arrays of a file, in the order of its episodes."""

    observations: np.ndarray  # (sum(L_i + 1), *obs)
    actions: np.ndarray  # (sum(L_i), *act)
    rewards: np.ndarray | None  # (sum(L_i),)
    lengths: np.ndarray  # (N,) int64
    terminated: np.ndarray  # (N,) bool
    seeds: np.ndarray  # (N,) int64, -1 for none

    def episode(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Observations, actions and rewards of one episode, as views."""
        stop = self._stops[index]
        start = stop - int(self.lengths[index])
        observations = self.observations[start + index : stop + index + 1]
        return observations, self.actions[start:stop], None if self.rewards is None else self.rewards[start:stop]

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory]) -> Self:
        """Join ``trajectories``; raises InputError for a seed that is not in [0, 2**63)."""
        rewards = [trajectory.rewards for trajectory in trajectories if trajectory.rewards is not None]
        return cls(
            _joined([trajectory.observations for trajectory in trajectories]),
            _joined([trajectory.actions for trajectory in trajectories]),
            _joined(rewards) if rewards else None,
            np.array([len(trajectory) for trajectory in trajectories], dtype=np.int64),
            np.array([trajectory.terminated for trajectory in trajectories], dtype=np.bool_),
            np.array([_stored_seed(trajectory) for trajectory in trajectories], dtype=np.int64),
        )

    @cached_property
    def _stops(self) -> list[int]:
        stops: list[int] = np.cumsum(self.lengths).tolist()
        return stops

    def digest(self, index: int) -> bytes:
        """SHA-256 over everything one episode holds: dtypes, shapes, how it ended, its seed, and all numbers."""
        return _digest(self.episode(index), bool(self.terminated[index]), int(self.seeds[index]))


def digest_of(trajectory: Trajectory) -> bytes:
    """The digest that it would have in a file; raises InputError for a seed that is not in [0, 2**63)."""
    arrays = trajectory.observations, trajectory.actions, trajectory.rewards
    return _digest(arrays, bool(trajectory.terminated), _stored_seed(trajectory))


def row_types(trajectory: Trajectory) -> tuple[np.dtype[Any] | None, ...]:
    """The dtypes of observations, actions and rewards, in the byte order of this machine."""
    arrays = (trajectory.observations, trajectory.actions, trajectory.rewards)
    return tuple(None if values is None else values.dtype.newbyteorder("=") for values in arrays)


def rows_in_common(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """An array of which all ``arrays`` are runs of whole rows, and the row at which each begins (N,) int64.

    None where there is no such array.
    """
    first = arrays[0]
    whole = first if first.base is None else first.base
    if not isinstance(whole, np.ndarray) or not whole.flags.c_contiguous or not whole.nbytes:
        return None
    kind = (whole.dtype, whole.shape[1:])
    if any((each.dtype, each.shape[1:]) != kind or not each.flags.c_contiguous for each in arrays):
        return None
    if any(each is not whole and each.base is not whole for each in arrays):
        return None
    row_bytes = whole.nbytes // len(whole)
    apart = [each.ctypes.data - whole.ctypes.data for each in arrays]
    if any(distance % row_bytes for distance in apart):
        return None
    return whole, np.array(apart, dtype=np.int64) // row_bytes


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """One behind the other, in the byte order of this machine and without gaps between fields."""
    alone = len(arrays) == 1 and arrays[0].dtype.names is None and arrays[0].dtype.isnative
    return arrays[0] if alone else np.concatenate(arrays)


def _stored_seed(trajectory: Trajectory) -> int:
    """The seed as a file holds it, -1 for none."""
    seed = -1 if trajectory.seed is None else trajectory.seed
    if not -1 <= seed < 2**63:
        raise InputError(f"episode seeds must lie in [0, 2**63) to be written to a file; found {seed}")
    return int(seed)


def _digest(found: Sequence[np.ndarray | None], terminated: bool, seed: int) -> bytes:
    arrays = [None if values is None else _little_endian(values) for values in found]
    described = [None if values is None else [_type_text(values.dtype), list(values.shape)] for values in arrays]
    digest = hashlib.sha256(json.dumps([described, terminated, seed]).encode())
    for values in arrays:
        if values is not None:
            digest.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return digest.digest()


def _little_endian(values: np.ndarray) -> np.ndarray:
    """Every number little-endian, and no gaps between the fields of a structured array: gaps hold anything."""
    packed = repack_fields(values.dtype, recurse=True)
    return values.astype(packed.newbyteorder("<"), copy=False)


def _type_text(dtype: np.dtype[Any]) -> Any:
    """What tells apart two types of numbers; of a structured one also the names, nesting and shapes of its fields."""
    return dtype.str if dtype.names is None else dtype.descr
