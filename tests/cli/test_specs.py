"""A SPEC may be a run: its policy, for the spaces it was trained on, and the checkpoint it comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gailkit.cli.specs import resolve_policy, spec_files
from gailkit.demonstrations.dataset import Demonstrations
from gailkit.errors import InputError
from gailkit.experts.random import random_policy
from gailkit.generator import TrainedPolicy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.training.config import TrainConfig
from gailkit.training.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder in CartPole-v1 after one short iteration."""
    env = make_env("CartPole-v1")
    demonstrations = Demonstrations(
        tuple(collect_episodes(random_policy(env.action_space, 0), lambda: make_env("CartPole-v1"), [0, 1])),
        env.observation_space,
        env.action_space,
        "CartPole-v1",
    )
    folder = tmp_path_factory.mktemp("specs") / "run"
    train("CartPole-v1", demonstrations, TrainConfig(steps=64, num_envs=2, rollout_size=64), out=folder)
    return folder


def test_a_run_gives_its_policy(run: Path) -> None:
    env = make_env("CartPole-v1")
    sampling = resolve_policy(str(run), env, seed=7, deterministic=False)
    assert isinstance(sampling, TrainedPolicy)
    assert sampling.seed == 7
    rows = np.stack([env.observation_space.sample() for _ in range(50)]).clip(-1, 1)
    mode = resolve_policy(str(run), env, seed=7, deterministic=True)
    np.testing.assert_array_equal(mode(rows), mode(rows))
    assert not np.array_equal(sampling(rows), sampling(rows))


def test_the_file_of_a_run_is_its_checkpoint(run: Path) -> None:
    (checkpoint,) = spec_files(str(run))
    assert checkpoint.is_file()
    assert checkpoint.parent.parent == run


def test_a_run_in_other_spaces_is_refused_with_both(run: Path) -> None:
    with pytest.raises(InputError, match=r"run in CartPole-v1 with observations Box.*\(4,\).*has Box.*\(3,\)"):
        resolve_policy(str(run), make_env("Pendulum-v1"), seed=0, deterministic=True)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run"):
        resolve_policy(str(tmp_path), make_env("CartPole-v1"), seed=0, deterministic=True)


def test_what_is_no_folder_goes_to_the_experts() -> None:
    env = make_env("CartPole-v1")
    rows = np.zeros((9, 4))
    expected = random_policy(env.action_space, 3)(rows)
    np.testing.assert_array_equal(resolve_policy("random", env, 3, deterministic=True)(rows), expected)
    assert spec_files("random") == []
