"""Schedules: what a setting is multiplied by, from the beginning of a training to its end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gailkit.functional.schedules import Schedule, constant, linear

SHARES = st.floats(0.0, 1.0)


@given(SHARES)
def test_a_constant_setting_stays_as_it_was_given(progress: float) -> None:
    assert constant(progress) == 1.0


@pytest.mark.parametrize("schedule", [constant, linear])
def test_a_training_begins_with_the_setting_that_was_given(schedule: Schedule) -> None:
    assert schedule(0.0) == 1.0


def test_a_linear_setting_ends_at_0() -> None:
    assert linear(1.0) == 0.0


@given(SHARES, SHARES)
def test_a_linear_setting_falls_by_as_much_as_the_progress_grows(one: float, other: float) -> None:
    assert linear(one) - linear(other) == pytest.approx(other - one)
