"""Checks on observations, against environments whose episodes are distorted in ways that are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gailkit.checks.finding import Unchecked
from gailkit.checks.observations import (
    explain,
    observation_scale,
    observation_shape,
    observations_in_bounds,
    outside_starts,
)
from gailkit.checks.sizes import origin_of_size
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings, as_observed
from gailkit.rollouts.environments import make_env
from gailkit.types import Trajectory

MakeSubject = Callable[..., Subject]
Around = Callable[[str], Surroundings]
Played = Callable[[str], list[Trajectory]]
Change = Callable[[np.ndarray], np.ndarray]

TASKS = ("CartPole-v1", "Pendulum-v1", "MountainCar-v0")


def changed(episodes: list[Trajectory], change: Change) -> list[Trajectory]:
    return [replace(each, observations=change(each.observations)) for each in episodes]


@pytest.mark.parametrize("env_id", TASKS)
def test_episodes_of_the_environment_itself_are_fine(
    subject_of: MakeSubject, around: Around, played: Played, env_id: str
) -> None:
    subject = subject_of(played(env_id))
    for check in (observation_shape, observations_in_bounds, observation_scale):
        assert check(subject, around(env_id)) == []


def test_episodes_of_another_environment_do_not_fit(subject_of: MakeSubject, around: Around, played: Played) -> None:
    subject = subject_of(played("CartPole-v1"))
    (found,) = observation_shape(subject, around("Pendulum-v1"))
    assert found.severity == "error" and "(4,)" in found.found and "(3,)" in found.found
    assert isinstance(observations_in_bounds(subject, around("Pendulum-v1")), Unchecked)
    assert isinstance(observation_scale(subject, around("Pendulum-v1")), Unchecked)


@pytest.mark.parametrize(
    ("env_id", "size", "said"),
    [
        ("Humanoid-v5", 376, "Humanoid v2 to v4"),
        ("Humanoid-v4", 348, "Humanoid v5"),
        ("Ant-v5", 27, "without contact forces"),
        ("Ant-v4", 111, "contact forces"),
        ("module:Hopper-v5", 12, "exclude_current_positions_from_observation=False"),
        ("Hopper-v5", 13, "perhaps the time or an absorbing flag"),
    ],
)
def test_the_size_of_another_version_is_named(env_id: str, size: int, said: str) -> None:
    assert said in (origin_of_size(env_id, size) or "")


def test_a_size_of_no_version_has_no_origin() -> None:
    assert origin_of_size("Hopper-v5", 20) is None
    assert origin_of_size("CartPole-v1", 5) is None


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Ant-v5", "Humanoid-v5", "Reacher-v5", "InvertedDoublePendulum-v5"])
def test_the_sizes_are_those_of_the_environments(env_id: str) -> None:
    pytest.importorskip("mujoco", reason="NOT TESTED on MuJoCo: the package mujoco is not installed")
    env = make_env(env_id)
    (size,) = env.observation_space.shape or ()
    env.close()
    origin = origin_of_size(env_id, size)
    assert origin is not None and ("v5" in origin or "every version" in origin)


def test_an_observation_beyond_the_bounds_is_found(subject_of: MakeSubject, around: Around, played: Played) -> None:
    far = changed(played("MountainCar-v0"), lambda seen: seen + np.float32([2, 0]))
    (found,) = observations_in_bounds(subject_of(far), around("MountainCar-v0"))
    assert len(found.episodes) == 6 and "0.6" in found.found


def standardised(episodes: list[Trajectory]) -> list[Trajectory]:
    everything = np.concatenate([each.observations for each in episodes])
    return changed(episodes, lambda seen: (seen - everything.mean(0)) / everything.std(0))


def test_standardised_observations_are_named(subject_of: MakeSubject, around: Around, played: Played) -> None:
    for env_id in ("CartPole-v1", "MountainCar-v0"):
        (found,) = observation_scale(subject_of(standardised(played(env_id))), around(env_id))
        assert "standardised" in found.found


@pytest.mark.parametrize(
    ("features", "factor", "said"),
    [
        ([2, 3], 180 / np.pi, "feature 2, 3 is about 57.3 times as large, perhaps degrees where"),
        ([0, 1, 2, 3], 1000.0, "they are about 1e+03 times as large, perhaps thousandths"),
        ([0, 1, 2, 3], 0.01, "either they are in other units"),
    ],
)
def test_a_change_of_units_is_named(
    subject_of: MakeSubject, around: Around, played: Played, features: list[int], factor: float, said: str
) -> None:
    """Starts of CartPole lie around 0, so that smaller ones (the last case) are still where episodes may begin."""

    def scale(seen: np.ndarray) -> np.ndarray:
        scaled = seen.astype(np.float64)
        scaled[:, features] *= factor
        return scaled

    findings = observation_scale(subject_of(changed(played("CartPole-v1"), scale)), around("CartPole-v1"))
    assert [said in found.found for found in findings] == ([True] if factor > 1 else [])


def test_radians_where_degrees_are_expected_are_named() -> None:
    starts = np.random.default_rng(0).uniform(20, 40, (64, 1))
    firsts = np.random.default_rng(1).uniform(20, 40, (9, 1)) * np.pi / 180
    assert "radians where the environment has degrees" in explain(firsts, starts, firsts * [[5.0]])


def test_starts_elsewhere_without_a_common_factor_are_no_resets() -> None:
    starts = np.random.default_rng(0).uniform(1, 1.1, (64, 2))
    firsts = np.random.default_rng(1).uniform(-9, 9, (9, 2))
    assert outside_starts(firsts, starts).any(axis=1).mean() > 0.8
    assert "do not begin with a reset" in explain(firsts, starts, 3 * firsts + 1)


def test_without_an_environment_nothing_can_be_said(subject_of: MakeSubject, played: Played) -> None:
    subject = subject_of(played("CartPole-v1"))
    for check in (observation_shape, observations_in_bounds, observation_scale):
        assert isinstance(check(subject, None), Unchecked)


def test_the_subject_is_left_as_it_is_where_nothing_is_flattened(
    subject_of: MakeSubject, around: Around, played: Played
) -> None:
    subject = subject_of(played("CartPole-v1"))
    assert as_observed(subject, around("CartPole-v1")) is subject
