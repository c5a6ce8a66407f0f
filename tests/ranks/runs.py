"""What a rank does in the tests of whole runs: small imitations in CartPole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest import mock

import gymnasium
import torch
from gymnasium.envs.classic_control import CartPoleEnv

from gailkit.demonstrations import Demonstrations
from gailkit.experts.random import random_policy
from gailkit.generator import PolicyGradient
from gailkit.generator.learning import Batch
from gailkit.ranks.group import joined, rank
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.stepping import Stepping
from gailkit.training.config import DiscriminatorConfig, ExpertConfig, TrainConfig
from gailkit.training.expert import train_expert
from gailkit.training.policy_config import OFF_POLICY, PolicyConfig
from gailkit.training.resuming import resume
from gailkit.training.train import train
from tests.conftest import fewer_draws

NEVER = -1


class StoppedByTest(Exception):
    """Raised in the middle of a run."""


class FailsOnRankOne(CartPoleEnv):
    """Breaks in the 150th step of a process, if that is rank 1."""

    taken = 0

    def step(self, action: Any) -> Any:
        FailsOnRankOne.taken += 1
        if rank() == 1 and FailsOnRankOne.taken == 150:
            raise RuntimeError("a fuse blew")
        return super().step(action)


def nan_on_rank_one(logits: torch.Tensor) -> torch.Tensor:
    """A reward form, which gives no number while rank 1 trains: what is tried out before is fine."""
    return logits * (float("nan") if rank() == 1 and len(logits) > 2 else 1.0)


def config_of(generator: str, reward: str) -> TrainConfig:
    """Five iterations of 64 steps on each of two ranks."""
    few = {"warm_up": 32, "replay_size": 100, "updates_per_step": 0.1} if generator in OFF_POLICY else {}
    return TrainConfig(
        steps=670,
        num_envs=2,
        rollout_size=64,
        generator=generator,
        reward=reward,
        discriminator=DiscriminatorConfig(hidden=(8,), batch_size=32, updates=2),
        policy=PolicyConfig(hidden=(8,), **({} if ":" in generator else {"batch_size": 32}), **few),
    )


def demonstrations() -> Demonstrations:
    """Four episodes of random actions."""
    env = make_env("CartPole-v1")
    policy = random_policy(env.action_space, 0)
    trajectories = collect_episodes(policy, lambda: make_env("CartPole-v1"), list(range(4)))
    return Demonstrations(tuple(trajectories), env.observation_space, env.action_space, "CartPole-v1")


def whole_and_in_parts(folder: str) -> None:
    """Runs that nobody stops, in ``folder``/GENERATOR/whole, and the same, stopped by one rank and gone on with."""
    shown = demonstrations()
    for generator in ("ppo-clip", "sac"):
        imitate(f"{folder}/{generator}/whole", generator, shown, NEVER)
        imitate(f"{folder}/{generator}/parts", generator, shown, 2)
        with joined(), fewer_draws():
            resume(f"{folder}/{generator}/parts", shown)
    config = ExpertConfig(steps=640, num_envs=2, rollout_size=64, policy=PolicyConfig(hidden=(8,), batch_size=32))
    with joined(), fewer_draws():
        train_expert("CartPole-v1", config, out=f"{folder}/expert")


def imitate(
    out: str,
    generator: str,
    shown: Demonstrations,
    stop_after: int,
    env_id: str = "CartPole-v1",
    reward: str = "log_d",
) -> None:
    """A run of all ranks together; of them rank 1 stops it after so many iterations."""
    left = [stop_after]

    def on_iteration(metrics: dict[str, float]) -> None:
        left[0] -= 1
        if not left[0] and rank() == 1:
            raise StoppedByTest

    try:
        with joined(), fewer_draws():
            train(
                env_id,
                shown,
                config_of(generator, reward),
                out=out,
                on_iteration=on_iteration,
                stepping=Stepping(restarts=0),
                other_environment=True,
            )
    except Exception as error:
        if stop_after == NEVER:
            raise
        print(type(error).__name__, error)


class LearnsAlone(PolicyGradient):
    """Of which every rank goes its own way."""

    def conclude(self, batch: Batch, told: Mapping[str, float], progress: float) -> dict[str, float]:
        with torch.no_grad():
            self.trained.vector += 1e-6 * rank()
        return {}


def in_what_fails() -> None:
    """Runs in which one rank's environment fails, a generator keeps what it learns to a rank, and one rank diverges."""
    gymnasium.register("FailsOnRankOne-v0", entry_point=FailsOnRankOne, max_episode_steps=500)
    imitate("fails", "ppo-clip", demonstrations(), 10**9, "FailsOnRankOne-v0")
    with mock.patch("gailkit.training.loop.COMPARED", 2):
        imitate("alone", "tests.ranks.runs:LearnsAlone", demonstrations(), 10**9)
    imitate("diverges", "ppo-clip", demonstrations(), 10**9, reward="tests.ranks.runs:nan_on_rank_one")
