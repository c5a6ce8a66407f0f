"""Which part of one cloud of points another one reaches, by nearest neighbours."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from gailkit.errors import InputError


def neighbour_distances(points: np.ndarray, cloud: np.ndarray, k: int) -> np.ndarray:
    """Euclidean distance (n,) from each of ``points`` (n, D) to its ``k``-th nearest in ``cloud`` (m, D).

    Raises:
        InputError: if the cloud has fewer than k points, or k is below 1.
    """
    if not 1 <= k <= len(cloud):
        raise InputError(f"the k-th neighbour needs k from 1 to the {len(cloud)} points there are; found {k}")
    distances: np.ndarray = KDTree(cloud).query(points, k=[k])[0][:, 0]
    return distances


def reached(points: np.ndarray, others: np.ndarray, cloud: np.ndarray, k: int, least: float = 0.0) -> float:
    """Share of ``points`` (n, D) with one of ``cloud`` (l, D) no further away than their k-th nearest of ``others``
    (m, D), or than ``least``: the coverage of Naeem et al. 2020, with radii from points that are independent of those
    they surround.
    """
    radii = neighbour_distances(points, others, k).clip(least)
    return float(np.mean(neighbour_distances(points, cloud, 1) <= radii))


def within(points: np.ndarray, cloud: np.ndarray, others: np.ndarray, k: int, least: float = 0.0) -> float:
    """Share of ``points`` (n, D) that lie in the ball around their nearest of ``cloud`` (m, D), whose radius is the
    distance of that one to its k-th nearest of ``others`` (l, D), or ``least``: the precision of Kynkäänniemi et al.
    2019, in a form that costs no search through all balls.
    """
    distances, nearest = KDTree(cloud).query(points)
    radii = neighbour_distances(cloud, others, k).clip(least)
    return float(np.mean(distances <= radii[nearest]))
