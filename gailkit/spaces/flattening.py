"""Every space as one vector of numbers, as Gymnasium flattens it, but for all elements at once."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete, flatten_space

from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.spaces.structure import Path, array_dtype, brief, leaf, leaves, said_of, shape_of

MAX_FLAT_SIZE = 2**26


def flattened_space(space: Space[Any]) -> Space[Any]:
    """The Box of one dimension that Gymnasium flattens ``space`` to; a Box or Discrete is returned as it is.

    Raises:
        UnsupportedSpaceError: for a space of another kind, or one whose vector would be longer than MAX_FLAT_SIZE.
    """
    size = flat_size(space)
    if isinstance(space, Box | Discrete):
        return space
    if size > MAX_FLAT_SIZE:
        raise UnsupportedSpaceError(
            f"the space {brief(space)} is not supported: flattened it has {size} numbers, accepted are {MAX_FLAT_SIZE}"
        )
    flat = flatten_space(space)
    assert isinstance(flat, Box)
    return flat


def flat_size(space: Space[Any]) -> int:
    """How many numbers an element has once it is flat; UnsupportedSpaceError for a space of an unknown kind."""
    return int(_columns(space)[-1].columns.stop)


def flatten_values(space: Space[Any], values: np.ndarray) -> np.ndarray:
    """Values (N, ...) of ``space`` to values (N, size) of ``flattened_space(space)``: whole numbers out of a set become
    one-hot, everything else is joined in the order of the space. Those of a Box or Discrete are returned as they are.

    Raises:
        InputError: if a number is not in its set.
    """
    if isinstance(space, Box | Discrete):
        return values
    parts = _columns(space)
    flat = np.zeros((len(values), parts[-1].columns.stop), flattened_space(space).dtype)
    for part in parts:
        _flatten_leaf(flat[:, part.columns], part, leaf(values, part.path))
    return flat


def unflatten_values(space: Space[Any], flat: np.ndarray) -> np.ndarray:
    """Values (N, size) of ``flattened_space(space)`` back to values (N, ...) of ``space``, in its dtypes.

    Raises:
        InputError: for another shape, or where a set of numbers has none that is marked.
    """
    if isinstance(space, Box | Discrete):
        return flat
    parts = _columns(space)
    if flat.shape[1:] != (parts[-1].columns.stop,):
        raise InputError(
            f"flat values of {brief(space)} have the shape (N, {parts[-1].columns.stop}); found {flat.shape}"
        )
    values = np.empty(len(flat), array_dtype(space))
    for part in parts:
        leaf(values, part.path)[...] = _unflattened_leaf(flat[:, part.columns], part)
    return values


def flat_place(space: Space[Any], column: int) -> str:
    """Where the number at ``column`` of a flattened element comes from, in words: element 1 of 'position'."""
    part = next(part for part in _columns(space) if column < part.columns.stop)
    return f"element {column - part.columns.start} of {said_of(part.path, 'it')}"


class _Part(NamedTuple):
    """A leaf and the columns that it takes in flat values."""

    path: Path
    space: Space[Any]
    columns: slice


def _columns(space: Space[Any]) -> list[_Part]:
    parts, stop = [], 0
    for path, own in leaves(space):
        start, stop = stop, stop + _flat_size(own)
        parts.append(_Part(path, own, slice(start, stop)))
    return parts


def _flat_size(leaf_space: Space[Any]) -> int:
    if isinstance(leaf_space, Discrete | MultiDiscrete):
        return sum(_sets(leaf_space)[0].tolist())
    return math.prod(shape_of(leaf_space))


def _sets(leaf_space: Discrete[Any] | MultiDiscrete[Any]) -> tuple[np.ndarray, np.ndarray]:
    """How many numbers each set has and with which it starts, (K,) int64 each; K is 1 for Discrete."""
    sizes = leaf_space.n if isinstance(leaf_space, Discrete) else leaf_space.nvec
    return np.array(sizes, np.int64).reshape(-1), np.array(leaf_space.start, np.int64).reshape(-1)


def _flatten_leaf(flat: np.ndarray, part: _Part, values: np.ndarray) -> None:
    """Write the values (N, *shape) of one leaf into its columns (N, size) of the flat array, which are 0."""
    if not isinstance(part.space, Discrete | MultiDiscrete):
        flat[...] = values.reshape(flat.shape).astype(part.space.dtype, copy=False)
        return
    sizes, starts = _sets(part.space)
    values = values.reshape(len(values), len(sizes))
    index = values.astype(np.int64) - starts
    outside = (index < 0) | (index >= sizes) | (index + starts != values)
    if outside.any():
        name, found = said_of(part.path, "an element"), values[outside][0]
        raise InputError(f"{name} is {found}, which {brief(part.space)} does not have")
    np.put_along_axis(flat, index + np.cumsum(sizes) - sizes, 1, axis=1)


def _unflattened_leaf(flat: np.ndarray, part: _Part) -> np.ndarray:
    """The columns (N, size) of one leaf to its values (N, *shape), not yet in its dtype."""
    shape = (len(flat), *shape_of(part.space))
    if not isinstance(part.space, Discrete | MultiDiscrete):
        return flat.reshape(shape)
    sizes, starts = _sets(part.space)
    chosen = np.empty((len(flat), len(sizes)), np.int64)
    for k, marked in enumerate(np.split(flat != 0, np.cumsum(sizes)[:-1], axis=1)):
        if not marked.any(axis=1).all():
            raise InputError(
                f"{said_of(part.path, 'an element')} marks none of the numbers that {brief(part.space)} has"
            )
        chosen[:, k] = marked.argmax(axis=1)
    values: np.ndarray = (chosen + starts).reshape(shape)
    return values
