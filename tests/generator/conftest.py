"""Small policies, what they do in episodes of one step, and their gradients and divergences by other means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from gailkit.generator import Generator
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution, Categorical
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Rollout

MakeActorCritic = Callable[..., ActorCritic]
RollOut = Callable[..., Rollout]
PolicyVector = Callable[[Generator], Tensor]
PlainPolicyGradient = Callable[[Generator, Rollout, Tensor], Tensor]
ExactKL = Callable[[ActionDistribution, ActionDistribution], Tensor]


def actor_critic(
    action_space: Space[Any] | None = None,
    observation_space: Space[Any] | None = None,
    hidden: int = 16,
    **head: str,
) -> ActorCritic:
    encoder = ObservationEncoder(observation_space or Discrete(3))
    if isinstance(encoder.space, Box):
        encoder.update(3 + 2 * torch.randn(50, *encoder.space.shape))
    return ActorCritic(encoder, action_space or Discrete(3), (hidden,), **head)


def observations(space: Space[Any], *lead: int) -> Tensor:
    if isinstance(space, Discrete):
        return int(space.start) + torch.randint(int(space.n), lead)
    return 3 + 2 * torch.randn(*lead, *(space.shape or ()))


def rollout(generator: Generator, steps: int = 16, environments: int = 8, obs: Tensor | None = None) -> Rollout:
    obs = observations(generator.actor_critic.encoder.space, steps, environments) if obs is None else obs
    lead = obs.shape[:2]
    flat = obs.flatten(0, 1)
    act = generator.act(flat)
    every = torch.ones(lead, dtype=torch.bool)
    return Rollout(obs, act.unflatten(0, lead), obs.roll(-1, 0), every, ~every)


def policy_vector(generator: Generator) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in generator.actor_critic.policy_parameters()])


def theirs(distribution: ActionDistribution) -> Distribution:
    if isinstance(distribution, Categorical):
        return torch.distributions.Categorical(logits=distribution.logits.double())
    mean, log_std = (tensor.double() for tensor in distribution.parameters())
    return Independent(Normal(mean, log_std.exp()), mean.ndim - 1)


def exact_kl(old: ActionDistribution, new: ActionDistribution) -> Tensor:
    with torch.no_grad():
        return kl_divergence(theirs(old), theirs(new)).mean()


def plain_policy_gradient(generator: Generator, steps: Rollout, rewards: Tensor) -> Tensor:
    advantages = rewards.flatten() - generator.value(steps.obs.flatten(0, 1))  # of episodes of one step
    advantages = (advantages - advantages.mean()) / advantages.std()
    distribution = generator.actor_critic(steps.obs.flatten(0, 1))
    act = steps.act.flatten(0, 1)
    index = act - distribution.start if isinstance(distribution, Categorical) else act
    objective = (advantages * theirs(distribution).log_prob(index)).mean()
    gradients = torch.autograd.grad(objective, generator.actor_critic.policy_parameters())
    return torch.cat([gradient.flatten() for gradient in gradients])


@pytest.fixture(scope="session")
def make_actor_critic() -> MakeActorCritic:
    """``make_actor_critic(action_space, observation_space)``: by default three arms in each of three contexts."""
    return actor_critic


@pytest.fixture(scope="session")
def roll_out() -> RollOut:
    """``roll_out(generator)``: what it does in 16 steps of 8 environments, each step an episode that terminates.

    Or on the observations ``obs`` (T, N, *obs). The flags and values may be written over.
    """
    return rollout


@pytest.fixture(scope="session")
def vector_of() -> PolicyVector:
    """``vector_of(generator)``: a copy of its policy's parameters (P,)."""
    return policy_vector


@pytest.fixture(scope="session")
def kl_of() -> ExactKL:
    """``kl_of(old, new)``: mean KL between two of our distributions as torch.distributions computes it, in float64."""
    return exact_kl


@pytest.fixture(scope="session")
def gradient_of() -> PlainPolicyGradient:
    """``gradient_of(generator, rollout, rewards)``: mean A grad ln p (P,) with A standardised."""
    return plain_policy_gradient
