"""The deterministic policy gradient, which DDPG and TD3 share. Silver et al. 2014."""

from __future__ import annotations

import math
from typing import Any

import torch
from gymnasium.spaces import Box
from torch import Tensor

from gailkit.generator.off_policy import Batch, OffPolicyGenerator
from gailkit.networks.action_values import Target, action_values
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.flat import FlatParameters


class DeterministicGenerator(OffPolicyGenerator):
    """Its mean action mu(s) goes uphill on Q(s, mu(s)); normal noise around it explores.

    The noise is the policy's deviation, which nobody learns: ``exploration_noise``, or what a clone begins with.
    """

    acts_in = (Box,)

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        critic_hidden: tuple[int, ...],
        estimates: int,
        exploration_noise: float,
        learning_rate: float,
        target_rate: float,
        **shared: Any,
    ) -> None:
        """
        Args:
            critic_hidden: sizes of the hidden layers of the action values.
            estimates: how many there are of each action value.
            exploration_noise: standard deviation in half-widths of the Box.

        The others are those of ``OffPolicyGenerator``.
        """
        values = action_values(actor_critic.encoder, actor_critic.action_space, critic_hidden, estimates)
        super().__init__(actor_critic, values, learning_rate=learning_rate, target_rate=target_rate, **shared)
        actor_critic.set_log_std(math.log(exploration_noise))
        self.trained_policy = FlatParameters(actor_critic.policy.parameters())
        self.target_policy = Target(actor_critic.policy, self.trained_policy, target_rate)
        self.policy_optimizer = torch.optim.Adam([self.trained_policy.vector], learning_rate, fused=True)

    def values(self, critic: torch.nn.Module, features: Tensor, act: Tensor) -> Tensor:
        """Estimates (E, B) of Q(s, a) for features (B, size) and encoded actions (B, actions)."""
        values: Tensor = critic(torch.cat((features, act), -1))
        return values[..., 0]

    def target_action(self, features: Tensor) -> Tensor:
        """mu'(s) of the policy's copy, encoded, (B, actions)."""
        act: Tensor = self.action_encoder(self.actor_critic.distribution_of(self.target_policy(features)).mode())
        return act

    def improve_mean(self, batch: Batch, progress: float) -> Tensor:
        """One step of mu uphill on the first estimate of Q; the mean value before it."""
        act = self.action_encoder.differentiable(self.actor_critic.distribution(batch.features).mode())
        values = self.values(self.critic, batch.features, act)[0]
        self.improve(self.trained_policy, self.policy_optimizer, values, progress)
        self.target_policy.follow()
        return values.detach().mean()
