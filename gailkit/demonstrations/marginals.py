"""Each feature of observations and actions by itself: which to look at, their values, and how often each occurs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MAX_STEPS = 200_000
MAX_NUMBERS = 10_000_000  # of one feature after another; where steps are images this is reached first
LARGEST = 1e100  # the square of a number beyond it, and sums of such squares, might overflow
SAME = 1e-9  # relative difference below which numbers are taken as one: a histogram could not part them


class Feature(NamedTuple):
    """One number of an observation or an action, K times."""

    at: tuple[int, ...]  # where in the array of one step; () for a scalar
    values: np.ndarray  # (K,) float64, or integers


class Marginals(NamedTuple):
    """The features that vary most, in their order in the array."""

    features: tuple[Feature, ...]
    total: int  # of features, shown or not
    constant: int  # of those, how many have the same value at every step


def marginals(arrays: Sequence[np.ndarray], most: int) -> Marginals:
    """The ``most`` features of ``arrays`` (L_i, *shape) that vary most, from at most ``MAX_STEPS`` of their rows."""
    shape = arrays[0].shape[1:]
    rows = evenly(arrays, fitting(shape))
    values = rows.reshape(len(rows), -1)
    if values.dtype.kind == "f":
        values = values.astype(np.float64).clip(-LARGEST, LARGEST)
    spread = values.std(axis=0, dtype=np.float64)
    chosen = sorted(np.argsort(-spread, kind="stable")[:most].tolist())
    features = tuple(
        Feature(tuple(map(int, np.unravel_index(at, shape))) if shape else (), values[:, at]) for at in chosen
    )
    return Marginals(features, values.shape[1], int((values == values[0]).all(axis=0).sum()))


def fitting(shape: Sequence[int]) -> int:
    """How many arrays of ``shape`` are looked at, at most."""
    return max(1, min(MAX_STEPS, MAX_NUMBERS // max(1, int(np.prod(shape)))))


def evenly(arrays: Sequence[np.ndarray], most: int) -> np.ndarray:
    """``most`` rows of all ``arrays``, or all there are, at even distances, the first and the last among them."""
    stops = np.cumsum([len(array) for array in arrays])
    chosen = even_rows(int(stops[-1]), most)
    parts = np.split(chosen, np.searchsorted(chosen, stops[:-1]))
    return np.concatenate(
        [array[part - stop + len(array)] for array, part, stop in zip(arrays, parts, stops, strict=True)]
    )


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
