"""Every space as one vector of numbers, as Gymnasium flattens it, but for all elements at once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete, Tuple, flatten_space

from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.spaces.columns import Part, columns_of, number_sets
from gailkit.spaces.elements import from_gymnasium
from gailkit.spaces.pictures import Picture, picture_of
from gailkit.spaces.structure import Path, array_dtype, brief, leaf, leaves, said_of, shape_of

MAX_FLAT_SIZE = 2**26


class PicturePart(NamedTuple):
    """A leaf of pictures and the columns, each a byte, that it takes in flat values."""

    path: Path
    space: Space[Any]
    columns: slice
    picture: Picture


class Flat(Box):
    """The vectors that elements of the space ``stated`` are flattened to, and what their columns stand for.

    A column is a number, one of the columns of a set of numbers, of which one is 1 and the others 0, or a bit. Where
    there are pictures among the parts a vector consists of bytes: first the pictures as they are, and then those of a
    vector of all the other parts, so that nothing takes more memory than it has to.
    """

    def __init__(self, stated: Space[Any]) -> None:
        """Raises UnsupportedSpaceError for a space of an unknown kind, or one whose vector is too long."""
        every = leaves(stated)
        self.pictures = _pictures(every)
        self.parts = columns_of((path, own) for path, own in every if picture_of(own) is None)
        self.vector_size = self.parts[-1].columns.stop if self.parts else 0
        if self.vector_size > MAX_FLAT_SIZE:
            raise UnsupportedSpaceError(
                f"the space {brief(stated)} is not supported: flattened it has {self.vector_size} numbers, accepted "
                f"are {MAX_FLAT_SIZE}"
            )
        vectors = flatten_space(Tuple([part.space for part in self.parts]) if self.parts and self.pictures else stated)
        assert isinstance(vectors, Box)
        self.vector_dtype = vectors.dtype
        if self.pictures:
            vector_bytes = self.vector_size * vectors.dtype.itemsize
            super().__init__(0, 255, (self.pictures[-1].columns.stop + vector_bytes,), np.uint8)
        else:
            super().__init__(vectors.low, vectors.high, vectors.shape, vectors.dtype.type)
        self.stated = stated

    def vector_of(self, values: np.ndarray) -> np.ndarray:
        """What of flat values (N, size) are no pictures, (N, vector size), as numbers."""
        if not self.pictures:
            return values
        rest = np.ascontiguousarray(values[:, self.pictures[-1].columns.stop :])
        return rest.view(self.vector_dtype) if self.vector_size else np.zeros((len(values), 0))

    def place(self, column: int) -> str:
        """Where the number at ``column`` of a vector comes from, in words: element 1 of 'position'."""
        return _place(self.parts, column)

    @property
    def sets(self) -> tuple[slice, ...]:
        """The columns of every set of numbers."""
        found = []
        for part in self.parts:
            start = part.columns.start
            if isinstance(part.space, Discrete | MultiDiscrete):
                for size in number_sets(part.space)[0].tolist():
                    found.append(slice(start, start + size))
                    start += size
        return tuple(found)

    @property
    def bits(self) -> np.ndarray:
        """The columns (K,) int64 that are bits."""
        return self._columns_of(MultiBinary)

    @property
    def numbers(self) -> np.ndarray:
        """The columns (K,) int64 that are numbers."""
        return self._columns_of(Box)

    def sample(self, mask: None = None, probability: None = None) -> np.ndarray:
        """An element of ``stated``, flat."""
        assert mask is None and probability is None
        sampled: np.ndarray = flatten_values(self, from_gymnasium(self.stated, [self.stated.sample()]))[0]
        return sampled

    def seed(self, seed: int | None = None) -> Any:
        """Let the samples be those of ``seed``."""
        return self.stated.seed(seed)

    def __eq__(self, other: object) -> bool:
        """Whether the other one is of the same space, or the Box that Gymnasium flattens it to."""
        return self.stated == other.stated if isinstance(other, Flat) else super().__eq__(other)

    def __repr__(self) -> str:
        return f"{self.stated} as one vector"

    def _columns_of(self, kind: type[Space[Any]]) -> np.ndarray:
        ranges = [
            np.arange(part.columns.start, part.columns.stop) for part in self.parts if isinstance(part.space, kind)
        ]
        return np.concatenate([np.zeros(0, np.int64), *ranges])


def flattened_space(space: Space[Any]) -> Space[Any]:
    """The ``Flat`` space of the vectors that ``space`` is flattened to; a Box or Discrete is returned as it is.

    Raises:
        UnsupportedSpaceError: for a space of another kind, or one whose vector would be longer than MAX_FLAT_SIZE.
    """
    return space if isinstance(space, Box | Discrete) else Flat(space)


def stated_space(space: Space[Any]) -> Space[Any]:
    """What ``flattened_space`` was made of: the space that an environment itself states."""
    return space.stated if isinstance(space, Flat) else space


def flat_bytes(space: Space[Any]) -> int:
    """Bytes of an element once it is flat, its numbers in float32; UnsupportedSpaceError for a space of an unknown
    kind."""
    parts = columns_of(leaves(space))
    pictures = sum(math.prod(shape_of(part.space)) for part in parts if picture_of(part.space) is not None)
    return 4 * int(parts[-1].columns.stop) - 3 * pictures


def flatten_values(space: Space[Any], values: np.ndarray) -> np.ndarray:
    """Values (N, ...) of ``space`` to values (N, size) of ``flattened_space(space)``: whole numbers out of a set become
    one-hot, everything else is joined in the order of the space. Those of a Box or Discrete are returned as they are.

    A ``Flat`` space does for the one that it was made of.

    Raises:
        InputError: if a number is not in its set.
    """
    if isinstance(space, Box | Discrete) and not isinstance(space, Flat):
        return values
    flattened = space if isinstance(space, Flat) else Flat(space)
    vector = np.zeros((len(values), flattened.vector_size), flattened.vector_dtype)
    for part in flattened.parts:
        _flatten_leaf(vector[:, part.columns], part, leaf(values, part.path))
    if not flattened.pictures:
        return vector
    seen = [leaf(values, each.path).reshape(len(values), -1) for each in flattened.pictures]
    return np.concatenate([*seen, vector.view(np.uint8).reshape(len(values), -1)], axis=1, dtype=np.uint8)


def unflatten_values(space: Space[Any], flat: np.ndarray) -> np.ndarray:
    """Values (N, size) of ``flattened_space(space)`` back to values (N, ...) of ``space``, in its dtypes.

    A ``Flat`` space does for the one that it was made of.

    Raises:
        InputError: for another shape, or where a set of numbers has none that is marked.
    """
    if isinstance(space, Box | Discrete) and not isinstance(space, Flat):
        return flat
    flattened = space if isinstance(space, Flat) else Flat(space)
    stated = flattened.stated
    if flat.shape[1:] != flattened.shape:
        raise InputError(f"flat values of {brief(stated)} have the shape (N, {flattened.shape[0]}); found {flat.shape}")
    values, vector = np.empty(len(flat), array_dtype(stated)), flattened.vector_of(flat)
    for part in flattened.parts:
        leaf(values, part.path)[...] = _unflattened_leaf(vector[:, part.columns], part)
    for seen in flattened.pictures:
        leaf(values, seen.path)[...] = flat[:, seen.columns].reshape(len(flat), *shape_of(seen.space))
    return values


def flat_place(space: Space[Any], column: int) -> str:
    """Where the number at ``column`` comes from of an element as Gymnasium flattens it: element 1 of 'position'."""
    return _place(columns_of(leaves(space)), column)


def _place(parts: Iterable[Part], column: int) -> str:
    part = next(part for part in parts if column < part.columns.stop)
    return f"element {column - part.columns.start} of {said_of(part.path, 'it')}"


def _pictures(every: Iterable[tuple[Path, Space[Any]]]) -> list[PicturePart]:
    found, stop = [], 0
    for path, own in every:
        picture = picture_of(own)
        if picture is not None:
            start, stop = stop, stop + picture.size
            found.append(PicturePart(path, own, slice(start, stop), picture))
    return found


def _flatten_leaf(flat: np.ndarray, part: Part, values: np.ndarray) -> None:
    """Write the values (N, *shape) of one leaf into its columns (N, size) of the flat array, which are 0."""
    if not isinstance(part.space, Discrete | MultiDiscrete):
        flat[...] = values.reshape(flat.shape).astype(part.space.dtype, copy=False)
        return
    sizes, starts = number_sets(part.space)
    values = values.reshape(len(values), len(sizes))
    index = values.astype(np.int64) - starts
    outside = (index < 0) | (index >= sizes) | (index + starts != values)
    if outside.any():
        name, found = said_of(part.path, "an element"), values[outside][0]
        raise InputError(f"{name} is {found}, which {brief(part.space)} does not have")
    np.put_along_axis(flat, index + np.cumsum(sizes) - sizes, 1, axis=1)


def _unflattened_leaf(flat: np.ndarray, part: Part) -> np.ndarray:
    """The columns (N, size) of one leaf to its values (N, *shape), not yet in its dtype."""
    shape = (len(flat), *shape_of(part.space))
    if not isinstance(part.space, Discrete | MultiDiscrete):
        return flat.reshape(shape)
    sizes, starts = number_sets(part.space)
    chosen = np.empty((len(flat), len(sizes)), np.int64)
    for k, marked in enumerate(np.split(flat != 0, np.cumsum(sizes)[:-1], axis=1)):
        if not marked.any(axis=1).all():
            raise InputError(
                f"{said_of(part.path, 'an element')} marks none of the numbers that {brief(part.space)} has"
            )
        chosen[:, k] = marked.argmax(axis=1)
    values: np.ndarray = (chosen + starts).reshape(shape)
    return values
