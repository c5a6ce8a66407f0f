"""Distances between clouds of points against POT, closed forms and the axioms of a metric."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gailkit.errors import InputError
from gailkit.functional.transport import random_directions, sliced_wasserstein, wasserstein

Distance = Callable[[np.ndarray, np.ndarray], float]

COORDINATES = st.integers(-50, 50).map(lambda value: value / 8)
CLOUDS = arrays(np.float64, (5, 2), elements=COORDINATES)


def points(seed: int, count: int, dimensions: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dimensions)) * np.arange(1, dimensions + 1)


def sliced(x: np.ndarray, y: np.ndarray) -> float:
    return sliced_wasserstein(x, y, random_directions(50, x.shape[1], np.random.default_rng(0)))


@pytest.mark.parametrize("dimensions", [1, 2, 7])
@pytest.mark.parametrize(("n", "m"), [(60, 60), (40, 25), (1, 9), (1, 1)])
def test_the_distance_is_that_of_pot(n: int, m: int, dimensions: int) -> None:
    x, y = points(1, n, dimensions), points(2, m, dimensions) + 0.5
    expected = ot.emd2(np.full(n, 1 / n), np.full(m, 1 / m), ot.dist(x, y, metric="euclidean"))
    assert wasserstein(x, y) == pytest.approx(expected, abs=1e-6)


def test_points_that_come_more_than_once_weigh_more() -> None:
    x = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [4.0, 0.0]])
    y = np.array([[0.0, 3.0], [4.0, 3.0]])
    # 1/2 goes up by 3 from the left, 1/4 up from the right, and 1/4 from (0, 0) to (4, 3) by 5
    assert wasserstein(x, y) == pytest.approx(0.75 * 3 + 0.25 * 5)


def test_on_a_line_it_is_the_mean_difference_of_the_sorted_values() -> None:
    x, y = np.array([[5.0], [1.0], [3.0]]), np.array([[0.0], [2.0], [7.0]])
    assert wasserstein(x, y) == pytest.approx((abs(1 - 0) + abs(3 - 2) + abs(5 - 7)) / 3)
    uniform = (np.arange(1000)[:, None] + 0.5) / 1000  # W1 of U(0, 1) from U(0, 3): the mean of 2 u
    assert wasserstein(uniform, 3 * uniform) == pytest.approx(1.0)


@pytest.mark.parametrize("shift", [[3.0, -4.0], [0.01, 0.0], [0.0, 0.0]])
def test_a_shift_of_all_points_is_as_far_as_the_shift(shift: list[float]) -> None:
    x = points(3, 50, 2)
    assert wasserstein(x, x + shift) == pytest.approx(np.hypot(*shift), abs=1e-12)


@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("distance", [wasserstein, sliced])
@given(CLOUDS, CLOUDS, CLOUDS)
def test_it_is_a_metric_that_knows_no_order(distance: Distance, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
    there = distance(x, y)
    assert there >= 0
    assert distance(x, x[::-1].copy()) == pytest.approx(0, abs=1e-12)
    assert distance(y, x) == pytest.approx(there, abs=1e-9)
    assert there <= distance(x, z) + distance(z, y) + 1e-9
    assert distance(x[[2, 4, 0, 1, 3]], y + 0.0) == pytest.approx(there, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(CLOUDS, arrays(np.float64, (3, 2), elements=COORDINATES), st.floats(0.1, 10))
def test_it_has_the_unit_of_the_points_and_means_bound_it(x: np.ndarray, y: np.ndarray, factor: float) -> None:
    there = wasserstein(x, y)
    assert wasserstein(factor * x, factor * y) == pytest.approx(factor * there, rel=1e-6, abs=1e-6)
    assert there >= np.linalg.norm(x.mean(axis=0) - y.mean(axis=0)) - 1e-6  # Jensen
    assert sliced(x, y) <= there + 1e-6


def test_slices_of_a_shift_see_its_part_along_each_direction() -> None:
    x, shift = points(4, 30, 3), np.array([1.0, -2.0, 0.5])
    directions = random_directions(20, 3, np.random.default_rng(1))
    assert sliced_wasserstein(x, x + shift, directions) == pytest.approx(np.abs(directions @ shift).mean())
    axes = np.eye(3)
    assert sliced_wasserstein(x, x + shift, axes) == pytest.approx((1 + 2 + 0.5) / 3)


def test_in_one_dimension_slices_are_exact_and_in_a_hundred_a_shift_has_the_size_that_is_promised() -> None:
    x, y = points(5, 30, 1), points(6, 20, 1)
    assert sliced(x, y) == pytest.approx(wasserstein(x, y))
    directions = random_directions(4000, 100, np.random.default_rng(2))
    far = points(7, 5, 100)
    promised = 3 * np.sqrt(2 / (np.pi * 100))
    assert sliced_wasserstein(far, far + 3 * np.eye(100)[0], directions) == pytest.approx(promised, rel=0.05)


def test_directions_are_unit_vectors_without_a_preference() -> None:
    directions = random_directions(20_000, 3, np.random.default_rng(3))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    np.testing.assert_allclose(directions.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(directions.T @ directions / 20_000, np.eye(3) / 3, atol=0.02)


@pytest.mark.parametrize("distance", [wasserstein, sliced])
@pytest.mark.parametrize(
    ("x", "y", "found"),
    [
        (np.zeros((0, 2)), np.zeros((3, 2)), r"none empty; found \(0, 2\) and \(3, 2\)"),
        (np.zeros((3, 2)), np.zeros((0, 2)), r"found \(3, 2\) and \(0, 2\)"),
        (np.zeros((3, 2)), np.zeros((3, 4)), r"of one D are needed.*found \(3, 2\) and \(3, 4\)"),
        (np.array([[0.0, np.nan]]), np.zeros((3, 2)), "must be finite; found NaN or infinity"),
        (np.zeros((3, 2)), np.array([[0.0, np.inf]]), "must be finite; found NaN or infinity"),
    ],
)
def test_what_is_no_pair_of_clouds_is_refused(distance: Distance, x: np.ndarray, y: np.ndarray, found: str) -> None:
    with pytest.raises(InputError, match=found):
        distance(x, y)


@pytest.mark.parametrize("shape", [(0, 2), (5, 3), (2,)])
def test_directions_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"directions must have shape \(P, 2\), P at least 1; found \("):
        sliced_wasserstein(np.zeros((3, 2)), np.zeros((3, 2)), np.ones(shape))
