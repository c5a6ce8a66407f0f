"""Means over strata: by hand, against Student's interval of one sample, and in how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from gailkit.functional.resampling import Estimate
from gailkit.functional.strata import stratified_iqm, stratified_mean


def test_of_one_stratum_it_is_students_interval() -> None:
    values = np.array([0.1, 0.4, 0.15, 0.3])
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert stratified_mean([values]) == pytest.approx((values.mean(), expected.low, expected.high))


def test_by_hand() -> None:
    """Means 2 and 6, variances of the means 1/3 and 4/3: the mean is 4, its variance (1/3 + 4/3) / 4 = 5/12, the
    degrees of freedom (5/3)^2 / ((1/3)^2 / 2 + (4/3)^2 / 2) = 50/17 = 2.94; Student's quantile there is 3.2198."""
    value, low, high = stratified_mean([np.array([1.0, 2, 3]), np.array([4.0, 6, 8])])
    assert value == 4
    assert (high - value) == pytest.approx(3.2198 * np.sqrt(5 / 12), rel=1e-3)
    assert (value - low) == pytest.approx(high - value)


def test_runs_that_do_not_differ_have_no_interval() -> None:
    assert stratified_mean([np.zeros(3), np.ones(4)]) == Estimate(0.5, 0.5, 0.5)


@pytest.mark.parametrize("deviations", [(1.0, 1.0), (1.0, 0.1), (1.0, 0.3, 0.3)])
def test_the_interval_of_three_runs_a_task_holds_the_truth_as_often_as_it_says(deviations: tuple[float, ...]) -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        found = stratified_mean([random.normal(0, deviation, 3) for deviation in deviations])
        held += found.low <= 0 <= found.high
    assert 930 <= held <= 990  # 3 standard errors of 0.95 are 0.02; few degrees of freedom make it cautious


def test_the_interquartile_mean_is_that_of_all_runs_and_is_drawn_within_strata() -> None:
    strata = [np.array([0.0, 0.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0, 1.0])]
    assert stratified_iqm(strata, np.random.default_rng(0)) == Estimate(0.5, 0.5, 0.5)
    mixed = stratified_iqm([np.array([0.0, 1, 2, 3])], np.random.default_rng(0))
    assert mixed.value == 1.5 and mixed.low < 1.5 < mixed.high
