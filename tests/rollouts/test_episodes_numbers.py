"""Numbers that are large are not mistaken for numbers that are not finite, and those are named where they occur."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

from gailkit.errors import EnvironmentFailure
from gailkit.rollouts.episodes import collect_episodes


class Showing(gymnasium.Env[np.ndarray, np.ndarray]):
    """Two steps, after each of which it shows ``value`` four times."""

    action_space = Box(-np.inf, np.inf, (1,), np.float64)

    def __init__(self, value: float, dtype: Any) -> None:
        self.observation_space = Box(-np.inf, np.inf, (2, 2), dtype)
        self.shown = np.full((2, 2), value, dtype)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        self.steps = 0
        return np.zeros_like(self.shown), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self.shown, 0.0, self.steps == 2, False, {}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_largest_numbers_of_a_type_are_recorded(dtype: Any) -> None:
    largest = float(np.finfo(dtype).max)
    (trajectory,) = collect_episodes(lambda rows: np.full((len(rows), 1), 1e308), lambda: Showing(largest, dtype), [0])
    assert trajectory.observations.dtype == dtype
    np.testing.assert_array_equal(trajectory.observations[1:], np.full((2, 2, 2), largest, dtype))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_is_not_finite_is_refused_in_every_type(value: float, dtype: Any) -> None:
    with pytest.raises(EnvironmentFailure, match="an observation that is not finite"):
        collect_episodes(lambda rows: np.zeros((len(rows), 1)), lambda: Showing(value, dtype), [0])
