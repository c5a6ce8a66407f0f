"""Lengths and terminations: means by hand, and p that is right."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from gailkit.evaluation import endings as module
from gailkit.evaluation.endings import Ends, compare_endings


def ends(lengths: list[int] | np.ndarray, terminated: list[int] | np.ndarray) -> Ends:
    return Ends(np.asarray(lengths, np.int64), np.asarray(terminated, np.bool_))


def test_means_are_those_of_each_side() -> None:
    found = compare_endings(ends([10, 20, 60], [1, 1, 0]), ends([500] * 4, [0] * 4), ends([8, 9], [1, 1]))
    assert (found.length.value, found.expert_length, found.random_length.value) == (30, (500, 500, 500), 8.5)
    assert found.terminated.value == pytest.approx(2 / 3)
    assert (found.expert_terminated, found.random_terminated) == ((0, 0, 0), (1, 1, 1))
    assert 10 <= found.length.low < 30 < found.length.high <= 60
    assert 0 == found.terminated.low < found.terminated.high == 1


def test_the_interval_is_that_of_the_mean_over_episodes() -> None:
    lengths = np.random.default_rng(0).integers(0, 100, 400)
    found = compare_endings(ends(lengths, lengths < 50), ends([1], [0]), ends([1], [0]))
    for estimate, values in ((found.length, lengths), (found.terminated, lengths < 50)):
        half = 1.96 * values.std() / 20
        assert (estimate.high - estimate.low) / 2 == pytest.approx(half, rel=0.1)


@pytest.mark.parametrize("sign", [1, -1])
def test_p_is_the_share_of_divisions_that_are_as_far_apart_either_way(sign: int) -> None:
    lengths = 50 + sign * np.array([9, 4, 7, 0, 1, 5, 2, 3])
    terminated = np.array([1, 1, 1, 0, 0, 1, 0, 0])
    found = compare_endings(ends(lengths[:3], terminated[:3]), ends(lengths[3:], terminated[3:]), ends([1], [0]))
    for p, values in ((found.length_p, lengths), (found.terminated_p, terminated)):

        def apart(chosen: tuple[int, ...], values: np.ndarray = values) -> float:
            return abs(float(values[list(chosen)].mean() - np.delete(values, chosen).mean()))

        every = [apart(chosen) for chosen in combinations(range(8), 3)]
        assert p == pytest.approx(np.mean([each >= apart((0, 1, 2)) - 1e-9 for each in every]), abs=0.03)


def test_p_is_uniform_where_the_sides_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PERMUTATIONS", 99)
    random = np.random.default_rng(0)
    found = []
    for seed in range(120):
        lengths = random.integers(1, 10_000, 20)
        found.append(compare_endings(ends(lengths[:8], [1] * 8), ends(lengths[8:], [1] * 12), ends([1], [0]), seed))
    assert np.mean([each.length_p for each in found]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([each.length_p <= 0.1 for each in found]) == pytest.approx(0.1, abs=0.1)
    assert {each.terminated_p for each in found} == {1.0}


def test_one_episode_a_side_is_enough() -> None:
    found = compare_endings(ends([5], [1]), ends([7], [0]), ends([5], [1]))
    assert (found.length, found.length_p, found.terminated_p) == ((5, 5, 5), 1.0, 1.0)


def test_the_order_of_the_episodes_moves_no_interval_and_the_seed_decides() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(1, 100, 15)
    sides = ends(lengths, lengths < 40), ends([50] * 5, [1] * 5), ends([9, 8], [1, 0])
    found = compare_endings(*sides)
    order = random.permutation(15)
    turned = compare_endings(ends(lengths[order], (lengths < 40)[order]), *sides[1:])
    assert (turned.length, turned.terminated) == (found.length, found.terminated)
    assert compare_endings(*sides) == found
    assert compare_endings(*sides, seed=1) != found
