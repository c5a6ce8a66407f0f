"""Images and observations of several parts, from the environment into a policy that has learned from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete
from torch import nn

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import (
    AdversarialLoss,
    BoxActionDiscriminator,
    DiscreteActionDiscriminator,
    with_gradient_penalty,
)
from gailkit.experts.random import random_policy
from gailkit.generator import Generator
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp
from gailkit.rollouts.collector import Collector
from gailkit.rollouts.environments import SeedStream, make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.vector import make_vector_env
from gailkit.training.config import DiscriminatorConfig, TrainConfig
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.train import train
from gailkit.types import Reward, Rollout, Trajectory

SCREEN, ROBOT = "gailkit-test/Screen-v0", "gailkit-test/Robot-v0"
IMAGE = Box(0, 255, (3, 4, 2), np.uint8)
STEPS = 8

TINY = TrainConfig(
    steps=192,
    num_envs=2,
    rollout_size=64,
    discriminator=DiscriminatorConfig(hidden=(8,), batch_size=32, updates=2),
    policy=PolicyConfig(hidden=(8,), epochs=2, batch_size=32),
)


class Screen(gymnasium.Env[Any, Any]):
    """Shows an image of noise whose first number is the step so far; a ``robot`` sees beside it whether t is odd."""

    def __init__(self, actions: Space[Any] = IMAGE, robot: bool = False) -> None:
        self.action_space = actions
        self.robot = robot
        self.observation_space = Dict({"see": IMAGE, "odd": Discrete(2)}) if robot else IMAGE

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.time += 1
        return self._observation(), 1.0, self.time == STEPS, False, {}

    def _observation(self) -> Any:
        image = self.np_random.integers(100, 256, IMAGE.shape, dtype=np.uint8)
        image[0, 0, 0] = self.time
        return {"see": image, "odd": self.time % 2} if self.robot else image


class Untaught(Generator):
    """Acts and does not learn."""

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        return {}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    gymnasium.register(SCREEN, entry_point=Screen)
    gymnasium.register(ROBOT, entry_point=Screen, kwargs={"robot": True})
    torch.manual_seed(0)
    yield
    for name in (SCREEN, ROBOT):
        gymnasium.registry.pop(name)


def collected(actions: Space[Any]) -> tuple[ObservationEncoder, Rollout]:
    """Whole episodes of a random policy, and the encoder it sees them through."""
    envs = make_vector_env(SCREEN, 2, {"actions": actions})
    encoder = ObservationEncoder(IMAGE)
    encoder.update(torch.randint(0, 256, (50, *IMAGE.shape), dtype=torch.uint8))
    generator = Untaught(ActorCritic(encoder, actions, (8,)))
    return encoder, Collector(envs, 2 * STEPS, SeedStream(0, "training")).collect(generator)


def demonstrations_of(rollout: Rollout, actions: Space[Any]) -> Demonstrations:
    """What happened in a rollout of whole episodes, as a file would hold it."""
    episodes = []
    for i in range(2):
        for start in (0, STEPS):
            part = slice(start, start + STEPS)
            observations = torch.cat([rollout.obs[part, i], rollout.next_obs[part, i][-1:]]).numpy()
            episodes.append(Trajectory(observations, rollout.act[part, i].numpy(), None, True))
    return Demonstrations(tuple(episodes)).fitted_to(IMAGE, actions)


def network(inputs: int, outputs: int) -> nn.Module:
    return mlp(inputs, outputs, (8,))


def test_images_stay_bytes_from_the_environment_to_the_rollout() -> None:
    _, rollout = collected(Discrete(2))
    assert rollout.obs.dtype == rollout.next_obs.dtype == torch.uint8
    assert rollout.obs.shape == (2 * STEPS, 2, *IMAGE.shape)
    time = rollout.obs[..., 0, 0, 0].long()
    assert torch.equal(time, (torch.arange(2 * STEPS) % STEPS)[:, None].expand(-1, 2))
    assert torch.equal(rollout.next_obs[..., 0, 0, 0].long(), time + 1)
    assert torch.equal(rollout.next_obs[:-1][time[:-1] < STEPS - 1], rollout.obs[1:][time[:-1] < STEPS - 1])
    image = make_env(SCREEN, {"actions": Discrete(2)}).reset(seed=next(SeedStream(0, "training")))[0]
    assert np.array_equal(rollout.obs[0, 0].numpy(), image)


@pytest.mark.parametrize("actions", [Discrete(2), Box(-1, 1, (2,))], ids=str)
def test_images_of_equal_content_have_equal_logits_whether_the_expert_saw_them_or_the_policy(
    actions: Space[Any],
) -> None:
    encoder, rollout = collected(actions)
    kind = DiscreteActionDiscriminator if isinstance(actions, Discrete) else BoxActionDiscriminator
    discriminator = kind(encoder, actions, network)
    expert, policy = demonstrations_of(rollout, actions).transitions(), rollout.transitions()
    order = torch.arange(4 * STEPS).reshape(2 * STEPS, 2).T.flatten()  # episode after episode, as the expert's
    policy = policy[order]
    assert expert.obs.dtype == policy.obs.dtype == torch.uint8
    assert torch.equal(expert.obs, policy.obs) and torch.equal(expert.next_obs, policy.next_obs)
    assert torch.equal(discriminator(expert), discriminator(policy))
    assert discriminator(expert).std() > 0


@pytest.mark.parametrize("actions", [Discrete(2), Box(-1, 1, (2,))], ids=str)
def test_the_gradient_penalty_and_the_statistics_take_images(actions: Space[Any]) -> None:
    encoder, rollout = collected(actions)
    kind = DiscreteActionDiscriminator if isinstance(actions, Discrete) else BoxActionDiscriminator
    discriminator = kind(encoder, actions, network)
    encoded = discriminator.encode(rollout.transitions())
    assert encoded.obs.dtype == encoded.next_obs.dtype == torch.float32
    plain, penalised = AdversarialLoss(), with_gradient_penalty(AdversarialLoss(), 100.0)
    loss = penalised(discriminator, encoded, encoded)
    assert loss.isfinite() and loss >= plain(discriminator, encoded, encoded)
    loss.backward()
    assert all(parameter.grad is not None for parameter in discriminator.parameters())
    fresh = ObservationEncoder(IMAGE)
    fresh.update(rollout.obs.flatten(0, 1))
    assert fresh.normalizer is not None
    expected = rollout.obs.flatten(0, 1).double().flatten(1).mean(0)
    torch.testing.assert_close(fresh.normalizer.mean, expected)


@pytest.mark.parametrize("env_id", [SCREEN, ROBOT])
@pytest.mark.parametrize("actions", [Discrete(2), Box(-1, 1, (2,))], ids=str)
def test_a_policy_is_trained_on_what_it_sees(env_id: str, actions: Space[Any]) -> None:
    env = make_env(env_id, {"actions": actions})
    policy = random_policy(actions, 0)
    episodes = collect_episodes(policy, lambda: make_env(env_id, {"actions": actions}), list(range(4)))
    shown = Demonstrations(tuple(episodes), env.observation_space, actions, env_id)
    result = train(env_id, shown, TINY, env_kwargs={"actions": actions})
    observations = np.stack([env.reset(seed=seed)[0] for seed in range(3)])
    assert observations.shape == (3, *env.observation_space.shape)
    chosen = result.policy(observations)
    assert chosen.shape == (3, *actions.shape) and np.isfinite(chosen).all()
