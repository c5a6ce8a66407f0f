"""A stand-in for the Hub, and a run to publish there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.training.config import DiscriminatorConfig, TrainConfig
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.train import train
from tests.hub.stand_in import Hub, standing_in

CONFIG = TrainConfig(
    steps=192,
    num_envs=2,
    rollout_size=64,
    discriminator=DiscriminatorConfig(hidden=(8,), batch_size=32, updates=2),
    policy=PolicyConfig(hidden=(8,), epochs=2, batch_size=32),
)


@pytest.fixture(autouse=True, scope="session")
def quick(quickly: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    with quickly():
        yield


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A stand-in for the Hub."""
    with standing_in() as server:
        yield server


@pytest.fixture(scope="session")
def shown() -> Demonstrations:
    """Four episodes of random actions in CartPole-v1, which say where on a machine they were recorded."""
    env = make_env("CartPole-v1")
    episodes = collect_episodes(random_policy(env.action_space, 0), lambda: make_env("CartPole-v1"), range(4))
    provenance = {"command": "gailkit record CartPole-v1 --policy /home/ada/agent -o /home/ada/demos.hdf5"}
    return Demonstrations(
        tuple(episodes), env.observation_space, env.action_space, "CartPole-v1", provenance=provenance
    )


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, shown: Demonstrations) -> Path:
    """A finished run that imitates them."""
    folder = tmp_path_factory.mktemp("published") / "run"
    command = "gailkit train CartPole-v1 --demos /home/ada/demos.hdf5 --out '/home/ada/my runs/run'"
    train("CartPole-v1", shown, CONFIG, out=folder, command=command, source={"demos": "/home/ada/demos.hdf5"})
    return folder
