"""Learning from pictures: the same as from their features, which are never all there at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiBinary
from torch import Tensor, nn

from gailkit.discriminator import AdversarialLoss, BoxActionDiscriminator, DiscriminatorLearner, with_gradient_penalty
from gailkit.functional.rewards import log_d
from gailkit.generator import SAC, TRPO, Generator, PPOClip, PPOPenalty
from gailkit.generator import learning as module
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp
from gailkit.spaces import flattened_space
from gailkit.types import Rollout, Transitions

PICTURE = Box(0, 255, (20, 20, 3), np.uint8)
ACTIONS = flattened_space(MultiBinary(2))
STEPS, ENVS, BATCH = 24, 8, 16
WHOLE = STEPS * ENVS * PICTURE.shape[0] * PICTURE.shape[1] * PICTURE.shape[2] * 4  # bytes of all pictures in float32
FEW = 20 * 1200  # numbers: a chunk of twenty pictures


def eyes(channels: int, height: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 2, 8, 6), nn.Tanh(), nn.Flatten())


def made(kind: Callable[..., Generator], **settings: Any) -> tuple[Generator, Rollout]:
    """A generator and a rollout of it, each time the same."""
    torch.manual_seed(0)
    encoder = ObservationEncoder(PICTURE, eyes)
    obs = torch.randint(0, 256, (STEPS, ENVS, *PICTURE.shape), dtype=torch.uint8)
    encoder.update(obs.flatten(0, 1))
    generator = kind(ActorCritic(encoder, ACTIONS, (8,)), **settings)
    act = generator.act(obs.flatten(0, 1)).unflatten(0, (STEPS, ENVS))
    every = torch.ones(STEPS, ENVS, dtype=torch.bool)
    return generator, Rollout(obs, act, obs.roll(-1, 0), every, ~every)


def paid(rollout: Rollout) -> Tensor:
    """For pressing the first key."""
    return rollout.act[..., 0]


def parameters(generator: Generator) -> Tensor:
    return torch.cat([each.detach().flatten() for each in generator.actor_critic.parameters()])


KINDS: dict[str, Any] = {
    "ppo-clip": partial(PPOClip, epochs=2, batch_size=BATCH, target_kl=1.0),
    "ppo-penalty": partial(PPOPenalty, epochs=2, batch_size=BATCH),
    "trpo": partial(TRPO, epochs=1, batch_size=BATCH, damping=0.1, fisher_stride=12),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_few_at_a_time_they_teach_what_all_at_once_do(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found = []
    for chunk in (FEW, 2**40):
        monkeypatch.setattr(module, "CHUNK", chunk)
        generator, rollout = made(KINDS[name])
        before = parameters(generator).clone()
        torch.manual_seed(1)
        found.append((generator.update(rollout, paid), parameters(generator)))
        assert not torch.equal(found[-1][1], before)
    (told, one), (also_told, other) = found
    torch.testing.assert_close(one, other, atol=2e-4, rtol=0)
    assert told == pytest.approx(also_told, abs=1e-3)


@pytest.mark.parametrize("name", KINDS)
def test_no_tensor_is_as_large_as_a_rollout_in_float32(
    monkeypatch: pytest.MonkeyPatch, largest_tensor: Any, name: str
) -> None:
    monkeypatch.setattr(module, "CHUNK", FEW)
    generator, rollout = made(KINDS[name])
    with largest_tensor() as tensors:
        generator.update(rollout, paid)
    assert tensors.bytes <= max(rollout.obs.nbytes, WHOLE // 8)
    assert rollout.obs.dtype == torch.uint8 and rollout.obs.nbytes == WHOLE // 4


def test_a_discriminator_sees_them_a_batch_at_a_time(monkeypatch: pytest.MonkeyPatch, largest_tensor: Any) -> None:
    monkeypatch.setattr("gailkit.discriminator.base.CHUNK", FEW)
    generator, rollout = made(PPOClip)
    judge = BoxActionDiscriminator(generator.actor_critic.encoder, ACTIONS, partial(mlp, hidden=(8,)))
    learner = DiscriminatorLearner(
        judge,
        with_gradient_penalty(AdversarialLoss(), 1.0),
        log_d,
        expert_mass=0.0,
        gamma=0.9,
        batch_size=BATCH,
        updates=3,
    )
    expert = rollout.transitions()

    def draw(count: int) -> Transitions:
        return expert[torch.randint(len(expert), (count,))]

    with largest_tensor() as tensors:
        learner.update(draw, rollout)
        rewards = learner.rewards(rollout)
    assert tensors.bytes <= max(rollout.obs.nbytes, WHOLE // 6)
    with torch.no_grad():
        logits = judge(expert)
    torch.testing.assert_close(rewards.flatten(), log_d(logits) - learner.absorbing_reward())


def test_the_policy_that_sees_learns_what_pays() -> None:
    """The key that is to be pressed is the side on which the picture is bright."""
    torch.manual_seed(0)
    encoder = ObservationEncoder(PICTURE, eyes)
    generator = PPOClip(ActorCritic(encoder, Discrete(2), (16,)), learning_rate=5e-3, batch_size=64)
    earned = []
    for _ in range(12):
        side = torch.randint(2, (16, 16))
        obs = torch.zeros(16, 16, *PICTURE.shape, dtype=torch.uint8)
        obs[side == 0, :, :8], obs[side == 1, :, 12:] = 200, 200
        encoder.update(obs.flatten(0, 1))
        act = generator.act(obs.flatten(0, 1)).unflatten(0, (16, 16))
        every = torch.ones(16, 16, dtype=torch.bool)
        right = (act == side).float()
        generator.update(Rollout(obs, act, obs, every, ~every), lambda rollout, right=right: right)
        earned.append(float(right.mean()))
    assert earned[-1] > 0.95, earned


def test_what_learns_from_a_replay_sees_too() -> None:
    torch.manual_seed(0)
    encoder = ObservationEncoder(PICTURE, eyes)
    policy = ActorCritic(encoder, Box(-1, 1, (2,)), (8,), std="state", bounds="tanh")
    generator = SAC(policy, replay_size=400, warm_up=32, batch_size=16, updates_per_step=0.1, critic_hidden=(8,))
    obs = torch.randint(0, 256, (8, 8, *PICTURE.shape), dtype=torch.uint8)
    encoder.update(obs.flatten(0, 1))
    every = torch.ones(8, 8, dtype=torch.bool)
    rollout = Rollout(obs, torch.rand(8, 8, 2), obs, every, ~every)
    generator.experience(rollout)
    before = [each.detach().clone() for each in generator.critic.parameters()]
    told = generator.update(rollout, lambda steps: steps.act.sum(-1))
    assert told["updates"] == 6
    assert all(not torch.equal(*pair) for pair in zip(before, generator.critic.parameters(), strict=True))
