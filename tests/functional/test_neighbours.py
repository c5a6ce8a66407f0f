"""Nearest neighbours against counting by hand and against sorting all distances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gailkit.errors import InputError
from gailkit.functional.neighbours import neighbour_distances, reached, within


def line(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


@pytest.mark.parametrize("k", [1, 2, 7])
def test_the_kth_neighbour_is_the_kth_of_all_sorted_distances(k: int) -> None:
    random = np.random.default_rng(0)
    points, cloud = random.normal(size=(20, 3)), random.normal(size=(7, 3))
    np.testing.assert_allclose(neighbour_distances(points, cloud, k), np.sort(cdist(points, cloud), axis=1)[:, k - 1])


@pytest.mark.parametrize("k", [0, 3])
def test_a_neighbour_that_there_is_not_is_refused(k: int) -> None:
    with pytest.raises(InputError, match=rf"k from 1 to the 2 points there are; found {k}"):
        neighbour_distances(line(0), line(1, 2), k)


def test_a_point_is_reached_from_as_far_as_its_kth_neighbour() -> None:
    points, others = line(0, 10), line(1, 3, 11, 15)  # first neighbours at 1 and 1, second ones at 3 and 5
    assert reached(points, others, line(0.9), 1) == 0.5
    assert reached(points, others, line(1.0), 1) == 0.5  # no further away: a tie counts
    assert reached(points, others, line(1.1), 1) == 0.0
    assert reached(points, others, line(2.9), 2) == 0.5
    assert reached(points, others, line(5.5), 2) == 0.5  # 4.5 from 10, which is within 5, and 5.5 from 0
    assert reached(points, others, line(-1, 11), 1) == 1.0


def test_a_point_lies_within_the_ball_of_its_nearest() -> None:
    cloud, others = line(0, 10), line(1, 3, 11, 15)
    assert within(line(0.5, 2, 9.5, 12), cloud, others, 1) == 0.5  # 2 is too far from 0, 12 from 10
    assert within(line(0.5, 3, 9.5, 15), cloud, others, 2) == 1.0  # as far as the second neighbours of 0 and 10
    assert within(line(0.5, 3.1, 9.5, 15.1), cloud, others, 2) == 0.5


def test_what_is_as_near_as_the_least_is_near_whatever_the_neighbours_are() -> None:
    points, others = line(0, 10), line(0, 0, 10, 13)  # second neighbours at 0 and 3
    assert reached(points, others, line(0.5, 12), 2) == 0.5
    assert reached(points, others, line(0.5, 12), 2, least=0.5) == 1.0
    assert reached(points, others, line(0.6, 12), 2, least=0.5) == 0.5
    assert within(line(0.5, 12), points, others, 2) == 0.5
    assert within(line(0.5, 12), points, others, 2, least=0.5) == 1.0
    assert within(line(0.6, 12), points, others, 2, least=0.5) == 0.5


def test_of_one_distribution_as_many_are_reached_as_the_order_of_distances_says() -> None:
    """Of m others and m tries alike the nearest is a try, not beaten by k others, with 1 - 2^-k."""
    random = np.random.default_rng(1)
    points, others, tries = random.normal(size=(3, 4000, 2))
    assert reached(points, others, tries, 1) == pytest.approx(1 / 2, abs=0.03)
    assert reached(points, others, tries, 3) == pytest.approx(1 - 2**-3, abs=0.03)
