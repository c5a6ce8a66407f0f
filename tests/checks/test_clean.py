"""Clean files, about which no check finds anything: recordings of real tasks, good and bad, and the paper's experts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from gailkit.checks.finding import Finding
from gailkit.checks.run import check_all
from gailkit.checks.subject import read_subject
from gailkit.checks.surroundings import Surroundings
from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.experts.noise import noisy
from gailkit.experts.resolve import expert_policy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Policy, Trajectory

Around = Callable[[str], Surroundings]
GRIDS = ("FrozenLake-v1", "Taxi-v4", "CliffWalking-v1")
ZOO = (  # file, task, episodes
    ("ppo/CartPole-v1.zip", "CartPole-v1", 6),
    ("tqc/Pendulum-v1.zip", "Pendulum-v1", 8),
    ("dqn/MountainCar-v0.zip", "MountainCar-v0", 8),
    ("trpo/Hopper-v3.zip", "Hopper-v5", 5),
)


@pytest.fixture
def findings(tmp_path: Path, around: Around) -> Callable[..., list[Finding]]:
    """``findings(episodes, env_id)``: what is found in a file of them, alone and beside the environment."""

    def find(episodes: Sequence[Trajectory], env_id: str) -> list[Finding]:
        spaces = around(env_id).observation_space, around(env_id).action_space
        Demonstrations(tuple(episodes), *spaces, env_id).save(tmp_path / "d.hdf5")
        return found_in(tmp_path / "d.hdf5", around(env_id))

    return find


def found_in(path: Path, surroundings: Surroundings) -> list[Finding]:
    reports = [
        check_all(read_subject(path, ReadOptions(), (), each and each.time_limit), each)
        for each in (None, surroundings)
    ]
    return [found for report in reports for found in report.findings]


def needs_mujoco(env_id: str) -> None:
    if env_id.startswith(("Hopper", "HalfCheetah", "InvertedPendulum")):
        pytest.importorskip("mujoco", reason=f"NOT TESTED on {env_id}: the package mujoco is not installed")


def record(policy: Policy, env_id: str, episodes: int) -> list[Trajectory]:
    return collect_episodes(policy, lambda: make_env(env_id), range(episodes))


def without_seeds(episodes: Sequence[Trajectory]) -> list[Trajectory]:
    """As most other formats have them."""
    return [replace(each, seed=None) for each in episodes]


@cache
def best_choices(env_id: str) -> np.ndarray:
    """By value iteration, discounted by 0.99, over the table that Gymnasium's tasks of few states have."""
    bare: Any = gymnasium.make(env_id).unwrapped
    choices = len(bare.P[0])
    rewards, next_state = np.zeros((len(bare.P), choices)), np.zeros((len(bare.P), choices, len(bare.P)))
    for state, ways in bare.P.items():
        for choice, outcomes in ways.items():
            for chance, successor, reward, over in outcomes:
                rewards[state, choice] += chance * reward
                next_state[state, choice, successor] += chance * (not over)
    values = np.zeros(len(bare.P))
    for _ in range(300):
        values = (rewards + 0.99 * next_state @ values).max(axis=1)
    best: np.ndarray = (rewards + 0.99 * next_state @ values).argmax(axis=1)
    return best


@pytest.mark.parametrize(
    "env_id",
    [
        "CartPole-v1", "Pendulum-v1", "MountainCar-v0", "FrozenLake-v1", "Taxi-v4", "Blackjack-v1", "Hopper-v5",
        "InvertedPendulum-v5",
    ],
)  # fmt: skip
def test_nothing_is_found_where_actions_are_random(findings: Callable[..., list[Finding]], env_id: str) -> None:
    needs_mujoco(env_id)
    episodes = record(expert_policy("random", make_env(env_id).observation_space, make_env(env_id).action_space, 0),
                      env_id, 12)  # fmt: skip
    assert findings(episodes, env_id) == []
    assert findings(without_seeds(episodes), env_id) == []


@pytest.mark.parametrize("env_id", GRIDS)
def test_nothing_is_found_where_few_states_are_gone_through_well(
    findings: Callable[..., list[Finding]], env_id: str
) -> None:
    """FrozenLake's ice makes it fall now and then; of CliffWalking all episodes are one; Taxis meet on their ways."""
    episodes = record(lambda seen: best_choices(env_id)[seen], env_id, 30)
    assert findings(episodes, env_id) == []
    assert findings(without_seeds(episodes), env_id) == []


@pytest.mark.parametrize(("file", "env_id", "episodes"), ZOO)
def test_nothing_is_found_where_others_experts_act(
    findings: Callable[..., list[Finding]], experts_folder: Path, file: str, env_id: str, episodes: int
) -> None:
    needs_mujoco(env_id)
    env = make_env(env_id)
    expert = expert_policy(str(experts_folder / "zoo" / file), env.observation_space, env.action_space, 0)
    assert findings(record(expert, env_id, episodes), env_id) == []


def test_nothing_is_found_where_an_expert_falls_through_its_noise(
    findings: Callable[..., list[Finding]], experts_folder: Path
) -> None:
    env = make_env("CartPole-v1")
    expert = expert_policy(str(experts_folder / "zoo/ppo/CartPole-v1.zip"), env.observation_space, env.action_space, 0)
    episodes = record(noisy(expert, env.action_space, 0.3, 0), "CartPole-v1", 12)
    assert 0 < sum(each.terminated for each in episodes) < 12
    assert findings(episodes, "CartPole-v1") == []


@pytest.mark.parametrize("name", ["cartpole-v1", "mountaincar-v0", "pendulum-v1"])
def test_nothing_is_found_in_the_data_sets_of_gailkit(repository: Path, around: Around, name: str) -> None:
    path = repository / "datasets" / f"{name}.hdf5"
    env_id = read_subject(path, ReadOptions()).about.env_id
    assert env_id is not None
    assert found_in(path, around(env_id)) == []


@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCar-v0", "Hopper-v5", "HalfCheetah-v5"])
def test_nothing_is_found_in_the_papers_experts(experts_folder: Path, around: Around, env_id: str) -> None:
    """But a note that samples of a Gaussian go beyond the Box. They fall: 12 of 25 in CartPole, 2 of 25 in Hopper."""
    needs_mujoco(env_id)
    found = found_in(experts_folder / "paper" / f"{env_id}.hdf5", around(env_id))
    gaussian = env_id in ("Hopper-v5", "HalfCheetah-v5")
    assert [(each.name, each.severity) for each in found] == [("actions_outside_box", "note")] * gaussian
