"""In how many processes environments are stepped, by how long a step takes and what the machine grants."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from gailkit.rollouts import measuring
from gailkit.rollouts.environments import EnvMaker
from gailkit.rollouts.global_generators import global_state, seeded_globally
from gailkit.rollouts.machine import processor_quota, usable_processors
from gailkit.rollouts.measuring import Trial, best_workers, chosen, try_out
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import make_vector_env, settle


@pytest.mark.parametrize(
    ("step", "num_envs", "most", "planned", "workers"),
    [
        (20e-6, 2, 8, None, 1),  # two CartPoles take 40 us, a step elsewhere alone 75
        (0.01, 32, 8, None, 8),
        (0.01, 8, 64, None, 8),  # one each
        (0.01, 32, 1, None, 1),
        (0.01, 32, 8, 64, 1),  # 0.56 s are saved, which starting them costs
        (0.01, 32, 8, 100_000, 8),
        (0.01, 9, 8, None, 5),  # two at most in each: three more would be of no use
    ],
)
def test_the_number_is_the_one_by_which_steps_take_the_least_time(
    step: float, num_envs: int, most: int, planned: int | None, workers: int
) -> None:
    assert chosen(Trial(step, 0.01, False), num_envs, most, planned)[0] == workers


def test_more_workers_are_never_chosen_where_they_would_be_slower() -> None:
    for step in np.logspace(-6, 0, 25):
        for num_envs in (1, 2, 8, 32):
            count, _ = chosen(Trial(float(step), 0.0, False), num_envs, 8)
            together = -(-num_envs // count) * step + (measuring.CALL + measuring.EACH * count if count > 1 else 0)
            assert together <= num_envs * step


class Dice(gymnasium.Env[np.ndarray, np.int64]):
    """Draws from the generator of Python that everybody uses."""

    observation_space = gymnasium.spaces.Box(0, 1, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict[str, object]]:
        return np.array([random.random()], np.float32), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        return np.array([random.random()], np.float32), 0.0, False, False, {}


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(measuring, "usable_processors", lambda: 8)
    yield


def test_one_that_draws_from_global_generators_stays_and_they_stand_where_they_stood(eight: None) -> None:
    with seeded_globally(3):
        before = str(global_state()["python"])
        assert try_out(Dice).draws_globally and not try_out(EnvMaker("CartPole-v1")).draws_globally
        workers, why = best_workers(Dice, 8)
        assert str(global_state()["python"]) == before
    assert workers == 1 and why.startswith("environments in this process: it draws from generators that everybody uses")


def test_what_another_process_could_not_make_stays(eight: None) -> None:
    said: list[str] = []
    assert settle(Stepping("auto", tell=said.append), lambda: Dice(), 8).workers == 1
    assert said == ["environments in this process: another could not import what they are made by"]


def test_auto_makes_environments_that_are_stepped() -> None:
    said: list[str] = []
    envs = make_vector_env("CartPole-v1", 4, None, Stepping("auto", tell=said.append), planned=100)
    envs.reset(seed=0)
    envs.close()
    assert len(said) == 1 and said[0].startswith("environments in this process: ")


def test_what_control_groups_grant_is_the_least_on_the_way(tmp_path: Path) -> None:
    own = tmp_path / "self"
    own.write_text("0::/jobs/mine\n")
    group = tmp_path / "groups" / "jobs" / "mine"
    group.mkdir(parents=True)
    assert processor_quota(tmp_path / "groups", own) is None
    (group / "cpu.max").write_text("max 100000\n")
    assert processor_quota(tmp_path / "groups", own) is None
    (group.parent / "cpu.max").write_text("150000 100000\n")
    assert processor_quota(tmp_path / "groups", own) == 1.5
    (group / "cpu.max").write_text("50000 100000\n")
    assert processor_quota(tmp_path / "groups", own) == 0.5


def test_the_older_version_of_control_groups_is_read_too(tmp_path: Path) -> None:
    own = tmp_path / "self"
    own.write_text("4:memory:/box\n3:cpu,cpuacct:/box\n")
    group = tmp_path / "groups" / "cpu,cpuacct" / "box"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text("200000\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")
    assert processor_quota(tmp_path / "groups", own) == 2.0
    (group / "cpu.cfs_quota_us").write_text("-1\n")
    assert processor_quota(tmp_path / "groups", own) is None


def test_at_least_one_processor_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gailkit.rollouts.machine.processor_quota", lambda: 0.5)
    assert usable_processors() == 1
