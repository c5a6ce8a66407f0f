"""Replaying recorded steps: those of the environment itself come out the same, altered ones do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gailkit.checks.finding import Unchecked
from gailkit.checks.replay import replayed_steps
from gailkit.checks.states import state_setter
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.rollouts.environments import make_env
from gailkit.types import Trajectory

MakeSubject = Callable[..., Subject]
Around = Callable[[str], Surroundings]
Played = Callable[[str], list[Trajectory]]

SHOWN = ("CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1", "Acrobot-v1")


def without_seeds(episodes: list[Trajectory]) -> list[Trajectory]:
    return [replace(each, seed=None) for each in episodes]


def shifted(episodes: list[Trajectory]) -> list[Trajectory]:
    """Actions that belong to the step before."""
    return [replace(each, actions=np.roll(each.actions, 1, axis=0)) for each in episodes]


def names(outcome: object) -> list[str]:
    assert isinstance(outcome, list), outcome
    return [found.name for found in outcome]


@pytest.mark.parametrize("env_id", SHOWN)
def test_recorded_steps_come_out_as_recorded(
    subject_of: MakeSubject, around: Around, played: Played, env_id: str
) -> None:
    for episodes in (played(env_id), without_seeds(played(env_id))):
        assert names(replayed_steps(subject_of(episodes), around(env_id))) == []


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "MountainCarContinuous-v0"])
def test_actions_of_other_steps_do_not(subject_of: MakeSubject, around: Around, played: Played, env_id: str) -> None:
    for episodes in (shifted(played(env_id)), shifted(without_seeds(played(env_id)))):
        (found,) = replayed_steps(subject_of(episodes), around(env_id))
        assert (found.name, found.severity) == ("replay_differs", "error")
        assert "lead elsewhere in" in found.found


def test_other_rewards_are_told(subject_of: MakeSubject, around: Around, played: Played) -> None:
    for episodes in (played("MountainCar-v0"), without_seeds(played("MountainCar-v0"))):
        paid = [replace(each, rewards=np.ones(len(each))) for each in episodes]
        assert names(replayed_steps(subject_of(paid), around("MountainCar-v0"))) == ["rewards_differ"]


def test_a_termination_where_the_environment_goes_on_is_told(
    subject_of: MakeSubject, around: Around, played: Played
) -> None:
    ended = [replace(each, terminated=True) for each in without_seeds(played("Pendulum-v1"))]
    (found,) = replayed_steps(subject_of(ended), around("Pendulum-v1"))
    assert found.name == "termination_differs"
    assert found.mend is not None and found.mend.endswith("--max-episode-steps 200")


def test_seeds_of_another_environment_are_told_and_steps_still_compared(
    subject_of: MakeSubject, around: Around, played: Played
) -> None:
    reseeded = [replace(each, seed=1000 + index) for index, each in enumerate(played("CartPole-v1"))]
    assert names(replayed_steps(subject_of(reseeded), around("CartPole-v1"))) == ["seeds_differ"]


def test_a_last_observation_that_was_made_up_is_not_compared(
    subject_of: MakeSubject, around: Around, played: Played
) -> None:
    made_up = [
        replace(each, observations=np.concatenate([each.observations[:-1], each.observations[-2:-1]]))
        for each in without_seeds(played("CartPole-v1"))
    ]
    short = [replace(e, observations=e.observations[-4:], actions=e.actions[-3:], rewards=None) for e in made_up]
    assert names(replayed_steps(subject_of(short), around("CartPole-v1"))) == []
    wrong = [
        replace(each, observations=np.concatenate([each.observations[:-1], each.observations[:1]])) for each in short
    ]
    assert names(replayed_steps(subject_of(wrong), around("CartPole-v1"))) == ["replay_differs"]


def test_only_states_that_observations_show_can_be_set() -> None:
    assert all(state_setter(make_env(env_id)) for env_id in SHOWN)
    assert state_setter(make_env("CartPole-v1", {"sutton_barto_reward": True})) is not None


@pytest.mark.parametrize(("env_id", "shown"), [("Hopper-v5", True), ("Swimmer-v5", True), ("Ant-v5", False)])
def test_mujoco_shows_its_state_where_nothing_is_added_to_it(env_id: str, shown: bool) -> None:
    pytest.importorskip("mujoco", reason="NOT TESTED on MuJoCo: the package mujoco is not installed")
    assert (state_setter(make_env(env_id)) is not None) is shown


def test_what_cannot_be_replayed_is_said_to_be_so(subject_of: MakeSubject, around: Around, played: Played) -> None:
    subject = subject_of(played("CartPole-v1"))
    assert isinstance(replayed_steps(subject, None), Unchecked)
    assert isinstance(replayed_steps(subject, around("Pendulum-v1")), Unchecked)
