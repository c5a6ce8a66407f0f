"""NPZ as the child reads it: a zip of ``.npy`` members.

numpy itself would unpickle, or unpack whatever a member declares. Here a header is read as a literal, an array of
objects or texts is never touched, and what a member declares is compared with what the file can hold.
"""

from __future__ import annotations

import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from gailkit.untrusted.container import (
    PIECE_BYTES,
    Container,
    Damage,
    Entry,
    Refusal,
    bytes_on_disk,
    check_booleans,
    cut,
    is_plain,
)

MAX_MEMBERS = 10_000
MAX_DEPTH = 16  # parts of a member's name, divided by slashes
MAX_HEADER = 10_000  # bytes; numpy's own limit
_DEFLATE_LIMIT = 1100  # deflate cannot shrink data by more than a factor of 1032
_SLACK = 2**20
_MAX_ROW = 2**40  # bytes of one row, which an array without rows may declare at will
_SUFFIX = ".npy"
_ENCRYPTED = 1
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    RuntimeError,
    OverflowError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and numpy raise on a damaged file."""


class _Header(NamedTuple):
    """What a member says about the array in it."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran: bool  # whether the first index moves fastest
    start: int  # bytes before the numbers


class NpzContainer(Container):
    """The members of the zip, without their suffix; one that is no array of plain numbers is "other"."""

    kind = "NPZ"

    def __init__(self, path: Path) -> None:
        with _damage():
            self._zip = zipfile.ZipFile(path)
            listed = self._zip.infolist()
        if len(listed) > MAX_MEMBERS:
            raise Damage(f"it has {len(listed)} members; accepted are {MAX_MEMBERS}")
        self._file_bytes = bytes_on_disk(path)
        self._members = {info.filename.removesuffix(_SUFFIX): info for info in listed}
        self._below = _tree(self._members)
        counts = Counter(info.filename.removesuffix(_SUFFIX) for info in listed)
        self._twice = {name for name, count in counts.items() if count > 1}
        self._declared = 0
        self._headers: dict[str, _Header] = {}
        self._streams: dict[str, tuple[IO[bytes], int]] = {}  # open members, and the row that each has come to
        self._columns: tuple[str, np.ndarray] = ("", np.empty(0))  # the array in Fortran's order that was read last

    def children(self, group: str) -> list[str]:
        """Names right below ``group``: a slash in a member's name divides."""
        return list(self._below.get(group, ()))

    def entry(self, name: str) -> Entry | None:
        """What ``name`` is, from its header alone."""
        if name not in self._members:
            return Entry("group", "", ()) if name in self._below else None
        try:
            header = self._header(name)
        except Refusal:
            return Entry("other", "", ())
        return Entry("array", header.dtype.newbyteorder("=").str, header.shape)

    def pieces(self, name: str, start: int, stop: int) -> Iterator[np.ndarray]:
        """Rows of an array; rows that follow those read last are unpacked from where that stopped."""
        header = self._header(name)
        stop = min(stop, header.shape[0])
        if header.fortran:
            yield from cut(self._column_major(name, header), start, stop)
            return
        row_bytes = math.prod(header.shape[1:]) * header.dtype.itemsize
        step = max(1, PIECE_BYTES // max(1, row_bytes))
        with _damage():
            stream = self._stream_at(name, header, start, row_bytes) if start < stop else None
            for first in range(start, stop, step):
                rows = min(step, stop - first)
                values = _numbers(stream, rows * row_bytes, header.dtype)
                self._streams[name] = (stream, first + rows) if stream else self._streams[name]
                yield check_booleans(name, values.reshape(rows, *header.shape[1:]))

    def _header(self, name: str) -> _Header:
        """The header of ``name``, checked; raises Refusal for what is never read and KeyError if it is not there."""
        if name not in self._headers:
            info = self._members[name]
            self._check_member(name, info)
            with _damage(), self._zip.open(info) as member:
                header = _read_header(name, member)
            _check_size(name, header, info.file_size)
            self._headers[name] = header
            self._declared += info.file_size
        return self._headers[name]

    def _check_member(self, name: str, info: zipfile.ZipInfo) -> None:
        if name in self._twice:
            raise Refusal(name, "the zip has two members of that name")
        if not info.filename.endswith(_SUFFIX):
            raise Refusal(name, "it is not an array")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refusal(name, "it is encrypted, or packed otherwise than by deflate")
        if self._declared + info.file_size > _DEFLATE_LIMIT * self._file_bytes + _SLACK:
            raise Refusal(
                name,
                f"with it the file declares {self._declared + info.file_size} bytes of arrays, more than "
                f"{self._file_bytes} bytes of file can hold",
            )

    def _stream_at(self, name: str, header: _Header, row: int, row_bytes: int) -> IO[bytes]:
        """The member, unpacked up to ``row``."""
        stream, position = self._streams.pop(name, (None, 0))
        if stream is None or position > row:
            if len(self._streams) >= 64:  # a file may have an array an episode; those read once need not stay open
                self._streams.clear()
            stream, position = self._zip.open(self._members[name]), 0
            _skip(stream, header.start)
        _skip(stream, (row - position) * row_bytes)
        self._streams[name] = (stream, row)
        return stream

    def _column_major(self, name: str, header: _Header) -> np.ndarray:
        """All of an array whose rows do not lie together."""
        if self._columns[0] != name:
            with _damage(), self._zip.open(self._members[name]) as member:
                _skip(member, header.start)
                values = _numbers(member, math.prod(header.shape) * header.dtype.itemsize, header.dtype)
            self._columns = (name, check_booleans(name, values.reshape(header.shape, order="F")))
        return self._columns[1]


def _tree(names: Iterable[str]) -> dict[str, dict[str, None]]:
    """Each group's name -> the names right below it; a group that holds no member is not there."""
    below: dict[str, dict[str, None]] = {"": {}}
    for name in names:
        parts = name.split("/", MAX_DEPTH)
        if len(parts) > MAX_DEPTH:
            raise Damage(f"one of its members lies in more than {MAX_DEPTH - 1} folders")
        for depth, part in enumerate(parts):
            if not part:  # the folder itself is listed, or nobody can ask for the name
                break
            below.setdefault("/".join(parts[:depth]), {})[part] = None
    return below


def _read_header(name: str, member: IO[bytes]) -> _Header:
    version = np.lib.format.read_magic(member)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:  # version 3 is for records whose fields have names beyond Latin-1
        raise Refusal(name, "it is not an array of plain numbers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of headers that Python 2 wrote, which it reads
        shape, fortran, dtype = read(member, max_header_size=MAX_HEADER)
    if not is_plain(dtype) or not shape:
        raise Refusal(name, f"it is not an array of plain numbers (dtype {dtype}, shape {shape})")
    return _Header(dtype, tuple(map(int, shape)), bool(fortran) and len(shape) > 1, member.tell())


def _check_size(name: str, header: _Header, member_bytes: int) -> None:
    """The array must fill its member exactly."""
    row = math.prod(max(1, size) for size in header.shape[1:]) * header.dtype.itemsize
    needed = math.prod(header.shape) * header.dtype.itemsize
    if min(header.shape) < 0 or max(row, header.shape[0]) > _MAX_ROW or header.start + needed != member_bytes:
        raise Refusal(
            name,
            f"its header declares shape {header.shape} of {header.dtype}, which does not fit the "
            f"{member_bytes - header.start} bytes behind it",
        )


def _numbers(stream: IO[bytes] | None, count: int, dtype: np.dtype[np.generic]) -> np.ndarray:
    """``count`` bytes as numbers in this machine's own order of bytes."""
    raw = stream.read(count) if stream else b""
    if len(raw) < count:
        raise Damage("an array ends before its last number")
    values = np.frombuffer(raw, dtype)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _skip(stream: IO[bytes], count: int) -> None:
    while count > 0:
        passed = len(stream.read(min(count, PIECE_BYTES)))
        if not passed:
            raise Damage("an array ends before its last number")
        count -= passed


@contextmanager
def _damage() -> Iterator[None]:
    """Around calls of zipfile and numpy: what they raise on a damaged file becomes Damage."""
    try:
        yield
    except _DAMAGE as error:
        raise Damage((str(error) or type(error).__name__).splitlines()[0]) from error
