"""Each feature of observations and actions by itself: which to look at, their values, and how often each occurs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from gailkit.types import parts_of

MAX_STEPS = 200_000
MAX_BYTES = 64 * 2**20  # of the steps that are looked at; where they are images this is reached first
LARGEST = 1e100  # squares of larger numbers, and sums of them, might overflow
SAME = 1e-9  # relative difference below which numbers are taken as one: a histogram could not part them


class Sample(NamedTuple):
    """K rows of many episodes, and where each is from."""

    rows: np.ndarray  # (K, *shape), structured where the space is a Dict or a Tuple
    episodes: np.ndarray  # (K,) int64
    steps: np.ndarray  # (K,) int64
    total: int  # rows that there are


class Leaf(NamedTuple):
    """The plain array of one part of a space."""

    path: tuple[str, ...]  # the fields that lead to it, () where the space has no parts
    values: np.ndarray  # (K, *shape)


class Feature(NamedTuple):
    """One number of an observation or an action, K times."""

    path: tuple[str, ...]  # of its leaf
    at: tuple[int, ...]  # where in the array of the leaf; () for a scalar
    values: np.ndarray  # (K,) float64, or whole numbers


class Marginals(NamedTuple):
    """The features that vary most, in the order they have."""

    features: tuple[Feature, ...]
    total: int  # of features, shown or not
    constant: int  # of those, how many have the same value at every step


def sample(arrays: Iterable[np.ndarray], lengths: np.ndarray) -> Sample:
    """Rows of ``arrays`` of these ``lengths`` (N,) at even distances, the first and the last among them.

    All that there are, or as many as ``MAX_STEPS`` and ``MAX_BYTES`` allow. One array at a time is in memory.
    """
    remaining = iter(arrays)
    first = next(remaining)
    most = max(1, min(MAX_STEPS, MAX_BYTES // max(1, first[:1].nbytes)))
    stops = np.cumsum(lengths)
    chosen = even_rows(int(stops[-1]), most)
    episodes = np.searchsorted(stops, chosen, side="right")
    steps = chosen - stops[episodes] + lengths[episodes]
    of_each = np.split(steps, np.searchsorted(episodes, np.arange(1, len(stops))))
    rows = [array[own] for array, own in zip(chain([first], remaining), of_each, strict=True)]
    return Sample(np.concatenate(rows), episodes, steps, int(stops[-1]))


def leaves(values: np.ndarray) -> list[Leaf]:
    """The plain arrays that ``values`` (K, ...) consists of."""
    return [Leaf(*part) for part in parts_of(values)]


def marginals(parts: Sequence[Leaf], most: int) -> Marginals:
    """The ``most`` features of all ``parts`` that vary most."""
    features = [feature for part in parts for feature in _features(part)]
    spread = np.array([feature.values.std(dtype=np.float64) for feature in features])
    chosen = sorted(np.argsort(-spread, kind="stable")[:most].tolist())
    constant = sum(bool((feature.values == feature.values[0]).all()) for feature in features)
    return Marginals(tuple(features[index] for index in chosen), len(features), constant)


def _features(part: Leaf) -> list[Feature]:
    shape = part.values.shape[1:]
    values = part.values.astype(np.int64) if part.values.dtype.kind == "b" else part.values
    if values.dtype.kind == "f":
        values = values.astype(np.float64).clip(-LARGEST, LARGEST)
    columns = np.ascontiguousarray(values.reshape(len(values), -1).T)
    return [Feature(part.path, at, column) for at, column in zip(np.ndindex(shape), columns, strict=True)]


def even_rows(total: int, most: int) -> np.ndarray:
    """At most ``most`` of the numbers from 0 to ``total`` - 1 at even distances, ascending (K,) int64."""
    return np.linspace(0, total - 1, min(most, total)).round().astype(np.int64)


def binned(values: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts (k,) and edges (k + 1,) of about ``bins`` equal bins over ``values``; whole numbers are never parted.

    Values that are all the same get one bin with them in its middle.
    """
    low, high = values.min(), values.max()
    if values.dtype.kind != "f":
        first, span = int(low), int(high) - int(low) + 1
        width = -(-span // bins)
        edges = first - 0.5 + width * np.arange(-(-span // width) + 1, dtype=np.float64)
    elif high - low <= max(SAME * max(abs(low), abs(high)), 1e-300):
        edges = low + np.array([-0.5, 0.5]) * max(1.0, abs(low) / 10)
    else:
        edges = np.linspace(low, high, bins + 1)
    return np.histogram(values, edges)[0], edges
