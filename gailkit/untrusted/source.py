"""The parent's view of a file that a child reads."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np

from gailkit.errors import DataError, InputError, StorageError
from gailkit.memory import available_memory
from gailkit.untrusted.container import Entry, is_plain
from gailkit.untrusted.process import how_it_ended, start_child
from gailkit.untrusted.protocol import read_exactly, receive, send

_LITTLE = 2**23  # bytes that may be taken before the memory is looked at
_LEAST_FREE = 2**27  # bytes that are left to others


class DamageError(DataError):
    """The file's own structures could not be followed; ``reason`` is what its library said."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is damaged or not laid out as it should be: {reason}")
        self.reason = reason


class Span(NamedTuple):
    """Rows ``start`` to ``stop`` of the array ``name``."""

    name: str
    start: int
    stop: int


@contextlib.contextmanager
def open_source(path: Path, once: bool = True) -> Iterator[Source]:
    """The file as a ``Source``, whose methods raise DataError naming the path wherever it is damaged or hostile.

    Raises:
        InputError: if there is no such file.
        StorageError: if it may not be read.
        DataError: if it is of no kind that is read, is damaged, or asks for what a data file has no need of.
    """
    check_readable(path)
    with Source(path, once) as source:
        yield source


def check_readable(path: Path) -> None:
    """Raise InputError unless there is such a file, DataError if it is empty, StorageError if it may not be opened."""
    if not path.exists():
        raise InputError(f"no such file: {path}")
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    if path.is_file() and not path.stat().st_size:
        raise DataError(f"{path} is empty: it has no byte")
    try:
        path.open("rb").close()
    except OSError as error:
        raise StorageError(f"{path} cannot be opened: {error.strerror or error}") from error


