"""Training on a scale of milliseconds: small networks, few steps, environments that do what the test needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TransformReward

from gailkit.demonstrations import Demonstrations
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.vector import make_vector_env
from gailkit.training.build import build_trainer
from gailkit.training.config import DiscriminatorConfig, ExpertConfig, TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.parts import Parts
from gailkit.training.policy_config import PolicyConfig

Build = Callable[..., Trainer]

TINY = TrainConfig(
    steps=192,
    num_envs=2,
    rollout_size=64,
    discriminator=DiscriminatorConfig(hidden=(8,), batch_size=32, updates=2),
    policy=PolicyConfig(hidden=(8,), epochs=2, batch_size=32),
)
TINY_EXPERT = ExpertConfig(steps=TINY.steps, num_envs=2, rollout_size=64, policy=TINY.policy)


class Moody(gymnasium.Env[np.ndarray, np.int64]):
    """Episodes of one step that earn ``moods[i]`` in the i-th rollout of 64 steps, counted over all environments.

    Where a mood is None the environment raises instead.
    """

    observation_space = Box(-1, 1, (2,), np.float32)
    action_space = Discrete(2)
    steps_of_all = 0

    def __init__(self, moods: list[float | None]) -> None:
        self.moods = moods
        Moody.steps_of_all = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        return self._observation(), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        mood = self.moods[Moody.steps_of_all // 64]
        Moody.steps_of_all += 1
        if mood is None:
            raise RuntimeError("a fuse blew")
        return self._observation(), mood, True, False, {}

    def _observation(self) -> np.ndarray:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)


class Ring(gymnasium.Env[np.int64, np.int64]):
    """Six places in a ring, which the actions 0 and 1 walk round to the left and to the right; left earns 1."""

    observation_space = Discrete(6)
    action_space = Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = self.np_random.integers(6)
        return self.place, {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        self.place = (self.place + 2 * action - 1) % 6
        return self.place, float(action == 0), False, False, {}


def negated_cartpole() -> gymnasium.Env[Any, Any]:
    return TransformReward(CartPoleEnv(), lambda reward: -5.0 * float(reward))


@pytest.fixture(autouse=True, scope="session")
def environments() -> Iterator[None]:
    gymnasium.register("Moody-v0", entry_point=Moody)
    gymnasium.register("NegatedCartPole-v0", entry_point=negated_cartpole, max_episode_steps=500)
    gymnasium.register("Ring-v0", entry_point=Ring, max_episode_steps=20)
    yield
    for name in ("Moody-v0", "NegatedCartPole-v0", "Ring-v0"):
        gymnasium.registry.pop(name)


@pytest.fixture(autouse=True, scope="module")
def quick(quickly: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Clones and evaluations take few draws, those of fixtures too."""
    with quickly():
        yield


def demonstrations_of(env_id: str, episodes: int = 4, **env_kwargs: Any) -> Demonstrations:
    """What random actions do in ``env_id``: enough for all that does not ask for skill."""
    env = make_env(env_id, env_kwargs)
    policy = random_policy(env.action_space, 0)
    trajectories = collect_episodes(policy, lambda: make_env(env_id, env_kwargs), list(range(episodes)))
    return Demonstrations(tuple(trajectories), env.observation_space, env.action_space, env_id, env_kwargs)


@pytest.fixture(scope="session")
def tiny() -> TrainConfig:
    """Three iterations of 64 steps with networks of 8 units."""
    return TINY


@pytest.fixture(scope="session")
def tiny_expert() -> ExpertConfig:
    """The same without a discriminator."""
    return TINY_EXPERT


@pytest.fixture(scope="session")
def envs() -> Iterator[Environments]:
    """Two of CartPole-v1."""
    made = make_vector_env("CartPole-v1", 2)
    yield made
    made.close()


@pytest.fixture(scope="session")
def build(envs: Environments) -> Build:
    """``build(demonstrations, config, parts)``: a trainer in ``envs``, or in those given as ``into``, from seed 0."""

    def build(
        demonstrations: Demonstrations, config: TrainConfig, parts: Parts | None = None, into: Environments = envs
    ) -> Trainer:
        fitted = demonstrations.fitted_to(into.single_observation_space, into.single_action_space)
        torch.manual_seed(0)
        return build_trainer(config, into, fitted, parts)

    return build


@pytest.fixture(scope="session")
def cartpole() -> Demonstrations:
    """Four episodes of random actions in CartPole-v1."""
    return demonstrations_of("CartPole-v1")


@pytest.fixture(scope="session")
def moody(environments: None) -> Demonstrations:
    """Four episodes of random actions, a step each, in Moody-v0."""
    return demonstrations_of("Moody-v0", moods=[1.0])
