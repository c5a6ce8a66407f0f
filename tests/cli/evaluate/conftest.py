"""What the tests of ``gailkit evaluate`` share: an expert, runs that learned from it, a toy task."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.training.config import TrainConfig
from gailkit.training.train import train

CARTPOLE = "CartPole-v1"
TEACHER = """
import numpy as np

def balance(observation):
    return int(observation[2] + observation[3] > 0)

def same(observation):
    return balance(observation)

def left(observation):
    return 0

def right(observation):
    return 1

def nonsense(observation):
    return 7

def torque(observation):
    return np.array([np.nan])

def still(observation):
    return np.zeros(1)

def torques(observation):
    return np.zeros(2)
"""


class Files(NamedTuple):
    demonstrations: Demonstrations
    runs: Path


class Walk(gymnasium.Env[np.ndarray, int]):
    """Action 1 goes up by 1 and earns 1; at ``slips_at`` it raises. It cannot be drawn."""

    observation_space = Box(-100, 100, (1,), np.float32)
    action_space = Discrete(2)
    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own form)

    def __init__(self, slips_at: int = -1) -> None:
        self.render_mode = None
        self.slips_at = slips_at

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        self.height = (seed or 0) % 7
        self.steps = 0
        return np.array([self.height], np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.height += int(action)
        self.steps += 1
        if self.steps == self.slips_at:
            raise RuntimeError("slipped")
        return np.array([self.height], np.float32), float(action), False, False, {}


def shown(policy: Any, env_id: str, count: int) -> Demonstrations:
    """``count`` episodes of ``policy``."""
    env = make_env(env_id)
    episodes = collect_episodes(policy, lambda: make_env(env_id), range(count))
    return Demonstrations(tuple(episodes), env.observation_space, env.action_space, env_id)


def balance(observations: np.ndarray) -> np.ndarray:
    return (observations[:, 2] + observations[:, 3] > 0).astype(np.int64)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, quickly: Callable[[], AbstractContextManager[None]]) -> Files:
    """14 episodes of a balancing function in CartPole-v1, and short runs.

    run and run-1 differ only in their seed, gamma in a setting; the three learned from the first three episodes, late
    from the last two.
    """
    demonstrations = shown(balance, CARTPOLE, 14)
    runs = tmp_path_factory.mktemp("evaluate")
    first, last = demonstrations.choose(3), demonstrations.pick([12, 13])
    for name, taught, changed in (
        ("run", first, {}),
        ("run-1", first, {"seed": 1}),
        ("gamma", first, {"gamma": 0.9}),
        ("late", last, {}),
    ):
        with quickly():
            train(CARTPOLE, taught, TrainConfig(steps=64, num_envs=2, rollout_size=64, **changed), out=runs / name)
    demonstrations.save(runs / "demos.hdf5")
    return Files(demonstrations, runs)


@pytest.fixture
def demonstrations(files: Files) -> Demonstrations:
    """What demos.hdf5 holds."""
    return files.demonstrations


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, files: Files) -> None:
    """demos.hdf5, the runs and a module with policies in the current folder."""
    shutil.copytree(files.runs, tmp_path, dirs_exist_ok=True)
    (tmp_path / "teacher.py").write_text(TEACHER)
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[None]:
    """The task Walk-v0 of 9 steps, and walk.hdf5 with 12 episodes of always going up."""
    gymnasium.register("Walk-v0", entry_point=Walk, max_episode_steps=9)
    shown(lambda observations: np.ones(len(observations), np.int64), "Walk-v0", 12).save(tmp_path / "walk.hdf5")
    yield
    del gymnasium.registry["Walk-v0"]
