"""An episode that is gone through once more is the one that was recorded, or it is said where it is not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.errors import EnvironmentFailure, InputError
from gailkit.evaluation.retelling import StateByState, draw, faithful_steps, retelling
from gailkit.evaluation.side_by_side import typical
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Trajectory
from gailkit.viewing.rendering import make_drawn

Climb = Callable[..., Trajectory]


def played(env_id: str, seed: int = 3) -> Trajectory:
    """An episode of random actions."""
    policy = random_policy(make_env(env_id).action_space, 0)
    return collect_episodes(policy, lambda: make_env(env_id), [seed])[0]


def altered(trajectory: Trajectory, index: int) -> Trajectory:
    """From ``index`` on its observations are others."""
    observations = trajectory.observations.copy()
    observations[index:] += 1
    return replace(trajectory, observations=observations)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1", "Climbing-v0"])
def test_an_episode_is_replayed_from_its_seed(env_id: str) -> None:
    episode = played(env_id)
    with closing(make_env(env_id)) as env:
        assert faithful_steps(env, episode) == len(episode)
        told = retelling(env, episode, "expert")
        assert (told.env, told.steps, told.note) == (env, len(episode), "")


@pytest.mark.parametrize("name", ["cartpole-v1", "mountaincar-v0", "pendulum-v1"])
def test_our_own_data_sets_are_replayed_from_their_seeds(repository: Path, name: str) -> None:
    demos = Demonstrations.load(repository / "datasets" / f"{name}.hdf5")
    episode = demos.trajectories[typical(demos.trajectories)]
    assert demos.env_id is not None
    with closing(make_env(demos.env_id)) as env:
        assert faithful_steps(env, episode) == len(episode)


@pytest.mark.parametrize(("first_other", "expected"), [(0, 0), (1, 0), (4, 3), (6, 5), (7, 6)])
def test_steps_count_up_to_the_first_that_leads_elsewhere(climb: Climb, first_other: int, expected: int) -> None:
    with closing(make_env("Climbing-v0")) as env:
        assert faithful_steps(env, altered(climb(6), first_other)) == expected


def test_what_lies_behind_the_end_of_the_environments_episode_does_not_count(climb: Climb) -> None:
    with closing(make_env("Climbing-v0", {"top": 4})) as env:
        assert faithful_steps(env, climb(6)) == 4


def test_another_seed_and_none_begin_no_replay(climb: Climb) -> None:
    with closing(make_env("Climbing-v0")) as env:
        assert faithful_steps(env, climb(6)) == 6
        assert faithful_steps(env, replace(climb(6), seed=1)) == 0
        assert faithful_steps(env, replace(climb(6), seed=None)) == 0


class Strict(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Takes no action outside its space."""

    def step(self, action: Any) -> Any:
        assert self.env.action_space.contains(action), action
        return self.env.step(action)


def test_actions_are_clipped_as_they_were_when_they_were_recorded() -> None:
    episode = played("Pendulum-v1")
    largest = np.abs(episode.actions) == np.abs(episode.actions).max()
    seen = [*episode.observations[: largest.argmax() + 1]]
    beyond = np.where(largest, 10 * episode.actions, episode.actions)[: len(seen)]
    with closing(Strict(make_env("Pendulum-v1"))) as env:
        env.reset(seed=3)
        seen += [env.step(np.clip(action, -2, 2))[0] for action in beyond][-1:]
        assert faithful_steps(env, Trajectory(np.array(seen), beyond, None, False, seed=3)) == len(beyond)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCar-v0", "Acrobot-v1"])
