"""Where Minari keeps the parts of an observation or action below the group of an episode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gymnasium import Space
from gymnasium.spaces import Tuple

from gailkit.spaces.structure import Path, subspaces

FILE = "main_data.hdf5"
MARKS = ("rewards", "terminations", "truncations")  # one number a step each


class Side(NamedTuple):
    """Observations, or actions."""

    space: Space[Any] | None  # None where the data set does not state it
    members: tuple[tuple[Path, str], ...]  # the leaves of the space, and the array that each is stored in


def side(space: Space[Any] | None, name: str) -> Side:
    """Elements of ``space`` that are stored below the member ``name``."""
    return Side(space, tuple(_members(space, name)))


def _members(space: Space[Any] | None, name: str) -> Iterator[tuple[Path, str]]:
    parts = {} if space is None else subspaces(space)
    if not parts:
        yield (), name
    for key, part in parts.items():
        below = f"_index_{key}" if isinstance(space, Tuple) else key
        for path, member in _members(part, f"{name}/{below}"):
            yield (key, *path), member
