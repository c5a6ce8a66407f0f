"""The statistics against closed forms and the invariances their definitions imply."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gailkit.errors import InputError
from gailkit.functional.statistics import (
    action_agreement,
    bootstrap_mean_interval,
    mean_squared_error,
    normalised_score,
)


@pytest.fixture
def returns() -> np.ndarray:
    return np.random.default_rng(3).normal(loc=200.0, scale=40.0, size=25)


def covered_fraction(episodes: int, draws: int = 1000) -> float:
    """How often the 95 % interval of ``episodes`` standard normal values holds their true mean, 0."""
    values = np.random.default_rng(1).normal(size=(draws, episodes))
    intervals = [bootstrap_mean_interval(row, resamples=500, seed=seed) for seed, row in enumerate(values)]
    return float(np.mean([low <= 0.0 <= high for low, high in intervals]))


@pytest.mark.parametrize("episodes", [10, 50])
def test_the_interval_covers_the_true_mean_as_often_as_the_theory_of_percentile_bootstraps_says(episodes: int) -> None:
    # The half-width is 1.96 s sqrt((E - 1) / E) / sqrt(E), and mean / (s / sqrt(E)) follows Student's t with E - 1
    # degrees of freedom: P(|t| <= 1.96 sqrt((E - 1) / E)) is 0.904 at E = 10 and 0.942 at E = 50. The tolerance is
    # four standard errors of a fraction of 1000 draws.
    expected = {10: 0.904, 50: 0.942}[episodes]
    assert covered_fraction(episodes) == pytest.approx(expected, abs=0.037)


def test_the_interval_of_many_values_is_that_of_the_central_limit_theorem() -> None:
    values = np.random.default_rng(0).exponential(size=2000)
    half_width = NormalDist().inv_cdf(0.95) * values.std() / np.sqrt(len(values))
    low, high = bootstrap_mean_interval(values, confidence=0.9)
    assert low == pytest.approx(values.mean() - half_width, abs=0.1 * half_width)
    assert high == pytest.approx(values.mean() + half_width, abs=0.1 * half_width)


def test_the_interval_does_not_depend_on_the_order_of_the_episodes(returns: np.ndarray) -> None:
    shuffled = np.random.default_rng(0).permutation(returns)
    assert bootstrap_mean_interval(returns) == bootstrap_mean_interval(shuffled)


def test_the_interval_moves_and_stretches_with_the_values(returns: np.ndarray) -> None:
    low, high = bootstrap_mean_interval(returns)
    assert bootstrap_mean_interval(3.0 * returns - 70.0) == pytest.approx((3.0 * low - 70.0, 3.0 * high - 70.0))


def test_the_same_seed_gives_the_same_interval_and_another_seed_a_slightly_different_one(returns: np.ndarray) -> None:
    first = bootstrap_mean_interval(returns, seed=1)
    other = bootstrap_mean_interval(returns, seed=2)
    assert first == bootstrap_mean_interval(returns, seed=1)
    assert first != other
    assert first == pytest.approx(other, rel=0.02)


def test_more_confidence_is_a_wider_interval_around_the_mean(returns: np.ndarray) -> None:
    low99, high99 = bootstrap_mean_interval(returns, confidence=0.99)
    low50, high50 = bootstrap_mean_interval(returns, confidence=0.5)
    assert low99 < low50 < returns.mean() < high50 < high99


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_the_interval_stays_within_the_values(values: list[float]) -> None:
    low, high = bootstrap_mean_interval(np.array(values), resamples=50)
    rounding = 1e-12 * max(map(abs, values))
    assert min(values) - rounding <= low <= high <= max(values) + rounding


def test_one_episode_has_an_interval_of_width_zero() -> None:
    assert bootstrap_mean_interval(np.array([-110.0])) == (-110.0, -110.0)


def test_resampling_in_blocks_is_resampling_at_once(monkeypatch: pytest.MonkeyPatch, returns: np.ndarray) -> None:
    at_once = bootstrap_mean_interval(returns, resamples=1001)
    monkeypatch.setattr("gailkit.functional.statistics.BLOCK", 100 * len(returns))
    assert bootstrap_mean_interval(returns, resamples=1001) == at_once


@pytest.mark.parametrize(
    ("values", "options", "found"),
    [
        (np.array([]), {}, r"\(0,\)"),
        (np.zeros((2, 3)), {}, r"\(2, 3\)"),
        (np.array([1.0, np.nan]), {}, "NaN"),
        (np.ones(3), {"confidence": 95}, "95"),
        (np.ones(3), {"resamples": 0}, "0"),
    ],
)
def test_what_has_no_interval_is_refused_and_named(values: np.ndarray, options: dict[str, int], found: str) -> None:
    with pytest.raises(InputError, match=found):
        bootstrap_mean_interval(values, **options)


def test_the_score_is_0_for_random_1_for_the_expert_and_linear_between_and_beyond() -> None:
    assert normalised_score(20.0, random_mean=20.0, expert_mean=500.0) == 0.0
    assert normalised_score(500.0, random_mean=20.0, expert_mean=500.0) == 1.0
    assert normalised_score(260.0, random_mean=20.0, expert_mean=500.0) == 0.5
    assert normalised_score(-220.0, random_mean=20.0, expert_mean=500.0) == -0.5
    assert normalised_score(-70.0, random_mean=-500.0, expert_mean=-80.0) == pytest.approx(430 / 420)


@pytest.mark.parametrize("expert", [20.0, 10.0, float("nan"), float("inf")])
def test_there_is_no_score_where_the_expert_is_not_better_than_random(expert: float) -> None:
    assert normalised_score(15.0, random_mean=20.0, expert_mean=expert) is None


def test_agreement_is_the_fraction_of_equal_actions() -> None:
    assert action_agreement(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0])) == 0.75
    assert action_agreement(np.array([1, 1]), np.array([1, 1])) == 1.0
    assert action_agreement(np.array([0, 1]), np.array([1, 0])) == 0.0


def test_the_squared_error_is_a_mean_over_pairs_and_components() -> None:
    # differences 1, 0, 2, 0: (1 + 0 + 4 + 0) / 4
    assert mean_squared_error(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 2.0], [1.0, 4.0]])) == 1.25


def test_the_squared_error_of_small_unsigned_integers_does_not_wrap_around() -> None:
    assert mean_squared_error(np.array([0], dtype=np.uint8), np.array([255], dtype=np.uint8)) == 255.0**2


@pytest.mark.parametrize("measure", [action_agreement, mean_squared_error])
def test_actions_that_are_not_paired_are_refused_with_both_shapes(measure: Callable[..., float]) -> None:
    with pytest.raises(InputError, match=r"\(4,\) and \(4, 1\)"):
        measure(np.zeros(4), np.zeros((4, 1)))
    with pytest.raises(InputError, match="at least one action"):
        measure(np.zeros(0), np.zeros(0))
