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


def finite_only(rows: np.ndarray) -> np.ndarray:
    """A policy that must not be asked about anything else."""
    assert np.isfinite(rows).all()
    return np.zeros((len(rows), 1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_is_not_finite_is_refused_in_every_type_before_a_policy_acts_on_it(value: float, dtype: Any) -> None:
    with pytest.raises(EnvironmentFailure) as refused:
        collect_episodes(finite_only, lambda: Showing(value, dtype), [7])
    assert str(refused.value) == (
        "the environment Showing returned an observation that is not finite at step 1 of the episode with seed 7 "
        f"(number 0, action [0.]): element (0, 0) is {value}"
    )


def test_so_is_the_first_observation_and_a_number_that_its_type_cannot_hold() -> None:
    class Begins(Showing):
        def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
            super().reset()
            return np.array([[0, 0], [0, self.first]]), {}

    env = Begins(0.0, np.float32)
    for env.first, told in ((np.nan, "nan"), (1e300, r"1e\+300, too large for float32")):
        with pytest.raises(EnvironmentFailure, match=rf"reset with seed 3 \(number 0\): element \(1, 1\) is {told}$"):
            collect_episodes(finite_only, lambda: env, [3])


def test_nan_in_the_place_of_a_whole_number_is_refused() -> None:
    class Pixels(Showing):
        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            return np.full((2, 2), np.nan), *super().step(action)[1:]

    with pytest.raises(EnvironmentFailure, match=r"at step 1 .*: element \(0, 0\) is nan$"):
        collect_episodes(finite_only, lambda: Pixels(0, np.int32), [0])


def test_of_an_observation_and_a_reward_that_are_not_finite_the_observation_is_named() -> None:
    class Lost(Showing):
        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            observation, _, *ending = super().step(action)
            return observation, self.reward, *ending

    for value, what in ((np.nan, "an observation"), (0.0, "a reward")):
        env = Lost(value, np.float32)
        env.reward = np.nan
        with pytest.raises(
            EnvironmentFailure, match=f"{what} that is not finite at step 1 of .* seed 0 .*: .* is nan$"
        ):
            collect_episodes(finite_only, lambda env=env: env, [0])