def test_states_set_one_after_another_draw_the_pictures_of_the_replay(env_id: str) -> None:
    episode = played(env_id)
    stride = max(1, len(episode) // 4)
    replayed: list[np.ndarray] = []
    state_by_state: list[np.ndarray] = []
    with closing(make_drawn(env_id, {})) as env:
        draw(retelling(env, episode, "expert"), episode, stride, replayed.append)
        unseeded = replace(episode, seed=None)
        told = retelling(env, unseeded, "expert")
        assert isinstance(told.env, StateByState)
        draw(told, unseeded, stride, state_by_state.append)
    assert len(replayed) == len(state_by_state) >= 5
    assert not np.array_equal(replayed[0], replayed[-1])
    for one, other in zip(replayed, state_by_state, strict=True):
        assert (one != other).mean() < 1e-3  # a state in float32 may move an edge by a pixel


def test_states_are_set_where_the_replay_leads_elsewhere() -> None:
    episode = played("MountainCar-v0")
    moved = replace(episode, observations=episode.observations + np.float32(0.01))
    with closing(make_env("MountainCar-v0")) as env:
        told = retelling(env, moved, "expert")
        assert (type(told.env), told.steps) == (StateByState, len(moved))
        assert told.note == (
            "the expert's episode does not come out as recorded from seed 3, "
            "so its states are set from its observations"
        )
        unseeded = retelling(env, replace(episode, seed=None), "policy")
        assert unseeded.note.startswith("the policy's episode was recorded without its seed, so its states are set")


def test_without_a_state_to_set_the_faithful_part_is_shown(climb: Climb) -> None:
    with closing(make_env("Climbing-v0")) as env:
        told = retelling(env, altered(climb(6), 5), "policy")
    assert (told.env, told.steps) == (env, 4)
    assert told.note == (
        "the policy's episode leads elsewhere after 4 of 6 steps when it is replayed from seed 2, "
        "so it is shown up to there"
    )


def test_what_can_be_shown_in_no_way_is_refused(climb: Climb) -> None:
    with closing(make_env("Climbing-v0")) as env:
        with pytest.raises(InputError, match=r"^the expert's episode was recorded without its seed, and observations"):
            retelling(env, replace(climb(6), seed=None), "expert")
        flat = replace(climb(6), observations=np.zeros((7, 2), np.float32))
        with pytest.raises(InputError, match=r"of the expert have shape \(2,\), those of the environment \(1,\)"):
            retelling(env, flat, "expert")


@pytest.mark.parametrize(
    ("stride", "shown"), [(1, [0, 1, 2, 3, 4, 5, 6]), (2, [0, 2, 4, 6]), (4, [0, 4, 6]), (5, [0, 5, 6]), (99, [0, 6])]
)
def test_every_strideth_state_is_drawn_and_always_the_last(climb: Climb, stride: int, shown: list[int]) -> None:
    heights: list[int] = []
    episode = climb(6)
    with closing(make_drawn("Climbing-v0", {})) as env:
        told = retelling(env, episode, "policy")
        draw(told, episode, stride, lambda frame: heights.append(int(frame[0, 0, 0])))
    assert heights == [20 * (2 + height) for height in shown]  # it begins at height 2, its seed


def test_drawing_that_fails_says_so(climb: Climb) -> None:
    frames: list[np.ndarray] = []
    with closing(make_drawn("Climbing-v0", {"tears_at": 5})) as env:
        told = retelling(env, climb(6), "policy")
        with pytest.raises(EnvironmentFailure, match=r"failed while it was drawn: RuntimeError: the paper tore"):
            draw(told, climb(6), 1, frames.append)
    assert len(frames) == 3


def hopping(experts_folder: Path) -> Trajectory:
    path = experts_folder / "paper" / "Hopper-v5.hdf5"
    trajectories = Demonstrations.load(path, ReadOptions(ends="truncated")).trajectories
    return trajectories[typical(trajectories)]


def test_the_state_of_a_real_hopper_is_set(experts_folder: Path) -> None:
    pytest.importorskip("mujoco", reason="NOT TESTED on MuJoCo: the package mujoco is not installed")
    episode = hopping(experts_folder)
    assert episode.seed is None
    with closing(make_env("Hopper-v5")) as env:
        told = retelling(env, episode, "expert")
        told.env.reset()
        bare: Any = env.unwrapped
        for index in range(1, 101):
            told.env.step(None)
            np.testing.assert_allclose(bare.data.qpos[1:], episode.observations[index, :5], atol=1e-6)
        speeds = episode.observations[1:101, 5]
        assert bare.data.qpos[0] == pytest.approx(speeds.sum() * bare.dt)
        assert bare.data.qpos[0] > 0.5  # an expert gets ahead


@pytest.mark.parametrize("env_id", ["Hopper-v5", "HalfCheetah-v5", "Swimmer-v5"])
def test_a_body_travels_as_far_as_it_did(env_id: str) -> None:
    pytest.importorskip("mujoco", reason="NOT TESTED on MuJoCo: the package mujoco is not installed")
    with closing(make_env(env_id)) as env:
        bare: Any = env.unwrapped
        env.action_space.seed(0)
        actions = [env.action_space.sample() for _ in range(20)]
        observations = [env.reset(seed=0)[0]]
        begun = bare.data.qpos[0]
        observations += [env.step(action)[0] for action in actions]
        travelled = bare.data.qpos[0] - begun
        told = retelling(env, Trajectory(np.array(observations), np.array(actions), None, False), "expert")
        told.env.reset()
        for action in actions:
            told.env.step(action)
        assert bare.data.qpos[0] == pytest.approx(travelled, abs=0.03)
        if env_id == "HalfCheetah-v5":
            assert abs(travelled) > 0.1  # so that standing still would be told


def test_the_environments_own_failure_is_told(climb: Climb) -> None:
    with (
        closing(make_env("Climbing-v0", {"slips_at": 5})) as env,
        pytest.raises(EnvironmentFailure, match=r"failed while a recorded action was replayed: RuntimeError: slipped"),
    ):
        retelling(env, climb(6), "expert")
