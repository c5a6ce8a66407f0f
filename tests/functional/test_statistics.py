"""The statistics against closed forms and the invariances their definitions imply."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gailkit.errors import InputError
from gailkit.functional.statistics import (
    action_agreement,
    mean_squared_error,
    normalised_score,
)


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
