"""Many elements of a space as one numpy array.

Elements of a Dict or a Tuple are held in a structured array that is nested as the space is, its fields in the order of
the space (those of a Tuple are called "0", "1", ...): slices, concatenations and comparisons of bytes then work for
every space alike, and an image inside stays uint8. The *leaves* of a space are the Boxes, Discretes, MultiDiscretes
and MultiBinaries in it; a *path* is the fields that lead to one, () for a space that is a leaf itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.errors import InputError, UnsupportedSpaceError

STORABLE = "Box, Discrete, MultiDiscrete, MultiBinary, and Dict and Tuple of these"

LONGEST_SAID = 200  # letters of a space or an array in a message

Path = tuple[str, ...]


def subspaces(space: Space[Any], path: Path = ()) -> dict[str, Space[Any]]:
    """The spaces that a Dict or Tuple consists of, by the names of their fields; none for a leaf.

    Args:
        path: where ``space`` lies in another, for what is said.

    Raises:
        UnsupportedSpaceError: for any other space, and for a Dict or Tuple that no array can hold.
    """
    if isinstance(space, Box | Discrete | MultiDiscrete | MultiBinary):
        return {}
    if isinstance(space, Dict):
        named = dict(space.spaces)
    elif isinstance(space, Tuple):
        named = {str(index): part for index, part in enumerate(space.spaces)}
    else:
        raise UnsupportedSpaceError(
            f"the space {brief(space)}{_within(path)} is not supported; supported are {STORABLE}"
        )
    if not named or not all(isinstance(name, str) and name and name.isprintable() for name in named):
        raise UnsupportedSpaceError(
            f"the space {brief(space)}{_within(path)} is not supported: it needs at least one part, and names of "
            "printable characters"
        )
    return named


def is_composite(space: Space[Any]) -> bool:
    """Whether elements of ``space`` are held in a structured array."""
    return isinstance(space, Dict | Tuple)


def leaves(space: Space[Any]) -> list[tuple[Path, Space[Any]]]:
    """Path and space of every leaf, in the order of the space.

    Raises:
        UnsupportedSpaceError: if one of them is of a kind that is not supported, or holds no number.
    """
    found = _leaves(space, ())
    for path, own in found:
        if 0 in shape_of(own):
            raise UnsupportedSpaceError(
                f"the space {brief(space)} is not supported: {said_of(path, 'an element')} holds no number, "
                f"as its shape is {shape_of(own)}"
            )
    return found


def shape_of(leaf_space: Space[Any]) -> tuple[int, ...]:
    """The shape of one element of a leaf, () for Discrete."""
    return tuple(leaf_space.shape or ())


def array_dtype(space: Space[Any]) -> np.dtype[Any]:
    """The dtype of one element: ``np.empty(N, array_dtype(space))`` holds N elements of any supported space.

    That is a structured dtype for Dict and Tuple, (dtype, shape) for a leaf.
    """
    parts = subspaces(space)
    if not parts:
        return np.dtype((space.dtype, shape_of(space)))
    return np.dtype([(name, array_dtype(part)) for name, part in parts.items()])


def leaf(values: np.ndarray, path: Path) -> np.ndarray:
    """The field at ``path`` of structured values (N,), as a view (N, *shape of the leaf)."""
    for name in path:
        values = values[name]
    return values


def assemble(space: Space[Any], arrays: Mapping[Path, np.ndarray]) -> np.ndarray:
    """Values (N, ...) of ``space`` from the arrays (N, *shape) of its leaves; the inverse of ``leaf``.

    The arrays keep the dtypes they have, so that nothing is rounded to those of the space.

    Raises:
        InputError: if a leaf has no array, an array no leaf, or shapes differ from those of the space.
    """
    expected = dict(leaves(space))
    if arrays.keys() != expected.keys():
        raise InputError(
            f"a space of {_names(expected)} is assembled from one array for each; found arrays of {_names(arrays)}"
        )
    count = len(next(iter(arrays.values())))
    for path, own in expected.items():
        if arrays[path].shape != (count, *shape_of(own)):
            raise InputError(
                f"{said_of(path, 'the array')} must have the shape {(count, *shape_of(own))}; "
                f"found {arrays[path].shape}"
            )
    if not is_composite(space):
        return arrays[()]
    values = np.empty(count, _held_dtype(space, arrays, ()))
    for path, array in arrays.items():
        leaf(values, path)[...] = array
    return values


def said_of(path: Path, whole: str) -> str:
    """A leaf in a message: its path, or ``whole`` where the space is one leaf."""
    return repr("/".join(path)) if path else whole


def brief(thing: object) -> str:
    """A space, an array or what else a message names, in one line and cut short where it is long."""
    text = str(thing).replace("\n", "")
    return text if len(text) <= LONGEST_SAID else f"{text[: LONGEST_SAID - 3]}..."


def _leaves(space: Space[Any], path: Path) -> list[tuple[Path, Space[Any]]]:
    parts = subspaces(space, path)
    if not parts:
        return [(path, space)]
    return [found for name, part in parts.items() for found in _leaves(part, (*path, name))]


def _within(path: Path) -> str:
    return f" of {said_of(path, '')}" if path else ""


def _held_dtype(space: Space[Any], arrays: Mapping[Path, np.ndarray], path: Path) -> np.dtype[Any]:
    parts = subspaces(space)
    if not parts:
        return np.dtype((arrays[path].dtype, shape_of(space)))
    return np.dtype([(name, _held_dtype(part, arrays, (*path, name))) for name, part in parts.items()])


def _names(paths: Mapping[Path, Any]) -> str:
    return ", ".join(said_of(path, "one part") for path in paths) or "nothing"
