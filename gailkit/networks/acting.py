"""A policy as a module that acts: what leaves gailkit, with nothing around it."""

from __future__ import annotations

import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution


class Actions(nn.Module):
    """Observations (B, *obs) to the likeliest actions (B, *act), or to ``sampled`` ones, clipped to a Box."""

    def __init__(self, actor_critic: ActorCritic, sampled: bool) -> None:
        super().__init__()
        self.actor_critic, self.sampled = actor_critic, sampled
        space = actor_critic.action_space
        self.register_buffer("low", torch.as_tensor(space.low).float() if isinstance(space, Box) else None)
        self.register_buffer("high", torch.as_tensor(space.high).float() if isinstance(space, Box) else None)
        self.low: Tensor | None
        self.high: Tensor | None

    def forward(self, obs: Tensor) -> Tensor:
        return self.of(self.actor_critic(obs))

    def of(self, distribution: ActionDistribution) -> Tensor:
        """The actions of a distribution."""
        actions = distribution.sample() if self.sampled else distribution.mode()
        return actions if self.low is None else actions.clamp(self.low, self.high)


class ActionsAndStates(nn.Module):
    """Observations (B, *obs) and states (B, M) to actions (B, *act), as ``Actions``, and the states after them."""

    def __init__(self, actor_critic: ActorCritic, sampled: bool) -> None:
        super().__init__()
        self.actions = Actions(actor_critic, sampled)

    def forward(self, obs: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        actor_critic = self.actions.actor_critic
        distribution, after = actor_critic.follow(actor_critic.encoder(obs), states)
        return self.actions.of(distribution), after
