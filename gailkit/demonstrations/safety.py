"""Reading an HDF5 file that somebody else wrote: it may be damaged, and it may be hostile.

HDF5 lets a file name other files to read from (external links, external storage, virtual data sets), declare sizes it
does not hold, and call filters by number. Everything is checked before it is followed, and only arrays of plain
numbers and pieces of text come out.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gailkit.errors import DataError, InputError, StorageError

MAX_BYTES = 8 * 2**30  # of all arrays read from one file together
MAX_TEXT = 16 * 2**20  # bytes of one text attribute
_DEFLATE_LIMIT = 1100  # deflate cannot shrink data by more than a factor of 1032
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}
_DAMAGE = (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError)
"""What h5py raises on a damaged file."""


class DamageError(DataError):
    """HDF5 could not follow its own structures; ``reason`` is what it said."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is damaged or not laid out as it should be: {reason}")
        self.reason = reason


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[SafeReader]:
    """The file as a ``SafeReader``, whose methods raise DataError naming the path wherever h5py meets damage.

    Raises:
        InputError: if there is no such file.
        StorageError: if it may not be read.
        DataError: if it is not HDF5, is damaged, or asks for something that a data file has no need of; also if the
            block runs out of memory.
    """
    check_readable(path)
    with contextlib.ExitStack() as opened:
        with _damage(path):
            if not h5py.is_hdf5(path):
                raise DataError(f"{path} is not an HDF5 file (or its first bytes are damaged)")
            reader = SafeReader(opened.enter_context(h5py.File(path, "r", locking=False)), path)
        try:
            yield reader
        except MemoryError as error:
            raise DataError(f"{path} holds more than the memory does") from error


def check_readable(path: Path) -> None:
    """Raise InputError unless ``path`` is an existing file, StorageError if it may not be opened."""
    if not path.exists():
        raise InputError(f"no such file: {path}")
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    try:
        path.open("rb").close()
    except OSError as error:
        raise StorageError(f"{path} cannot be opened: {error.strerror or error}") from error


class SafeReader:
    """Arrays and texts at the root of an open HDF5 file, each checked before it is read."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self.path = path
        self._attributes = file.attrs
        self._root = h5py.h5g.open(file.id, b"/")
        self._file_bytes = path.stat().st_size
        self._declared = 0
        self._checked: dict[str, h5py.Dataset] = {}

    def has(self, name: str) -> bool:
        """Whether the root has something called ``name``; nothing is followed to find out."""
        with _damage(self.path):
            return bool(self._root.links.exists(name.encode()))

    def rows(self, name: str) -> int:
        """First size of the array ``name``."""
        with _damage(self.path):
            return int(self._dataset(name).shape[0])

    def array(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows ``start`` to ``stop`` of the array ``name``, of a boolean, integer or floating dtype."""
        with _damage(self.path):
            values = np.asarray(self._dataset(name)[start:stop])
        if values.dtype.kind == "b" and (values.view(np.uint8) > 1).any():
            raise self._refusal(name, "it holds booleans that are neither true nor false")
        return values

    def text(self, name: str) -> str | None:
        """The root attribute ``name``, None where there is none; DataError unless it is UTF-8 text."""
        with _damage(self.path):
            if not h5py.h5a.exists(self._root, name.encode()):
                return None
            attribute = h5py.h5a.open(self._root, name.encode())
            is_text = attribute.get_type().get_class() == h5py.h5t.STRING and attribute.shape == ()
            value = self._attributes[name] if is_text and attribute.get_storage_size() <= MAX_TEXT else None
        if value is None:
            raise self._not_a_text(name)
        try:
            raw = bytes(value) if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
            text = raw.decode("utf-8")
        except UnicodeError as error:
            raise DataError(f"{self.path}: the attribute {name!r} is not UTF-8 text") from error
        if len(raw) > MAX_TEXT:  # the storage of a text of variable length is only a pointer to it
            raise self._not_a_text(name)
        return text

    def integer(self, name: str) -> int | None:
        """The root attribute ``name``, None where there is none; DataError unless it is one integer."""
        with _damage(self.path):
            if not h5py.h5a.exists(self._root, name.encode()):
                return None
            attribute = h5py.h5a.open(self._root, name.encode())
            if attribute.get_type().get_class() != h5py.h5t.INTEGER or attribute.shape != ():
                raise DataError(f"{self.path}: the attribute {name!r} is not one integer")
            return int(self._attributes[name])

    def _not_a_text(self, name: str) -> DataError:
        return DataError(f"{self.path}: the attribute {name!r} is not a text of at most {MAX_TEXT} bytes")

    def _refusal(self, name: str, reason: str) -> DataError:
        return DataError(f"{self.path}: {name!r} was not read, because {reason}")

    def _dataset(self, name: str) -> h5py.Dataset:
        if name not in self._checked:
            self._checked[name] = self._check(name)
        return self._checked[name]

    def _check(self, name: str) -> h5py.Dataset:
        if not self.has(name):
            raise DataError(f"{self.path} has no data set {name!r}")
        if self._root.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
            raise self._refusal(name, "it is a link to somewhere else")
        opened = h5py.h5o.open(self._root, name.encode())
        if not isinstance(opened, h5py.h5d.DatasetID):
            raise self._refusal(name, "it is not an array")
        self._check_storage(name, opened.get_create_plist())
        self._check_type(name, opened)
        self._check_size(name, opened)
        return h5py.Dataset(opened)

    def _check_storage(self, name: str, properties: Any) -> None:
        if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count() > 0:
            raise self._refusal(name, "its numbers stand in another file")
        filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
        if not set(filters) <= _FILTERS or len(set(filters)) != len(filters):
            raise self._refusal(
                name, f"it is packed by the filters {filters}; accepted are gzip, shuffle, lzf, fletcher32"
            )

    def _check_type(self, name: str, opened: Any) -> None:
        simple = opened.get_space().get_simple_extent_type() == h5py.h5s.SIMPLE
        if not simple or opened.dtype.kind not in "biuf" or opened.dtype.itemsize > 8:
            raise self._refusal(name, f"it is not an array of plain numbers (dtype {opened.dtype})")

    def _check_size(self, name: str, opened: Any) -> None:
        properties = opened.get_create_plist()
        size = opened.dtype.itemsize
        needed = math.prod(opened.shape) * size
        chunked = properties.get_layout() == h5py.h5d.CHUNKED
        chunk = math.prod(properties.get_chunk()) * size if chunked else 0
        self._declared += max(needed, chunk)
        if self._declared > MAX_BYTES:
            raise self._refusal(name, f"the file declares {self._declared} bytes of arrays; accepted are {MAX_BYTES}")
        if needed > _DEFLATE_LIMIT * self._file_bytes + 2**20:
            raise self._refusal(
                name, f"it declares {needed} bytes, more than {self._file_bytes} bytes of file can hold"
            )
        if chunked:
            stored: list[int] = []
            opened.chunk_iter(lambda info: stored.append(int(info.size)))
            if max(stored, default=0) > 2 * chunk + 1024:
                raise self._refusal(name, "a piece of it is stored in more bytes than it unpacks to")


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Around calls of h5py alone: what it raises on a damaged file becomes a DamageError."""
    try:
        yield
    except _DAMAGE as error:
        raise DamageError(path, _first_line(error)) from error


def _first_line(error: BaseException) -> str:
    said = str(error.args[0]) if error.args else ""  # str() of a KeyError would put it in quotes
    return (said or type(error).__name__).splitlines()[0]
