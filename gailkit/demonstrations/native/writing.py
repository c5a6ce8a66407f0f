"""Writing the native file, of any size in bounded memory."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from gymnasium import Space

from gailkit.demonstrations.file_contents import About
from gailkit.demonstrations.joined_episodes import FlatEpisodes, row_types
from gailkit.demonstrations.native.header import (
    DIGEST_BYTES,
    FORMAT,
    VERSION,
    WITHOUT_ACTIONS,
    header_digest,
    header_texts,
    quoted,
)
from gailkit.errors import InputError
from gailkit.spaces import array_dtype, brief
from gailkit.storage import PatientFile, replacing, write_atomically
from gailkit.types import Trajectory, parts_of

_CHUNK_BYTES = 32 * 2**10  # small enough that a damaged chunk touches few episodes
_SETTINGS: Any = {"libver": ("v110", "v110"), "meta_block_size": 2**14}  # its own structures before the numbers
_BUFFER_BYTES = 16 * 2**20  # of episodes before they are packed
_IMAGE_BYTES = 16 * 2**20  # of episodes whose file is built in memory


def write(path: Path, about: About, trajectories: Iterable[Trajectory]) -> int:
    """Write a native file of any size in bounded memory, replacing an older file only once the new one is complete.

    Returns the number of trajectories.

    Raises:
        InputError: if something cannot be written down, such as a space of a kind that gailkit does not know.
        StorageError: if the disk refuses; an older file of that name is then as it was.
    """
    waiting = iter(trajectories)
    first = list(_up_to(waiting, _IMAGE_BYTES))
    following = next(waiting, None)
    if following is None:
        write_atomically(path, image(about, first))
        return len(first)
    with replacing(path) as file, native_writer(file) as writer:
        for trajectory in chain(first, [following], waiting):
            writer.append(trajectory)
            file.check()
        writer.finish(about)
        return writer.count


def image(about: About, trajectories: Iterable[Trajectory]) -> bytes:
    """The bytes of the native file, built in memory; equal contents give equal bytes."""
    file = io.BytesIO()  # not HDF5's own image of a file: before HDF5 2.0 its header has a wrong checksum
    with h5py.File(file, "w", **_SETTINGS) as opened:
        writer = NativeWriter(opened)
        for trajectory in trajectories:
            writer.append(trajectory)
        writer.finish(about)
    return file.getvalue()


@contextmanager
def native_writer(file: PatientFile) -> Iterator[NativeWriter]:
    """A writer into ``file``, whose writes must not fail: HDF5 would crash."""
    with h5py.File(file, "w", **_SETTINGS) as opened:
        yield NativeWriter(opened)


class NativeWriter:
    """Appends trajectories to an open file; what describes them is written by ``finish``."""

    def __init__(self, file: h5py.File) -> None:
        self.count = 0
        self._file = file
        self._waiting: list[Trajectory] = []
        self._waiting_bytes = 0
        self._described: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # lengths, terminated, seeds
        self._digests: list[bytes] = []
        self._types: tuple[np.dtype[Any] | None, ...] = ()
        self._has_actions = True  # as has the first of them

    def append(self, trajectory: Trajectory) -> None:
        """Add one trajectory; it is packed once enough of them are waiting.

        Raises:
            InputError: if its numbers are of other dtypes than those of the first (``common_dtypes.widened``), or one
                of the two has actions.
        """
        if not self._types:
            self._types, self._has_actions = row_types(trajectory), trajectory.has_actions
        if trajectory.has_actions != self._has_actions:
            raise InputError("either all episodes of a file have actions or none; found both")
        if row_types(trajectory) != self._types:
            raise InputError(f"a file holds numbers of one kind; found {self._types} and {row_types(trajectory)}")
        self._waiting.append(trajectory)
        self._waiting_bytes += trajectory.observations.nbytes + trajectory.actions.nbytes
        self.count += 1
        if self._waiting_bytes >= _BUFFER_BYTES:
            self._pack(self._described_next())

    def finish(self, about: About) -> None:
        """Write what is waiting, the columns that describe the episodes, and the header.

        What describes the episodes goes before them where they are few enough to have waited: of a file that loses its
        end, those before the cut can then be saved.

        Raises:
            InputError: if there is no trajectory, or something cannot be written down.
        """
        if not self.count:
            raise InputError("a file of demonstrations needs at least one trajectory; found none")
        texts = header_texts(about, self._has_actions)
        version = VERSION if self._has_actions else WITHOUT_ACTIONS
        _check_parts("observation", self._types[0], about.observation_space)
        _check_parts("action", self._types[1], about.action_space)
        flat = self._described_next()
        for name, text in {"format": FORMAT, **texts, "header_digest": header_digest(version, texts)}.items():
            encoded = text.encode()
            self._file.attrs.create(name, encoded, dtype=h5py.string_dtype("utf-8", max(1, len(encoded))))
        self._file.attrs["format_version"] = version
        for name, values in self._episode_columns().items():
            pack(self._file, name, values, rows_within(_CHUNK_BYTES, values))
        self._file.flush()
        self._pack(flat)

    def _described_next(self) -> FlatEpisodes | None:
        """The trajectories that are waiting, joined, and noted down; None if there is none."""
        if not self._waiting:
            return None
        flat = FlatEpisodes.of(self._waiting)
        self._digests.extend(flat.digest(index) for index in range(len(flat.lengths)))
        self._described.append((flat.lengths, flat.terminated, flat.seeds))
        self._waiting, self._waiting_bytes = [], 0
        return flat

    def _pack(self, flat: FlatEpisodes | None) -> None:
        own = ("actions",) if self._has_actions else ()
        for name in (*own, "rewards", "observations") if flat is not None else ():  # the largest last
            values = getattr(flat, name)
            for path, part in parts_of(values) if values is not None else ():
                _extend(self._file, "/".join([name, *map(quoted, path)]), part)

    def _episode_columns(self) -> dict[str, np.ndarray]:
        lengths, terminated, seeds = map(np.concatenate, zip(*self._described, strict=True))
        return {
            "episode_lengths": lengths,
            "terminated": terminated,
            "truncated": ~terminated,
            "episode_seeds": seeds,
            "digests": np.frombuffer(b"".join(self._digests), dtype=np.uint8).reshape(self.count, DIGEST_BYTES),
        }


def _up_to(trajectories: Iterator[Trajectory], most_bytes: int) -> Iterator[Trajectory]:
    """The first trajectories, until they hold ``most_bytes``."""
    taken = 0
    while taken < most_bytes and (trajectory := next(trajectories, None)) is not None:
        taken += trajectory.observations.nbytes + trajectory.actions.nbytes
        yield trajectory


def _check_parts(role: str, found: np.dtype[Any] | None, space: Space[Any] | None) -> None:
    """Raise InputError for numbers of several parts that are not those of the ``space``, which alone tells how they
    belong together when they are read."""
    if found is None or found.names is None:
        return
    parts, wanted = (
        None if dtype is None else [(path, part.dtype, part.shape) for path, part in parts_of(np.empty(0, dtype))]
        for dtype in (found, None if space is None else array_dtype(space))
    )
    if parts != wanted:
        raise InputError(f"the {role}s have the parts {found}, which are not those of the {role} space {brief(space)}")


def _extend(file: h5py.File, name: str, values: np.ndarray) -> None:
    if name not in file:
        pack(file, name, values, rows_within(_CHUNK_BYTES, values))
        return
    dataset = file[name]
    start = len(dataset)
    dataset.resize(start + len(values), axis=0)
    dataset[start:] = values


def rows_within(chunk_bytes: int, values: np.ndarray) -> int:
    """How many rows of ``values`` a chunk of ``chunk_bytes`` holds; at least 1."""
    return max(1, chunk_bytes // max(1, values[:1].nbytes))


def pack(group: h5py.Group, name: str, values: np.ndarray, rows: int) -> None:
    """Store ``values`` under ``name``, checksummed and in chunks of ``rows`` rows; more rows may follow.

    Raises:
        InputError: if a row holds no number.
    """
    if 0 in values.shape[1:]:
        raise InputError(f"{name} of shape {values.shape[1:]} hold no number, and cannot be written")
    group.create_dataset(
        name,
        data=np.ascontiguousarray(values),
        chunks=(rows, *values.shape[1:]),
        maxshape=(None, *values.shape[1:]),
        compression="gzip",
        shuffle=True,
        fletcher32=True,
    )
