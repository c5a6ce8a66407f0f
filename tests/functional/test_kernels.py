"""The maximum mean discrepancy against its definition, pair by pair, and against what it estimates."""

from __future__ import annotations

import numpy as np
import pytest

from gailkit.functional.kernels import MOST_FOR_MEDIAN, episode_kernel, median_distance, mmd_squared

LENGTHS = np.array([3, 1, 4, 2, 5])


def kernel(x: np.ndarray, y: np.ndarray, scale: float) -> float:
    return float(np.exp(-((x - y) ** 2).sum() / (2 * scale**2)))


def discrepancy(rows: np.ndarray, lengths: np.ndarray, labels: np.ndarray, scale: float) -> np.ndarray:
    """``mmd_squared`` of labels (E,) or (E, B)."""
    sums = episode_kernel(rows, np.repeat(np.arange(len(lengths)), lengths), scale)
    return mmd_squared(sums, lengths, labels.reshape(len(lengths), -1))


def test_sums_are_those_of_every_pair_of_steps() -> None:
    rows = np.random.default_rng(0).normal(size=(LENGTHS.sum(), 2))
    episodes = np.repeat(np.arange(5), LENGTHS)
    sums = episode_kernel(rows, episodes, 1.5)
    for first in range(5):
        for second in range(5):
            pairs = [kernel(x, y, 1.5) for x in rows[episodes == first] for y in rows[episodes == second]]
            assert sums[first, second] == pytest.approx(sum(pairs))


def test_it_is_the_double_loop_over_steps_of_different_episodes() -> None:
    rows = np.random.default_rng(1).normal(size=(LENGTHS.sum(), 2))
    episode = np.repeat(np.arange(5), LENGTHS)
    labels = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0], [0, 0, 1], [0, 0, 1]], dtype=bool)
    found = discrepancy(rows, LENGTHS, labels, 0.8)
    for column, of_x in enumerate(labels.T):
        values: dict[tuple[bool, bool], list[float]] = {}
        for i, x in enumerate(rows):
            for j, y in enumerate(rows):
                if episode[i] != episode[j]:
                    group = (bool(of_x[episode[i]]), bool(of_x[episode[j]]))
                    values.setdefault(group, []).append(kernel(x, y, 0.8))
        expected = np.mean(values[True, True]) + np.mean(values[False, False]) - 2 * np.mean(values[True, False])
        assert found[column] == pytest.approx(expected, abs=1e-12)


def test_of_two_points_it_is_twice_what_the_kernel_lacks_of_1() -> None:
    rows = np.repeat([[0.0, 0.0], [3.0, 4.0]], 6, axis=0)
    labels = np.array([True, True, False, False])
    (found,) = discrepancy(rows, np.full(4, 3), labels, 5.0)
    assert found == pytest.approx(2 - 2 * np.exp(-25 / 50))
    assert discrepancy(np.zeros((12, 2)), np.full(4, 3), labels, 5.0) == [0.0]


def test_its_mean_over_many_draws_is_0_where_both_sides_are_alike_however_alike_the_steps_of_an_episode() -> None:
    random = np.random.default_rng(2)
    labels = np.arange(7) < 3
    found = [
        discrepancy(random.normal(size=(28, 1)) * 0.1 + np.repeat(random.normal(size=(7, 1)), 4, axis=0),
                    np.full(7, 4), labels, 1.0)[0]
        for _ in range(1500)
    ]  # fmt: skip
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 3.5 * error
    assert error < 0.008  # pairs within an episode would add about 0.1


def test_which_group_is_called_the_first_does_not_matter() -> None:
    rows = np.random.default_rng(3).normal(size=(LENGTHS.sum(), 2))
    labels = np.array([True, False, True, False, False])
    assert discrepancy(rows, LENGTHS, labels, 1.0) == pytest.approx(discrepancy(rows, LENGTHS, ~labels, 1.0))


def test_the_median_distance_by_hand_and_of_many_rows_by_a_part_of_them() -> None:
    assert median_distance(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])) == 5.0  # of 5, 5 and 10
    assert median_distance(np.zeros((1, 3))) == 0.0
    many = np.random.default_rng(4).normal(size=(MOST_FOR_MEDIAN * 3, 1))
    # the difference of two standard normal numbers has the deviation sqrt 2, and its size the median 0.6745 sqrt 2
    assert median_distance(many) == pytest.approx(0.6745 * np.sqrt(2), rel=0.07)
    two = np.repeat([[0.0], [1.0]], [MOST_FOR_MEDIAN * 2, MOST_FOR_MEDIAN], axis=0)  # the last third is seen too
    assert median_distance(np.concatenate([two, two + 100])) > 90
