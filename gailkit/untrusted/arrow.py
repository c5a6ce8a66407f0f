"""Arrow as the child reads it: the columns of an IPC stream or file.

A column of numbers, or of lists of fixed size, is an array. A column of lists of any length, such as one run of steps
an episode, is a group: its ``values`` are all the lists one behind the other, (total, ...), and row i consists of the
values ``offsets[i]`` to ``offsets[i + 1]``. Lists inside those must all be of one length. Any other column, such as one
of texts, is never loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gailkit.untrusted.container import Container, Damage, Entry, Refusal, cut, is_plain

try:
    import pyarrow as pa
except ImportError:
    pa = None

MISSING = "the package pyarrow is missing: pip install 'gailkit[arrow]'"
_FILE_MAGIC = b"ARROW1"


class _Column(NamedTuple):
    """A column of N rows."""

    values: np.ndarray  # (N, ...), or (total, ...) where the rows are lists of any length
    offsets: np.ndarray | None  # (N + 1,) int64; None where they are not


class ArrowContainer(Container):
    """The columns; each is loaded whole when it is first asked for, and nothing but it."""

    kind = "Arrow"

    def __init__(self, path: Path) -> None:
        if pa is None:
            raise Refusal(path.name, MISSING)
        self._path = path
        pa.set_memory_pool(pa.system_memory_pool())  # the others set aside more than they use
        with _damage(), self._reader(None) as reader:
            self._schema = reader.schema
            self._names: list[str] = self._schema.names
        if len(set(self._names)) < len(self._names):
            raise Damage("two of its columns have one name")
        self._columns: dict[str, _Column] = {}

    def children(self, group: str) -> list[str]:
        """Names of the columns; ``values`` and ``offsets`` below one whose rows are lists of any length."""
        if not group:
            return list(self._names)
        entry = self.entry(group)
        return ["values", "offsets"] if entry and entry.kind == "group" else []

    def entry(self, name: str) -> Entry | None:
        """What ``name`` is; "other" for a column that is never loaded."""
        column, part = self._split(name)
        if column is None:
            return None
        if not _is_numeric(self._schema.field(column).type):
            return None if part else Entry("other", "", ())
        if _is_list(self._schema.field(column).type) and not part:
            return Entry("group", "", ())
        values = self._array(name)
        return None if values is None else Entry("array", values.dtype.str, values.shape)

    def pieces(self, name: str, start: int, stop: int) -> Iterator[np.ndarray]:
        """Rows of a column, or of the values or offsets of one whose rows are lists."""
        values = self._array(name)
        if values is None:
            raise KeyError(name)
        yield from cut(values, start, stop)

    def _split(self, name: str) -> tuple[str | None, str]:
        """Column and part of it that ``name`` is; no column if there is none."""
        if name in self._names:
            return name, ""
        column, _, part = name.rpartition("/")
        return (column, part) if column in self._names else (None, "")

    def _array(self, name: str) -> np.ndarray | None:
        column, part = self._split(name)
        if column is None:
            return None
        kind = self._schema.field(column).type
        if not _is_numeric(kind) or (_is_list(kind) and not part):
            raise Refusal(name, f"it is not an array of plain numbers (Arrow {str(kind)[:80]})")
        loaded = self._load(column)
        if loaded.offsets is None:
            return None if part else loaded.values
        return {"values": loaded.values, "offsets": loaded.offsets}.get(part)

    def _load(self, column: str) -> _Column:
        if column not in self._columns:
            with _damage(), self._reader(self._names.index(column)) as reader:
                table = reader.read_all()
                table.validate(full=True)
                self._columns[column] = _joined(column, table.schema.field(0).type, table.column(0).chunks)
        return self._columns[column]

    @contextmanager
    def _reader(self, field: int | None) -> Iterator[Any]:
        """A reader of the file that loads the column number ``field`` alone."""
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=None if field is None else [field])
        with pa.OSFile(str(self._path)) as file:
            is_file = file.read(len(_FILE_MAGIC)) == _FILE_MAGIC
            file.seek(0)
            opening = pa.ipc.open_file if is_file else pa.ipc.open_stream
            with opening(file, options=options) as reader:
                yield reader


def _joined(name: str, kind: Any, chunks: list[Any]) -> _Column:
    """The column of all ``chunks``."""
    if not _is_list(kind):
        return _Column(_concatenated(name, kind, [_values(name, chunk) for chunk in chunks]), None)
    for chunk in chunks:
        _check_whole(name, chunk)
    lengths = [np.diff(np.asarray(chunk.offsets).astype(np.int64)) for chunk in chunks]
    values = _concatenated(name, kind.value_type, [_values(name, chunk.flatten()) for chunk in chunks])
    return _Column(values, np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths])))


def _values(name: str, values: Any) -> np.ndarray:
    """Numbers (N,), or lists that are all of one length as (N, length, ...)."""
    _check_whole(name, values)
    if not (_is_list(values.type) or pa.types.is_fixed_size_list(values.type)):
        return np.asarray(values.to_numpy(zero_copy_only=False))
    if _is_list(values.type):
        lengths = np.unique(np.diff(np.asarray(values.offsets)))
        if len(lengths) > 1:
            raise Refusal(name, f"its rows are of different lengths, from {lengths[0]} to {lengths[-1]}")
        length = int(lengths[0]) if len(lengths) else 0
    else:
        length = values.type.list_size
    inner = _values(name, values.flatten())
    return inner.reshape(len(values), length, *inner.shape[1:])


def _concatenated(name: str, kind: Any, parts: list[np.ndarray]) -> np.ndarray:
    parts = [part for part in parts if len(part)] or parts[:1]
    if len({part.shape[1:] for part in parts}) > 1:
        raise Refusal(name, f"its rows are of different shapes: {sorted({part.shape[1:] for part in parts})[:4]}")
    return np.concatenate(parts) if parts else np.empty(0, _dtype(kind))


def _check_whole(name: str, values: Any) -> None:
    if values.null_count:
        raise Refusal(name, "some of its places are empty")


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_numeric(kind: Any) -> bool:
    """Whether it is plain numbers, or lists of them however deep; texts, bytes and types of others' making are not."""
    while _is_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return bool(numeric) and is_plain(_dtype(kind))


def _dtype(kind: Any) -> np.dtype[Any]:
    while _is_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    dtype: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
    return dtype


@contextmanager
def _damage() -> Iterator[None]:
    """Around calls of pyarrow: what it raises on a damaged file becomes Damage."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, NotImplementedError, OverflowError) as error:
        said = str(error.args[0]) if error.args else ""
        raise Damage((said or type(error).__name__).splitlines()[0]) from error
