"""Episodes of a native file that is larger than memory: read when they are needed, drawn from through a window.

Drawing is without replacement. The file's steps are cut into blocks of neighbours; an epoch goes through all blocks in
random order, a window of many of them at a time, and through the steps of each window in random order. So each step is
drawn exactly once an epoch and is as likely as any other to be the first, while the file is read in long runs, each
window while the one before it is in use.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from gailkit.demonstrations.contents import Broken
from gailkit.demonstrations.conversion import Conversion
from gailkit.demonstrations.episodes import Drawn, Episodes, Spaces
from gailkit.demonstrations.hdf5_reading import (
    Columns,
    Layout,
    Parts,
    episodes,
    gather_rows,
    read_block,
    read_columns,
    read_layout,
)
from gailkit.demonstrations.kept import KeptSteps
from gailkit.errors import DataError, InputError
from gailkit.types import Trajectory, Transitions
from gailkit.untrusted.ahead import ahead
from gailkit.untrusted.source import DamageError, Source, open_source

BLOCK_BYTES = 2**20
WINDOW_BYTES = 64 * 2**20  # of which there are two: one in use, one being read


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


def stored_episodes(conversion: Conversion) -> StoredEpisodes:
    """The episodes of a native file that is open; each of them is read once, and none is kept.

    Raises:
        DataError, AmbiguousEnding: as ``Conversion.strict``.
    """
    told = [(trajectory.terminated, trajectory.episode_return) for trajectory in conversion.strict()]
    terminated, returns = zip(*told, strict=True)
    known = None if None in returns else np.array(returns, dtype=np.float64)
    with open_source(conversion.path) as source:
        columns = read_columns(source)
        layout = read_layout(source, conversion.contents.about, columns.lengths)
    file = StoredFile(conversion.path, columns, layout, np.array(terminated, dtype=np.bool_), known)
    return StoredEpisodes(file, np.arange(len(told)))


class StoredEpisodes(Episodes):
    """Some episodes of a file, by their ``indices`` in it."""

    def __init__(self, file: StoredFile, indices: np.ndarray) -> None:
        self.file = file
        self.indices = indices
        self.in_memory = False
        self.lengths = file.columns.lengths[indices]
        self.terminated = file.terminated[indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.file.trajectory(int(chosen)) for chosen in self.indices[index]]
        return self.file.trajectory(int(self.indices[index]))

    def __iter__(self) -> Iterator[Trajectory]:
        """All of them in the order of the file where that is theirs, read in long runs; else one by one."""
        if not np.array_equal(self.indices, np.arange(len(self.file.stops))):
            yield from (self[index] for index in range(len(self)))
            return
        yield from self.file.trajectories()

    def digests(self) -> list[str]:
        """As the file states them and they were verified."""
        return [digest.tobytes().hex() for digest in self.file.columns.digests[self.indices]]

    def returns(self) -> np.ndarray | None:
        """As they were summed up when the file was opened."""
        return None if self.file.returns is None else self.file.returns[self.indices]

    def pick(self, indices: Sequence[int]) -> StoredEpisodes:
        """Nothing is read."""
        return StoredEpisodes(self.file, self.indices[np.asarray(indices, dtype=np.int64)])

    def drawn(self, stride: int, offsets: Sequence[int], spaces: Spaces) -> Drawn:
        """Read from the file window by window."""
        return StoredSteps(self, stride, np.asarray(offsets, dtype=np.int64), spaces)


class _Window(NamedTuple):
    """Steps in memory, and a random order of them."""

    kept: KeptSteps
    order: Tensor  # (K,) int64


class StoredSteps(Drawn):
    """Steps of a file, drawn through a window as the module describes. An episode chosen twice counts once."""

    def __init__(self, stored: StoredEpisodes, stride: int, offsets: np.ndarray, spaces: Spaces) -> None:
        self._file = stored.file
        self._spaces = spaces
        self._stride = stride
        self._offset = np.full(len(self._file.stops), -1, dtype=np.int64)  # (N,) of each episode; -1 for not chosen
        self._offset[stored.indices] = offsets
        lengths = self._file.columns.lengths[self._offset >= 0]
        self._count = int(np.sum((lengths - self._offset[self._offset >= 0] + stride - 1) // stride))
        row_bytes = max(1, self._file.layout[0].row_bytes + self._file.layout[1].row_bytes)
        self._block_rows = max(1, BLOCK_BYTES // row_bytes)
        self._blocks_a_window = max(1, WINDOW_BYTES // (self._block_rows * row_bytes))
        self._windows: Iterator[_Window] | None = None
        self._window: _Window | None = None
        self._at = 0

    def __len__(self) -> int:
        return self._count

    def sample(self, batch_size: int, generator: torch.Generator) -> Transitions:
        """The next ``batch_size`` steps of an endless row of epochs, whose order ``generator`` decides at first."""
        if self._windows is None:
            seed = int(torch.randint(2**62, (1,), generator=generator))
            self._windows = ahead(self._read_windows(np.random.default_rng(seed)))
        parts: list[Transitions] = []
        missing = batch_size
        while missing:
            if self._window is None or self._at == len(self._window.order):
                self._window, self._at = self._next_window(self._windows), 0
            index = self._window.order[self._at : self._at + missing]
            parts.append(self._window.kept[index])
            self._at += len(index)
            missing -= len(index)
        return parts[0] if len(parts) == 1 else Transitions.joined(parts)

    def _next_window(self, windows: Iterator[_Window]) -> _Window:
        try:
            return next(windows)
        except BaseException:
            self._windows = None  # a generator that has raised says no more, not even why
            raise

    def overview(self) -> Transitions:
        """One window of random blocks, always the same."""
        with closing(self._read_windows(np.random.default_rng(0))) as windows:
            window = next(windows)
        return window.kept[window.order]

    def _read_windows(self, random: np.random.Generator) -> Generator[_Window, None, None]:
        """Window after window, epoch after epoch."""
        blocks = self._blocks()
        with open_source(self._file.path, once=False) as source:
            while True:
                shuffled = random.permutation(blocks)
                for first in range(0, len(shuffled), self._blocks_a_window):
                    kept = self._read_window(source, np.sort(shuffled[first : first + self._blocks_a_window]))
                    yield _Window(kept, torch.from_numpy(random.permutation(len(kept))))

    def _blocks(self) -> np.ndarray:
        """Numbers of the blocks of ``_block_rows`` rows of actions that hold a step of a chosen episode."""
        chosen = np.flatnonzero(self._offset >= 0)
        stops = self._file.stops[chosen]
        starts = stops - self._file.columns.lengths[chosen]
        spans = zip(starts // self._block_rows, (stops - 1) // self._block_rows, strict=True)
        return np.unique(np.concatenate([np.arange(first, last + 1) for first, last in spans]))

    def _read_window(self, source: Source, blocks: np.ndarray) -> KeptSteps:
        """The steps of ``blocks``, which are asked for all at once: the reading process never waits."""
        last_row = int(self._file.stops[-1])
        spans = [(block * self._block_rows, min((block + 1) * self._block_rows, last_row)) for block in blocks.tolist()]
        at_observation, at_action, terminated, observed = [], [], [], []
        shift = gap = 0
        for start, stop in spans:
            rows = np.arange(start, stop)
            first, last = np.searchsorted(self._file.stops, [start, stop - 1], side="right").tolist()
            within = np.diff(np.clip(self._file.stops[first : last + 1], start, stop), prepend=start)
            episode = np.repeat(np.arange(first, last + 1), within)
            kept, ends = self._kept_of(rows, episode)
            at_action.append((rows - start + shift)[kept])
            at_observation.append((rows - start + shift + episode - first + gap)[kept])
            terminated.append(ends[kept])
            observed.append((start + first, stop + last + 1))
            shift, gap = shift + stop - start, gap + last - first + 1
        observations, actions, _ = self._file.layout
        return KeptSteps.assembled(
            self._read(source, observations, observed),
            self._checked(self._read(source, actions, spans)),
            np.concatenate(at_observation),
            np.concatenate(at_action),
            np.concatenate(terminated),
            self._spaces,
        )

    def _read(self, source: Source, parts: Parts, spans: Sequence[tuple[int, int]]) -> np.ndarray:
        values = gather_rows(source, parts, spans)
        if len(values) != sum(stop - start for start, stop in spans):
            raise DataError(f"{self._file.path} has changed since it was opened")
        return values

    def _kept_of(self, rows: np.ndarray, episode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which ``rows`` of actions (R,) are kept, and which end their episode in a terminal state; each (R,) bool."""
        step = rows - (self._file.stops - self._file.columns.lengths)[episode]
        offset = self._offset[episode]
        kept = (offset >= 0) & (step >= offset) & ((step - offset) % self._stride == 0)
        return kept, self._file.terminated[episode] & (rows == self._file.stops[episode] - 1)

    def _checked(self, actions: np.ndarray) -> np.ndarray:
        space = self._spaces[1]
        if isinstance(space, Discrete) and not (space.start <= actions.min() <= actions.max() < space.start + space.n):
            raise InputError(
                f"{self._file.path} holds actions from {actions.min()} to {actions.max()}; the space is {space}"
            )
        return actions
