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
        seeds = [-1 if trajectory.seed is None else trajectory.seed for trajectory in trajectories]
        if any(not -1 <= seed < 2**63 for seed in seeds):
            raise InputError(
                f"episode seeds must lie in [0, 2**63) to be written to a file; found {min(seeds)}..{max(seeds)}"
            )
        return cls(
            np.concatenate([trajectory.observations for trajectory in trajectories]),
            np.concatenate([trajectory.actions for trajectory in trajectories]),
            np.concatenate(rewards) if rewards else None,
            np.array([len(trajectory) for trajectory in trajectories], dtype=np.int64),
            np.array([trajectory.terminated for trajectory in trajectories], dtype=np.bool_),
            np.array(seeds, dtype=np.int64),
        )

    @cached_property
    def _stops(self) -> list[int]:
        stops: list[int] = np.cumsum(self.lengths).tolist()
        return stops

    def digest(self, index: int) -> bytes:
        """SHA-256 over everything one episode holds: dtypes, shapes, how it ended, its seed, and all numbers."""
        arrays = [None if values is None else _little_endian(values) for values in self.episode(index)]
        described = [None if values is None else [_type_text(values.dtype), list(values.shape)] for values in arrays]
        header = json.dumps([described, bool(self.terminated[index]), int(self.seeds[index])])
        digest = hashlib.sha256(header.encode())
        for values in arrays:
            if values is not None:
                digest.update(values.tobytes())
        return digest.digest()


def row_types(trajectory: Trajectory) -> tuple[np.dtype[Any] | None, ...]:
    """The dtypes of observations, actions and rewards, in the byte order of this machine."""
    arrays = (trajectory.observations, trajectory.actions, trajectory.rewards)
    return tuple(None if values is None else values.dtype.newbyteorder("=") for values in arrays)


def _little_endian(values: np.ndarray) -> np.ndarray:
    """Every number little-endian, and no gaps between the fields of a structured array: gaps hold anything."""
    packed = repack_fields(values.dtype, recurse=True)
    return values.astype(packed.newbyteorder("<"), copy=False)


def _type_text(dtype: np.dtype[Any]) -> Any:
    """What tells apart two types of numbers; of a structured one also the names, nesting and shapes of its fields."""
    return dtype.str if dtype.names is None else dtype.descr
