"""Maximum mean discrepancy between two groups of episodes, and the kernel it is made from."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist, pdist

MOST_FOR_MEDIAN = 1000


def median_distance(rows: np.ndarray) -> float:
    """The median Euclidean distance between ``rows`` (N, D), of at most MOST_FOR_MEDIAN of them at even distances."""
    few = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_FOR_MEDIAN)).round().astype(int)]
    return float(np.median(pdist(few))) if len(few) > 1 else 0.0


def episode_kernel(rows: np.ndarray, episodes: np.ndarray, scale: float) -> np.ndarray:
    """Sums (E, E) of exp(-|x - y|^2 / (2 scale^2)) over the steps of each pair of episodes.

    ``rows`` (N, D) are steps, those of an episode one after another; ``episodes`` (N,) counts them from 0.
    """
    starts = np.flatnonzero(np.diff(episodes, prepend=-1))
    parts = []
    for own in np.split(rows, starts[1:]):
        values = np.exp(-cdist(own, rows, "sqeuclidean") / (2 * scale**2)).sum(axis=0)
        parts.append(np.add.reduceat(values, starts))
    return np.array(parts)


def mmd_squared(sums: np.ndarray, steps: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """E k(x, x') + E k(y, y') - 2 E k(x, y), (B,), over pairs of steps of different episodes (Gretton et al. 2012,
    lemma 6); without bias where episodes are independent, so that it may be negative.

    ``sums`` (E, E) are those of ``episode_kernel``, ``steps`` (E,) the lengths, ``labels`` (E, B) bool the groups, each
    of at least two episodes.
    """
    apart = ~np.eye(len(steps), dtype=bool)
    kernel, pairs = sums * apart, np.outer(steps, steps) * apart
    of_x = labels.astype(np.float64)
    of_y = 1 - of_x

    def mean(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        value: np.ndarray = (first * (kernel @ second)).sum(axis=0) / (first * (pairs @ second)).sum(axis=0)
        return value

    squared: np.ndarray = mean(of_x, of_x) + mean(of_y, of_y) - 2 * mean(of_x, of_y)
    return squared
