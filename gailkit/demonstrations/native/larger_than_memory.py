"""Episodes of a native file that is larger than memory, of which no more is held than is drawn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch

from gailkit.demonstrations.episodes import Drawn, Episodes, Spaces
from gailkit.demonstrations.joined_episodes import digest_of
from gailkit.demonstrations.native.file_on_disk import StoredFile
from gailkit.demonstrations.native.reading import read_columns
from gailkit.demonstrations.native.rows import read_layout
from gailkit.demonstrations.native.windows import Window, WindowReader
from gailkit.demonstrations.step_tensors import KeptSteps
from gailkit.demonstrations.to_trajectories import Conversion
from gailkit.errors import InputError
from gailkit.types import Trajectory, Transitions
from gailkit.untrusted.source import open_source


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
        self.has_actions = bool(file.layout[1].names)
        self.lengths = file.columns.lengths[indices]
        self.terminated = file.terminated[indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.file.trajectory(int(chosen)) for chosen in self.indices[index]]
        return self.file.trajectory(int(self.indices[index]))

    def __iter__(self) -> Iterator[Trajectory]:
        """Most of a file in its order is read in long runs, passing over the rest; else they are read one by one."""
        ascending = bool((np.diff(self.indices) > 0).all())
        if not ascending or 2 * len(self.indices) < len(self.file.stops):
            yield from (self[index] for index in range(len(self)))
            return
        chosen = np.zeros(len(self.file.stops), dtype=np.bool_)
        chosen[self.indices] = True
        yield from (episode for episode, wanted in zip(self.file.trajectories(), chosen, strict=True) if wanted)

    @property
    def seeds(self) -> list[int | None]:
        """As the file states them."""
        return [None if seed < 0 else seed for seed in self.file.columns.seeds[self.indices].tolist()]

    def digests(self) -> list[str]:
        """As the file states them and they were verified."""
        return [digest.tobytes().hex() for digest in self.file.columns.digests[self.indices]]

    def digests_of_states(self) -> list[str]:
        """Every episode is read."""
        return [digest_of(trajectory.without_actions()).hex() for trajectory in self]

    def returns(self) -> np.ndarray | None:
        """As they were summed up when the file was opened."""
        return None if self.file.returns is None else self.file.returns[self.indices]

    def pick(self, indices: Sequence[int]) -> StoredEpisodes:
        """Nothing is read."""
        return StoredEpisodes(self.file, self.indices[np.asarray(indices, dtype=np.int64)])

    def drawn(self, stride: int, offsets: Sequence[int], spaces: Spaces, frames: int = 1) -> Drawn:
        """Read from the file window by window, which holds some steps of an episode without those before them.

        Raises:
            InputError: for more ``frames`` than one.
        """
        if frames > 1:
            raise InputError(
                f"{self.file.path} is larger than the memory that it may take, and stays on the disk; {frames} "
                "observations of an episode are drawn as one where it is in memory: choose fewer episodes, or let them "
                "take more (--memory)"
            )
        return StoredSteps(self, stride, np.asarray(offsets, dtype=np.int64), spaces)


class StoredSteps(Drawn):
    """Steps of a file, drawn through a window as the module describes. An episode chosen twice counts once."""

    def __init__(self, stored: StoredEpisodes, stride: int, offsets: np.ndarray, spaces: Spaces) -> None:
        offset = np.full(len(stored.file.stops), -1, dtype=np.int64)
        offset[stored.indices] = offsets
        chosen = offset >= 0
        self._count = int(np.sum((stored.file.columns.lengths[chosen] - offset[chosen] + stride - 1) // stride))
        self._reader = WindowReader(stored.file, stride, offset, spaces)
        self._windows: Iterator[Window] | None = None
        self._window: Window | None = None
        self._seed: int | None = None  # of the order of all steps, from the first draw on
        self._number = 0  # of windows that were begun
        self._at = 0  # steps of the window that were drawn

    def __len__(self) -> int:
        return self._count

    def sample(self, batch_size: int, generator: torch.Generator) -> Transitions:
        """The next ``batch_size`` steps of an endless row of epochs, whose order ``generator`` decides at first."""
        if self._seed is None:
            self._seed = int(torch.randint(2**62, (1,), generator=generator))
        if self._windows is None:
            self._windows = self._reader.endless(self._seed, self._number)
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

    def _next_window(self, windows: Iterator[Window]) -> Window:
        self._windows = None  # where it raises: a generator that has done so says no more, not even why
        window = next(windows)
        self._windows = windows
        self._number += 1
        return window

    def place(self) -> dict[str, int]:
        """The order of the steps, and how many of them were drawn."""
        return {} if self._seed is None else {"seed": self._seed, "windows": self._number, "steps": self._at}

    def go_to(self, place: Mapping[str, int]) -> None:
        """The window is read again, those before it are not."""
        self._windows, self._window, self._number, self._at = None, None, 0, 0
        self._seed = place.get("seed")
        if self._seed is not None and place["windows"]:
            self._number = place["windows"] - 1
            self._window = self._next_window(self._reader.endless(self._seed, self._number))
            self._at = place["steps"]

    def overview(self) -> KeptSteps:
        """One window of random blocks, always the same."""
        with closing(self._reader.windows(0, 0)) as windows:
            window = next(windows)
        return window.kept.chosen(window.order)
