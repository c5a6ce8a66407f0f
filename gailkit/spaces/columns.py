"""Which columns of one vector the parts of a space take, where it is flattened as Gymnasium does it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Discrete, MultiDiscrete

from gailkit.spaces.structure import Path, shape_of


class Part(NamedTuple):
    """A leaf and the columns that it takes in flat values."""

    path: Path
    space: Space[Any]
    columns: slice


def columns_of(parts: Iterable[tuple[Path, Space[Any]]]) -> list[Part]:
    """Leaves, as ``leaves`` has them, with their columns in one vector of them all, in their order."""
    placed, stop = [], 0
    for path, own in parts:
        start, stop = stop, stop + _flat_size(own)
        placed.append(Part(path, own, slice(start, stop)))
    return placed


def number_sets(leaf_space: Discrete[Any] | MultiDiscrete[Any]) -> tuple[np.ndarray, np.ndarray]:
    """How many numbers each set has and with which it starts, (K,) int64 each; K is 1 for Discrete."""
    sizes = leaf_space.n if isinstance(leaf_space, Discrete) else leaf_space.nvec
    return np.array(sizes, np.int64).reshape(-1), np.array(leaf_space.start, np.int64).reshape(-1)


def _flat_size(leaf_space: Space[Any]) -> int:
    if isinstance(leaf_space, Discrete | MultiDiscrete):
        return sum(number_sets(leaf_space)[0].tolist())
    return math.prod(shape_of(leaf_space))
