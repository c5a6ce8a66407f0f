"""Actions that stray: by how much, how often, and never out of the space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

from gailkit.errors import InputError
from gailkit.experts.noise import noisy
from gailkit.spaces import flattened_space

LATE = Discrete(4, start=5)
WIDE = Box(np.array([-10.0, 0.0], np.float32), np.array([10.0, 1.0], np.float32))
ROWS = np.zeros((40_000, 3), np.float32)


def always(action: Any) -> Any:
    return lambda observations: np.tile(np.asarray(action), (len(observations), *[1] * np.ndim(action)))


def test_noise_in_a_box_is_gaussian_in_half_widths() -> None:
    actions = noisy(always([0.0, 0.5]), WIDE, 0.1, 0)(ROWS)
    spread = np.array([10.0, 0.5]) * 0.1
    standard_error = spread / np.sqrt(len(ROWS))
    assert np.all(np.abs(actions.mean(0) - [0.0, 0.5]) < 4 * standard_error)
    assert np.all(np.abs(actions.std(0) - spread) < 4 * standard_error / np.sqrt(2))  # of a standard deviation
    assert abs(np.corrcoef(actions.T)[0, 1]) < 4 / np.sqrt(len(ROWS))


def test_a_dimension_without_bounds_has_a_half_width_of_one() -> None:
    free = Box(-np.inf, np.inf, (1,))
    assert noisy(always([0.0]), free, 0.5, 0)(ROWS).std() == pytest.approx(0.5, rel=0.02)


def test_what_is_done_stays_in_the_box_and_starts_from_it() -> None:
    actions = noisy(always([99.0, 0.5]), WIDE, 0.1, 0)(ROWS)
    assert actions.dtype == np.float32
    assert np.all((actions >= WIDE.low) & (actions <= WIDE.high))
    assert np.mean(actions[:, 0] == 10.0) == pytest.approx(0.5, abs=0.02)  # from the bound, half of it goes inwards


def test_a_discrete_action_is_replaced_with_the_probability() -> None:
    actions = noisy(always(6), LATE, 0.4, 0)(ROWS)
    counts = np.bincount(actions, minlength=9)[5:] / len(ROWS)
    np.testing.assert_allclose(counts, [0.1, 0.7, 0.1, 0.1], atol=4 * np.sqrt(0.21 / len(ROWS)))


def test_the_seed_decides() -> None:
    first, same, other = (noisy(always([0.0, 0.5]), WIDE, 0.1, seed)(ROWS[:5]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("space", [WIDE, LATE])
def test_no_noise_changes_nothing(space: Any) -> None:
    own = always([1.0, 0.5] if isinstance(space, Box) else 6)
    np.testing.assert_array_equal(noisy(own, space, 0.0, 0)(ROWS[:9]), own(ROWS[:9]))


@pytest.mark.parametrize(
    ("space", "action"), [(WIDE, [0.0]), (WIDE, [[0.0, 0.0]]), (LATE, [6]), (LATE, 6.5), (WIDE, ["left", "right"])]
)
def test_what_is_no_action_is_passed_on_for_the_episode_to_refuse(space: Any, action: Any) -> None:
    returned = noisy(always(action), space, 0.5, 0)(ROWS[:2])
    np.testing.assert_array_equal(returned, always(action)(ROWS[:2]))


@pytest.mark.parametrize(
    ("space", "scale", "said"),
    [
        (LATE, 1.5, "noise is 1.5; accepted is a probability"),
        (WIDE, -1.0, "noise is -1; accepted is 0 or a positive number"),
        (WIDE, float("nan"), "noise is nan"),
        (WIDE, float("inf"), "noise is inf"),
    ],
)
def test_an_impossible_scale_is_refused(space: Any, scale: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        noisy(always(0), space, scale, 0)


def test_of_several_parts_each_strays_by_itself() -> None:
    space = flattened_space(Dict({"a": MultiDiscrete([2, 4]), "b": MultiBinary(1), "c": Box(-3, 5, (1,), np.float32)}))
    actions = noisy(always([1, 0, 0, 0, 0, 1, 1, 1.0]), space, 0.2, 0)(ROWS)
    error = 4 * 0.5 / np.sqrt(len(ROWS))
    assert abs(actions[:, 0].mean() - (1 - 0.2 / 2)) < error  # replaced in 0.2, by itself in half of them
    assert abs(actions[:, 5].mean() - (1 - 0.2 * 3 / 4)) < error
    assert abs(actions[:, 6].mean() - (1 - 0.2 / 2)) < error
    assert abs(actions[:, 7].std() - 0.2 * 4) < 0.02
    assert (actions[:, :2].sum(1) == 1).all() and (actions[:, 2:6].sum(1) == 1).all()
    apart = (actions[:, 0] != 1) & (actions[:, 5] != 1)
    assert abs(apart.mean() - 0.1 * 0.15) < error
