"""Drawing from a file that is larger than memory, through a window that wanders over it.

Drawing is without replacement. The file's steps are cut into blocks of neighbours; an epoch goes through all blocks in
random order, a window of many of them at a time, and through the steps of each window in random order. So each step is
drawn exactly once an epoch and is as likely as any other to be the first, while the file is read in long runs, each
window while the one before it is in use.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from gailkit.demonstrations.episodes import Spaces
from gailkit.demonstrations.native.file_on_disk import StoredFile
from gailkit.demonstrations.native.rows import Parts, read_rows
from gailkit.demonstrations.step_tensors import KeptSteps
from gailkit.errors import DataError, InputError
from gailkit.untrusted.ahead import ahead
from gailkit.untrusted.source import Source, open_source

BLOCK_BYTES = 2**19
WINDOW_BYTES = 16 * 2**20
READERS = 2  # processes, each of which reads every other window: unpacking takes most of the time


class Window(NamedTuple):
    """Steps in memory, and a random order of them."""

    kept: KeptSteps
    order: Tensor  # (K,) int64


class WindowReader:
    """Reads the windows of some steps of a file. It knows nothing of who draws from them, who is gone first."""

    def __init__(self, file: StoredFile, stride: int, offset: np.ndarray, spaces: Spaces) -> None:
        """``offset`` (N,) int64 says with which step of each episode it begins, -1 for an episode not chosen."""
        self._file = file
        self._stride = stride
        self._offset = offset
        self._spaces = spaces
        row_bytes = max(1, file.layout[0].row_bytes + file.layout[1].row_bytes)
        self._block_rows = max(1, BLOCK_BYTES // row_bytes)
        self._blocks_a_window = max(1, WINDOW_BYTES // (self._block_rows * row_bytes))

    def endless(self, seed: int, first: int = 0) -> Generator[Window, None, None]:
        """Window after window from number ``first`` on, epoch after epoch, each read while those before are in use."""
        readers = [ahead(self.windows(seed, first + reader)) for reader in range(READERS)]
        try:
            for reader in cycle(readers):
                yield next(reader)
        finally:
            for reader in readers:
                reader.close()

    def windows(self, seed: int, first: int) -> Generator[Window, None, None]:
        """The windows of one reader, from number ``first`` on, epoch after epoch."""
        with open_source(self._file.path, once=False) as source:
            for blocks, order in islice(self._plans(np.random.default_rng(seed)), first, None, READERS):
                kept = self._read_window(source, blocks)
                yield Window(kept, torch.from_numpy(np.random.default_rng(order).permutation(len(kept))))

    def _plans(self, random: np.random.Generator) -> Iterator[tuple[np.ndarray, int]]:
        """The blocks of every window, in the order of the file, and a seed for the order of its steps."""
        blocks = self._blocks()
        while True:
            shuffled = random.permutation(blocks)
            for first in range(0, len(shuffled), self._blocks_a_window):
                yield np.sort(shuffled[first : first + self._blocks_a_window]), int(random.integers(2**62))

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
        values = read_rows(source, parts, spans, np.dtype(np.float32))
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
