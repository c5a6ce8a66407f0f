"""The bootstrap: by hand, and as often right as it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gailkit.errors import InputError
from gailkit.functional.resampling import (
    FEWEST,
    MOST_VALUES,
    RESAMPLES,
    Estimate,
    affordable,
    interquartile_mean,
    interval,
    mean,
    mean_of,
    probability_of_improvement,
    resampled,
)

VALUES = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0], 7.0),
        ([1.0, 2.0, 6.0], 3.0),  # a quarter of three is none
        ([100.0, 2.0, -50.0, 4.0], 3.0),
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 60.0, 70.0], 3.5),  # 2 to 5
        ([0.0, 1.0, 2.0, 3.0, 40.0], 2.0),  # one at either end
    ],
)
def test_the_interquartile_mean_by_hand(values: list[float], expected: float) -> None:
    assert interquartile_mean(np.array(values)) == pytest.approx(expected)
    rows = np.array([values, [value + 1 for value in reversed(values)]])
    assert interquartile_mean(rows) == pytest.approx([expected, expected + 1])
    assert mean(rows) == pytest.approx([np.mean(values), np.mean(values) + 1])


def test_the_probability_of_improvement_by_hand() -> None:
    # 3 beats 1 and 2, 1 ties with 1 and loses to 2: (2 + 1/2) / 4
    assert probability_of_improvement(np.array([3.0, 1.0]), np.array([1.0, 2.0])) == 2.5 / 4
    both = probability_of_improvement(np.array([[3.0, 1.0], [0.0, 0.0]]), np.array([[1.0, 2.0], [0.0, 0.0]]))
    assert both.tolist() == [2.5 / 4, 0.5]


@given(VALUES, VALUES)
def test_the_probability_of_improvement_is_that_of_all_pairs(x: list[int], y: list[int]) -> None:
    wins = sum((own > other) + (own == other) / 2 for own in x for other in y)
    found = probability_of_improvement(np.array(x, float), np.array(y, float))
    assert found == pytest.approx(wins / (len(x) * len(y)))
    assert probability_of_improvement(np.array(y, float), np.array(x, float)) == pytest.approx(1 - found)


def test_an_interval_is_the_middle_95_percent() -> None:
    assert interval(3.0, draw().permutation(1001.0 * np.arange(1001) / 1000)) == pytest.approx(
        Estimate(3.0, 0.025 * 1001, 0.975 * 1001)
    )


def test_a_new_sample_has_the_size_of_the_given_one_and_nothing_else_in_it() -> None:
    samples = resampled([np.array([5.0, 7.0, 7.0])], draw())
    assert samples.shape == (RESAMPLES, 3)
    # each place is 7 in two cases of three, independently of the others
    assert set(samples.ravel()) == {5.0, 7.0}
    assert (samples == 7).mean(axis=0) == pytest.approx([2 / 3] * 3, abs=0.05)
    assert (samples == 7).all(axis=1).mean() == pytest.approx(8 / 27, abs=0.05)


def test_of_several_runs_whole_runs_are_drawn() -> None:
    runs = [np.array([1.0, 2.0]), np.array([10.0, 20.0, 30.0, 40.0])]
    samples = resampled(runs, draw(), 4000)
    assert samples.shape == (4000, 6)
    for slot in (samples[:, :2], samples[:, 2:]):
        of_first = np.isin(slot, runs[0])
        assert (of_first.all(axis=1) | ~of_first.any(axis=1)).all()  # one run at a time
        assert of_first[:, 0].mean() == pytest.approx(0.5, abs=0.04)
        assert (slot[of_first] == 1).mean() == pytest.approx(0.5, abs=0.04)
        assert (slot[~of_first] == 40).mean() == pytest.approx(0.25, abs=0.04)
    both = np.isin(samples[:, 0], runs[0]) & np.isin(samples[:, 2], runs[0])
    assert both.mean() == pytest.approx(0.25, abs=0.04)


def test_the_interval_holds_the_mean_as_often_as_it_says() -> None:
    """P(|t| <= 1.96 sqrt(49 / 50)), t of Student with 49 degrees of freedom, is 0.942."""
    covered = []
    for values in draw(1).normal(size=(1500, 50)):
        estimate = interval(values.mean(), mean(resampled([values], draw(2), 400)))
        covered.append(estimate.low <= 0 <= estimate.high)
    assert 0.92 < np.mean(covered) < 0.97


def test_the_interval_of_the_mean_of_many_values_is_that_of_the_central_limit_theorem() -> None:
    values = draw().exponential(size=1000)
    estimate = mean_of(values, draw(1))
    half = 1.96 * values.std() / np.sqrt(1000)
    assert estimate == pytest.approx((values.mean(), values.mean() - half, values.mean() + half), abs=0.15 * half)
    assert mean_of(values[:1], draw()) == (values[0],) * 3  # one value says nothing of the spread


def test_runs_that_differ_make_the_interval_wider_and_runs_that_are_alike_do_not() -> None:
    def width(runs: list[np.ndarray]) -> float:
        estimate = interval(0.0, mean(resampled(runs, draw(), 2000)))
        return estimate.high - estimate.low

    alike = [draw(run).normal(size=40) for run in range(5)]
    differing = [values + 3 * run for run, values in enumerate(alike)]
    assert width(differing) > 3 * width([np.concatenate(differing)])
    assert width(alike) == pytest.approx(width([np.concatenate(alike)]), rel=0.5)


def test_of_very_many_episodes_fewer_resamples_are_drawn_so_that_memory_holds_them() -> None:
    few, many = np.zeros(5), np.zeros(MOST_VALUES // 500)
    assert affordable([few]) == affordable([few, few], [few]) == RESAMPLES
    assert affordable([few], [many]) == 500
    assert affordable([many, many]) == 250
    assert affordable([many] * 5) == FEWEST


@pytest.mark.parametrize("sizes", [[9], [9, 4]])
def test_the_order_of_the_episodes_does_not_matter_and_the_seed_decides(sizes: list[int]) -> None:
    runs = [draw(size).normal(size=size) for size in sizes]
    shuffled = [draw().permutation(run) for run in runs]
    samples = resampled(runs, draw(3), 50)
    np.testing.assert_array_equal(resampled(shuffled, draw(3), 50), samples)
    assert (resampled(runs, draw(4), 50) != samples).any()


@pytest.mark.parametrize("runs", [[], [np.array([])], [np.ones(3), np.array([])], [np.array([1.0, np.nan])],
                                  [np.ones((2, 2))]])  # fmt: skip
def test_a_run_without_a_finite_value_is_refused(runs: list[np.ndarray]) -> None:
    with pytest.raises(InputError, match="every run needs at least one episode with a finite value"):
        resampled(runs, draw())
