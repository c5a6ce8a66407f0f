"""Which episodes are good enough, and when to give up."""

from __future__ import annotations

import numpy as np
import pytest

from gailkit.errors import InputError
from gailkit.recording.least_return import LeastReturn
from gailkit.types import Trajectory


def earning(total: float) -> Trajectory:
    return Trajectory(np.zeros((2, 1)), np.zeros(1), np.array([total]), terminated=True)


def test_the_bound_itself_is_good_enough() -> None:
    least = LeastReturn(3.0, patience=9)
    assert [least.keeps(earning(total)) for total in (2.9, 3.0, 3.1, -5.0)] == [False, True, True, False]
    assert least.rejected == 2


def test_only_misses_in_a_row_use_up_the_patience() -> None:
    least = LeastReturn(0.0, patience=3)
    for total in (-1, -2, 1, -3, -4):
        least.keeps(earning(total))
    with pytest.raises(InputError, match=r"3 episodes in a row returned less than 0, the best of them -2\.5"):
        least.keeps(earning(-2.5))


def test_a_bound_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="not a number"):
        LeastReturn(float("nan"), patience=1)
