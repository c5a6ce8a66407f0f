"""HDF5 as the child reads it.

HDF5 lets a file name other files to read from (external links, external storage, virtual data sets), declare sizes it
does not hold, and call filters by number. Everything is checked before it is followed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gailkit.untrusted.container import (
    MAX_TEXT,
    PIECE_BYTES,
    Container,
    Damage,
    Entry,
    Refusal,
    bytes_on_disk,
    check_booleans,
    is_plain,
)

JPEG = "#jpeg"
"""Behind the name of a member that holds one image in JPEG a row: the images themselves, as an array of uint8."""
MAX_CHILDREN = 2_000_000
MAX_LINK_DEPTH = 16
_DEFLATE_LIMIT = 1100  # deflate cannot shrink data by more than a factor of 1032
_SLACK = 2**20
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}
_DAMAGE = (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError)
"""What h5py raises on a damaged file."""


class Hdf5Container(Container):
    """Groups, data sets and attributes; a member whose path leads over a link is refused."""

    kind = "HDF5"

    def __init__(self, path: Path) -> None:
        with _damage():
            self._file = h5py.File(path, "r", locking=False)
            self._root = h5py.h5g.open(self._file.id, b"/")
        self._file_bytes = bytes_on_disk(path)
        self._declared = 0
        self._counted: set[str] = set()  # arrays that are in what is declared
        self._opened: dict[str, Any] = {}
        self._parents: dict[str, Any] = {}  # the group of the member that was opened last

    def children(self, group: str) -> list[str]:
        """Names right below ``group``; nothing is followed to find them."""
        with _damage():
            opened = self._open(group)
            if not isinstance(opened, h5py.h5g.GroupID):
                return []
            if opened.get_num_objs() > MAX_CHILDREN:
                raise Refusal(group, f"it has {opened.get_num_objs()} members; accepted are {MAX_CHILDREN}")
            return [bytes(name).decode("utf-8", "replace") for name in opened]

    def entry(self, name: str) -> Entry | None:
        """What ``name`` is; "other" for what is never read, such as links and single texts."""
        if name.endswith(JPEG):
            return self._images(name.removesuffix(JPEG))
        with _damage():
            try:
                opened = self._open(name)
            except KeyError:
                return None
            except Refusal:
                return Entry("other", "", ())
            if isinstance(opened, h5py.h5g.GroupID):
                return Entry("group", "", ())
            if not isinstance(opened, h5py.h5d.DatasetID):
                return Entry("other", "", ())
            simple = opened.get_space().get_simple_extent_type() == h5py.h5s.SIMPLE
            if simple and is_plain(opened.dtype):
                return Entry("array", opened.dtype.str, tuple(opened.shape))
            return Entry("ragged" if simple and _is_ragged(opened) else "other", "", tuple(opened.shape or ()))

    def pieces(self, name: str, start: int, stop: int) -> Iterator[np.ndarray]:
        """Rows of an array, cut where its chunks end so that none is unpacked twice."""
        if name.endswith(JPEG):
            from gailkit.untrusted.jpeg import image_pieces

            encoded = name.removesuffix(JPEG)
            yield from image_pieces(encoded, self._encoded(encoded, start, stop))
            return
        with _damage():
            dataset = self._array(name)
            for first, last in _cuts(dataset, start, stop):
                yield check_booleans(name, np.asarray(dataset[first:last]))

    def ragged_pieces(self, name: str, start: int, stop: int) -> Iterator[np.ndarray]:
        """Rows of bytes, as images in JPEG or texts are stored."""
        with _damage():
            opened = self._open(name)
            if not isinstance(opened, h5py.h5d.DatasetID) or not _is_ragged(opened):
                raise Refusal(name, "it is not a list of runs of bytes")
            properties = opened.get_create_plist()
            self._check_storage(name, properties)
            self._check_size(name, opened, properties)
            dataset = h5py.Dataset(opened)
            total = 0  # several rows may point to the same bytes of the file
            for row in range(start, min(stop, len(dataset))):
                found = dataset[row]
                values = np.frombuffer(found, np.uint8) if isinstance(found, bytes) else np.asarray(found)
                total += values.nbytes
                if total > self._file_bytes:
                    raise Refusal(name, "its rows are longer than the file")
                yield values

    def text(self, owner: str, name: str) -> str | None:
        """A text attribute, of fixed or variable length."""
        with _damage():
            attribute = self._attribute(owner, name)
            if attribute is None:
                return None
            is_text = attribute.get_type().get_class() == h5py.h5t.STRING and attribute.shape == ()
            fits = is_text and attribute.get_storage_size() <= MAX_TEXT
            value = h5py.AttributeManager(h5py.Group(self._group_of(owner)))[name] if fits else None
        if value is None:
            raise Refusal(name, f"the attribute is not a text of at most {MAX_TEXT} bytes")
        try:
            raw = bytes(value) if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
            text = raw.decode("utf-8")
        except UnicodeError as error:
            raise Refusal(name, "the attribute is not UTF-8 text") from error
        if len(raw) > MAX_TEXT:  # the storage of a text of variable length is only a pointer to it
            raise Refusal(name, f"the attribute is not a text of at most {MAX_TEXT} bytes")
        return text

    def integer(self, owner: str, name: str) -> int | None:
        """An attribute that is one integer."""
        with _damage():
            attribute = self._attribute(owner, name)
            if attribute is None:
                return None
            if attribute.get_type().get_class() != h5py.h5t.INTEGER or attribute.shape != ():
                raise Refusal(name, "the attribute is not one integer")
            return int(h5py.AttributeManager(h5py.Group(self._group_of(owner)))[name])

    def _images(self, name: str) -> Entry | None:
        """What the images in ``name`` are together, as the first one says."""
        stored = self.entry(name)
        if stored is None or len(stored.shape) == 0 or stored.shape[0] == 0:
            return None if stored is None else Entry("other", "", ())
        first = next(self.pieces(name + JPEG, 0, 1))
        return Entry("array", first.dtype.str, (stored.shape[0], *first.shape[1:]))

    def _encoded(self, name: str, start: int, stop: int) -> Iterator[np.ndarray]:
        """Rows of bytes, also of an array whose rows happen to be of one length."""
        stored = self.entry(name)
        if stored is None or (stored.dtype, len(stored.shape)) != ("|u1", 2):
            yield from self.ragged_pieces(name, start, stop)
            return
        for piece in self.pieces(name, start, stop):
            yield from piece

    def _attribute(self, owner: str, name: str) -> Any:
        group = self._group_of(owner)
        return h5py.h5a.open(group, name.encode()) if h5py.h5a.exists(group, name.encode()) else None

    def _group_of(self, owner: str) -> Any:
        opened = self._open(owner)
        if not isinstance(opened, h5py.h5g.GroupID):
            raise Refusal(owner, "it is not a group")
        return opened

    def _open(self, name: str) -> Any:
        """The object at ``name``, reached over hard links alone; KeyError where there is none."""
        parts = [part for part in name.split("/") if part]
        if len(parts) > MAX_LINK_DEPTH:
            raise Refusal(name, f"it lies more than {MAX_LINK_DEPTH} groups deep")
        parent = "/".join(parts[:-1])
        if parent not in self._parents:  # of many episodes, each has a few members that are opened one after another
            self._parents = {parent: self._descend(name, self._root, parts[:-1])}
        return self._descend(name, self._parents[parent], parts[-1:])

    @staticmethod
    def _descend(name: str, opened: Any, parts: list[str]) -> Any:
        for part in parts:
            if not isinstance(opened, h5py.h5g.GroupID) or not opened.links.exists(part.encode()):
                raise KeyError(name)
            if opened.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
                raise Refusal(name, "it is a link to somewhere else")
            opened = h5py.h5o.open(opened, part.encode())
        return opened

    def _array(self, name: str) -> h5py.Dataset:
        if name not in self._opened:
            opened = self._open(name)
            if not isinstance(opened, h5py.h5d.DatasetID):
                raise Refusal(name, "it is not an array")
            simple = opened.get_space().get_simple_extent_type() == h5py.h5s.SIMPLE
            if not simple or not is_plain(opened.dtype):
                raise Refusal(name, f"it is not an array of plain numbers (dtype {opened.dtype})")
            properties = opened.get_create_plist()
            self._check_storage(name, properties)
            self._check_size(name, opened, properties)
            if len(self._opened) >= 64:  # a file may have an array an episode; those read once need not stay open
                self._opened.clear()
            self._opened[name] = h5py.Dataset(opened)
        return self._opened[name]

    def _check_storage(self, name: str, properties: Any) -> None:
        if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count() > 0:
            raise Refusal(name, "its numbers stand in another file")
        filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
        if not set(filters) <= _FILTERS or len(set(filters)) != len(filters):
            raise Refusal(name, f"it is packed by the filters {filters}; accepted are gzip, shuffle, lzf, fletcher32")

    def _check_size(self, name: str, opened: Any, properties: Any) -> None:
        """No array, nor all that were opened together, may declare more than the bytes of the file can unpack to."""
        size = opened.dtype.itemsize
        chunked = properties.get_layout() == h5py.h5d.CHUNKED
        chunk = math.prod(properties.get_chunk()) * size if chunked else 0
        needed = max(math.prod(opened.shape) * size, chunk)
        if name not in self._counted:
            self._counted.add(name)
            self._declared += needed
        if self._declared > _DEFLATE_LIMIT * self._file_bytes + _SLACK:
            raise Refusal(
                name,
                f"with it the file declares {self._declared} bytes of arrays, more than {self._file_bytes} bytes of "
                "file can hold",
            )
        if chunked:
            stored: list[int] = []
            opened.chunk_iter(lambda info: stored.append(int(info.size)))
            if max(stored, default=0) > 2 * chunk + 1024:
                raise Refusal(name, "a piece of it is stored in more bytes than it unpacks to")


def _cuts(dataset: h5py.Dataset, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Spans of rows that cover ``start`` to ``stop``, each of about PIECE_BYTES, ending where chunks end."""
    rows = dataset.chunks[0] if dataset.chunks else 1
    row_bytes = max(1, math.prod(dataset.shape[1:]) * dataset.dtype.itemsize)
    step = max(1, PIECE_BYTES // (rows * row_bytes)) * rows
    first, stop = start, min(stop, dataset.shape[0])
    while first < stop:
        last = min(stop, (first // step + 1) * step)
        yield first, last
        first = last


def _is_ragged(opened: Any) -> bool:
    if opened.get_type().get_class() == h5py.h5t.STRING:
        return len(opened.shape) == 1
    inner = h5py.check_vlen_dtype(opened.dtype)
    return inner is not None and np.dtype(inner) == np.uint8 and len(opened.shape) == 1


@contextmanager
def _damage() -> Iterator[None]:
    """Around calls of h5py: what it raises on a damaged file becomes Damage."""
    try:
        yield
    except (Refusal, Damage):
        raise
    except _DAMAGE as error:
        said = str(error.args[0]) if error.args else ""  # str() of a KeyError would put it in quotes
        raise Damage((said or type(error).__name__).splitlines()[0]) from error