class Source:
    """Arrays and texts of a file, read by a child of this process; closed, the child ends.

    Not for several threads at once.
    """

    def __init__(self, path: Path, once: bool = True) -> None:
        """``once`` bounds the time for all of the file, else only that for each answer is."""
        self.path = path
        self._entries: dict[str, Entry | None] = {}
        self._unchecked = 0  # bytes handed out since the memory was looked at
        self._child = start_child(path, once)
        self._requests, self._answers = cast(BinaryIO, self._child.stdin), cast(io.BufferedReader, self._child.stdout)
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            self.container = str(self._receive()["container"])
            """What the file is: "HDF5", "NPZ", "Arrow" or "CSV"."""
            undo.pop_all()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self._child.kill()
        for stream in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                stream.close()
        self._child.wait()

    def children(self, group: str = "") -> list[str]:
        """Names of the members right below ``group``."""
        return [str(name) for name in self._ask({"ask": "children", "group": group})["children"]]

    def entry(self, name: str) -> Entry | None:
        """What ``name`` is, None where there is nothing of that name; nothing of it is read."""
        return self.entries([name])[0]

    def entries(self, names: Sequence[str]) -> list[Entry | None]:
        """What each of ``names`` is; to ask for many at once takes little longer than for one."""
        unknown = [name for name in names if name not in self._entries]
        if unknown:
            for name, found in zip(unknown, self._ask({"ask": "entries", "names": unknown})["entries"], strict=True):
                self._entries[name] = None if found is None else Entry(found[0], found[1], tuple(found[2]))
        return [self._entries[name] for name in names]

    def has(self, name: str) -> bool:
        """Whether there is a member called ``name``."""
        return self.entry(name) is not None

    def rows(self, name: str) -> int:
        """First size of the array ``name``."""
        return self.shape(name)[0]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of the array ``name``."""
        entry = self.entry(name)
        if entry is None:
            raise DataError(f"{self.path} has no data set {name!r}")
        if entry.kind != "array" or not entry.shape:
            next(self.arrays([Span(name, 0, 0)]))  # the child says what it refuses, and why
            raise self.refusal(name, "it is not an array of plain numbers")
        return entry.shape

    def dtype(self, name: str) -> np.dtype[Any]:
        """Kind of the numbers in the array ``name``."""
        entry = self.entry(name)
        self.shape(name)
        return np.dtype(entry.dtype if entry else "")

    def array(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows ``start`` to ``stop`` of the array ``name``, of a boolean, integer or floating dtype."""
        return next(self.arrays([Span(name, start, self.rows(name) if stop is None else stop)]))

    def arrays(self, spans: Sequence[Span]) -> Iterator[np.ndarray]:
        """One array a span. All are asked for at once, so that the child works on while the first are used.

        Nothing else may be asked before the last one was taken.
        """
        self.entries([span.name for span in spans])
        self._send({"ask": "read", "spans": spans, "dtype": None})
        return map(self._rows, spans)

    def gather(
        self, spans: Sequence[Span], dtype: np.dtype[Any] | None = None, target: np.ndarray | None = None
    ) -> np.ndarray:
        """The rows of all ``spans`` of one array, one behind the other; made ``dtype`` on their way if it is given.

        They are read into ``target`` where there is one: so many rows, in that dtype.
        """
        name = spans[0].name
        made = np.dtype(dtype or self.dtype(name))
        rows = sum(max(0, span.stop - span.start) for span in spans)
        if target is None:
            target = self.room(name, (rows, *self.shape(name)[1:]), made)
        self._send({"ask": "read", "spans": spans, "dtype": made.str})
        done = 0
        for _ in spans:
            for _, shape in self._pieces():
                self._fill(target[done : done + shape[0]])
                done += shape[0]
        return target[:done]

    def ragged(self, name: str, start: int, stop: int) -> list[np.ndarray]:
        """Rows ``start`` to ``stop`` of a member that holds one run of bytes a row."""
        self._send({"ask": "ragged", "name": name, "start": start, "stop": stop})
        found = []
        for dtype, shape in self._pieces():
            found.append(self.room(name, shape, dtype))
            self._fill(found[-1])
        return found

    def text(self, name: str, owner: str = "") -> str | None:
        """The text that the group ``owner`` carries under ``name``, None where there is none."""
        text = self._ask({"ask": "text", "owner": owner, "name": name})["text"]
        return None if text is None else str(text)

    def integer(self, name: str, owner: str = "") -> int | None:
        """The integer that the group ``owner`` carries under ``name``, None where there is none."""
        value = self._ask({"ask": "integer", "owner": owner, "name": name})["integer"]
        return None if value is None else int(value)

    def refusal(self, name: str, reason: str) -> DataError:
        """The error for a member that is not read."""
        return DataError(f"{self.path}: {name!r} was not read, because {reason}")

    def _rows(self, span: Span) -> np.ndarray:
        """The rows of one span that was asked for, pieces joined."""
        values: np.ndarray | None = None
        done = 0
        for dtype, shape in self._pieces():
            if values is None:
                values = self.room(span.name, (max(0, span.stop - span.start), *shape[1:]), dtype)
            self._fill(values[done : done + shape[0]])
            done += shape[0]
        if values is None:
            entry = self.entry(span.name)  # known: nothing else is asked for while arrays are on their way
            return np.empty((0, *entry.shape[1:]) if entry else (0,), entry.dtype if entry else np.float32)
        return values[:done]

    def room(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        """Room for an array; what was handed out since the last look at the memory counts, for many may be small.

        Raises:
            DataError: if it is more than is free.
        """
        needed = math.prod(shape) * dtype.itemsize
        self._unchecked += needed
        if self._unchecked > _LITTLE:
            self._unchecked, free = 0, available_memory()
            if needed > free or free < _LEAST_FREE:
                raise DataError(f"{self.path}: {name!r} takes {needed:,} bytes of memory, and {free:,} are free")
        return np.empty(shape, dtype)

    def _pieces(self) -> Iterator[tuple[np.dtype[Any], tuple[int, ...]]]:
        """Kind and shape of each piece that the child sends, whose bytes the caller must take before the next."""
        while True:
            message = self._receive()
            if "end" in message:
                return
            dtype = np.dtype(message["dtype"])
            if not is_plain(dtype):
                raise DamageError(self.path, f"the process that read it sent {dtype}")
            yield dtype, tuple(message["shape"])
            if message["last"]:
                return

    def _fill(self, target: np.ndarray) -> None:
        if target.size and not read_exactly(self._answers, target.data.cast("B")):
            raise self._broken()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._send(request)
        return self._receive()

    def _send(self, request: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # a child that has ended says why in what it sent last
            send(self._requests, request)
            self._requests.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message; raises what it tells of."""
        try:
            frame = receive(self._answers)
        except ValueError as error:
            raise DamageError(self.path, f"the process that read it sent {error}") from error
        match None if frame is None else frame[0]:
            case None:
                raise self._broken()
            case {"damage": reason}:
                raise DamageError(self.path, str(reason))
            case {"refusal": reason, "name": name}:
                raise self.refusal(str(name), str(reason))
            case {"missing": name}:
                raise DataError(f"{self.path} has no data set {name!r}")
            case message:
                return message

    def _broken(self) -> DataError:
        """Why the child has ended, which it does by itself only when a library brings it down."""
        return DamageError(self.path, f"the process that read it {how_it_ended(self._child.wait())}")
