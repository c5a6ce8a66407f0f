"""It learns: from an expert or the reward to play, from a bad example to play badly.

Settings are spelled out, so that tuning the defaults cannot hide a loss of ability.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation.evaluate import evaluate
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.training.build_policy import GENERATORS
from gailkit.training.config import DiscriminatorConfig, ExpertConfig, TrainConfig
from gailkit.training.expert import train_expert
from gailkit.training.policy_config import ON_POLICY, PolicyConfig
from gailkit.training.train import train


def settings(seed: int) -> TrainConfig:
    return TrainConfig(
        steps=10_240,
        seed=seed,
        num_envs=8,
        rollout_size=1024,
        gamma=0.99,
        discriminator=DiscriminatorConfig(logit_penalty=0.5, gradient_penalty=1.0, learning_rate=3e-4, updates=8),
        policy=PolicyConfig(learning_rate=1e-3, epochs=10, batch_size=256),
    )


def return_after_training(demonstrations: Demonstrations, seed: int) -> float:
    result = train("CartPole-v1", demonstrations, settings(seed))
    return evaluate(result.policy, demonstrations, "CartPole-v1", episodes=10, seed=100 + seed).return_mean


def test_an_expert_is_imitated_far_beyond_chance(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its rewards: a clone of one update is of no use, and none is begun with."""
    monkeypatch.setattr("gailkit.generator.cloning.MOST_UPDATES", 1)
    expert = Demonstrations.load(repository / "datasets" / "cartpole-v1.hdf5").choose(5)
    returns = [return_after_training(expert, seed) for seed in range(3)]
    assert statistics.median(returns) > 100, returns  # random actions get about 22, the expert 500


def test_a_constant_expert_teaches_nothing_about_the_task() -> None:
    """The bias control: survival that the rewards would favour by themselves, whatever the expert, would show here."""
    env = make_env("CartPole-v1")
    left = collect_episodes(
        lambda observations: np.zeros(len(observations), dtype=np.int64), lambda: make_env("CartPole-v1"), range(10)
    )
    constant = Demonstrations(tuple(left), env.observation_space, env.action_space)
    assert return_after_training(constant, seed=0) < 30


HASTE = {"pg": {"batch_size": 64, "learning_rate": 5e-3}}  # which passes over a rollout only once


@pytest.mark.parametrize("generator", [name for name in ON_POLICY if name in GENERATORS])
def test_every_generator_learns_from_the_true_reward(generator: str) -> None:
    """By the returns of the last 50 episodes, actions sampled; random actions get about 22."""
    returns = []
    for seed in range(3):
        policy = PolicyConfig(hidden=(32,), **HASTE.get(generator, {}))
        config = ExpertConfig(
            steps=8192, seed=seed, num_envs=8, rollout_size=256, gamma=0.99, generator=generator, policy=policy
        )
        returns.append(train_expert("CartPole-v1", config).metrics[-1]["episode/true_return"])
    assert statistics.median(returns) > 60, returns


REPLAYING = {
    "dqn": {"learning_rate": 2e-3, "target_rate": 0.02, "exploration_share": 0.5},
    "sac": {"learning_rate": 5e-3, "target_rate": 0.05, "updates_per_step": 0.5, "critic_hidden": (32,)},
}


@pytest.mark.parametrize("generator", REPLAYING)
def test_what_learns_from_a_replay_learns_from_the_true_reward_in_fewer_steps(generator: str) -> None:
    """As above; the generators for Box actions find the best of a chain in tests/generator."""
    returns = []
    for seed in range(3):
        policy = PolicyConfig(hidden=(32,), batch_size=64, warm_up=256, **REPLAYING[generator])
        config = ExpertConfig(steps=3072, seed=seed, gamma=0.99, generator=generator, policy=policy)
        returns.append(train_expert("CartPole-v1", config).metrics[-1]["episode/true_return"])
    assert statistics.median(returns) > 45, returns
