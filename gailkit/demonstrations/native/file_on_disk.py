"""A native file whose episodes are read when they are needed."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gailkit.demonstrations.file_contents import Broken
from gailkit.demonstrations.native.reading import Columns, episodes, read_block
from gailkit.demonstrations.native.rows import Layout
from gailkit.errors import DataError
from gailkit.types import Trajectory
from gailkit.untrusted.source import DamageError, Source, open_source


@dataclass(frozen=True, eq=False)
class StoredFile:
    """A native file of N episodes, each of which has been compared with its digest once."""

    path: Path
    columns: Columns
    layout: Layout
    terminated: np.ndarray  # (N,) bool, as whoever reads the file said
    returns: np.ndarray | None  # (N,) float64

    @cached_property
    def stops(self) -> np.ndarray:
        """(N,) int64, the row of actions behind the last of each episode."""
        return np.cumsum(self.columns.lengths)

    def trajectory(self, index: int) -> Trajectory:
        """Read one episode, and compare it with its digest again."""
        with self._lock:
            block = read_block(self._source, self.columns, self.layout, index, index + 1)
        if isinstance(block, DamageError) or block.digest(0) != self.columns.digests[index].tobytes():
            raise DataError(f"{self.path}: episode {index} of {len(self.stops)} has changed since the file was opened")
        seed = int(self.columns.seeds[index])
        return Trajectory(*block.episode(0), bool(self.terminated[index]), None if seed == -1 else seed)

    def trajectories(self) -> Iterator[Trajectory]:
        """Every episode in turn, each compared with its digest again."""
        with open_source(self.path) as source:
            for index, episode in enumerate(episodes(source, self.columns, self.layout)):
                if isinstance(episode, Broken):
                    raise DataError(f"{self.path}: episode {index} of {len(self.stops)}: {episode.reason}")
                yield Trajectory(*episode[:3], bool(self.terminated[index]), episode.seed)

    @cached_property
    def _lock(self) -> threading.Lock:
        return threading.Lock()

    @cached_property
    def _source(self) -> Source:
        source = Source(self.path, once=False)
        weakref.finalize(self, source.close)
        return source
