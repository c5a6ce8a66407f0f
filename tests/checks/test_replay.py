"""Replaying recorded steps: those of the environment itself come out the same, altered ones do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from gailkit.checks.finding import Unchecked
from gailkit.checks.replay import replayed_steps
from gailkit.checks.states import state_setter
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings, surroundings_of
from gailkit.rollouts.environments import make_env
from gailkit.spaces import unflatten_values
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


class Corridor(gymnasium.Env[Any, Any]):
    """A light goes up and down a corridor: a picture of it, and how often it has gone."""

    def __init__(self) -> None:
        parts = {"sight": Box(0, 255, (16, 16, 1), np.uint8), "gone": Box(0, 99, (1,), np.float32)}
        self.observation_space, self.action_space = Dict(parts), Discrete(2)
        self.place, self.gone = 0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.gone = int(self.np_random.integers(16)), 0
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place, self.gone = (self.place + 2 * int(action) - 1) % 16, self.gone + 1
        return self._seen(), 1.0, self.gone == 12, False, {}

    def _seen(self) -> dict[str, np.ndarray]:
        sight = np.zeros((16, 16, 1), np.uint8)
        sight[self.place] = 200
        return {"gone": np.array([self.gone], np.float32), "sight": sight}


@pytest.fixture
def corridor(played: Played) -> list[Trajectory]:
    """As a file has them, whose parts are in another order than the environment's."""
    gymnasium.register("Corridor-v0", Corridor)
    env = make_env("Corridor-v0")
    episodes = played("Corridor-v0")
    del gymnasium.registry["Corridor-v0"]
    held = [unflatten_values(env.observation_space, each.observations) for each in episodes]
    return [replace(each, observations=seen) for each, seen in zip(episodes, held, strict=True)]


@pytest.fixture
def corridor_around(corridor: list[Trajectory]) -> Iterator[Surroundings]:
    gymnasium.register("Corridor-v0", Corridor)
    yield surroundings_of("Corridor-v0", {})
    del gymnasium.registry["Corridor-v0"]


@pytest.mark.parametrize("wrong", [None, "sight", "gone"])
def test_every_part_of_what_was_seen_is_compared(
    subject_of: MakeSubject, corridor: list[Trajectory], corridor_around: Surroundings, wrong: str | None
) -> None:
    if wrong is None:
        assert names(replayed_steps(subject_of(corridor), corridor_around)) == []
        return
    altered = [each.observations.copy() for each in corridor]
    for seen in altered:
        seen[wrong][1:] = np.roll(seen[wrong][1:], 1, axis=0)
    others = [replace(each, observations=seen) for each, seen in zip(corridor, altered, strict=True)]
    assert names(replayed_steps(subject_of(others), corridor_around)) == ["replay_differs"]


def test_pictures_of_a_task_do_not_show_its_state(subject_of: MakeSubject, around: Around, played: Played) -> None:
    """Its states could be set, if they were what is seen; of wrong seeds nothing can be replayed."""
    seen, env_id = around("benchmarks.seen_tasks:SeenCartPole-v0"), "benchmarks.seen_tasks:SeenCartPole-v0"
    episodes = played(env_id)
    assert names(replayed_steps(subject_of(episodes), seen)) == []
    assert names(replayed_steps(subject_of(shifted(episodes)), seen)) == ["replay_differs"]
    reseeded = [replace(each, seed=1000 + index) for index, each in enumerate(episodes)]
    assert names(replayed_steps(subject_of(reseeded), seen)) == ["seeds_differ"]
    assert isinstance(replayed_steps(subject_of(without_seeds(episodes)), seen), Unchecked)


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
