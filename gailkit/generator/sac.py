"""Soft actor-critic (SAC), Haarnoja et al. 2018; for Discrete actions Christodoulou 2019."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.functional.q_learning import soft_value, value_target
from gailkit.generator.cloning_worth import clipped_numbers, deviations
from gailkit.generator.guidance import Guidance
from gailkit.generator.off_policy import Batch, OffPolicyGenerator
from gailkit.networks.action_values import action_values
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import Categorical, DiagonalGaussian, TanhGaussian
from gailkit.networks.flat import FlatParameters
from gailkit.ranks.merging import averaged
from gailkit.types import Reward, Rollout, Transitions

DISCRETE_SHARE = 0.3  # of the entropy of uniform actions, where no clone tells how much of it an expert has
SEEN = 1000  # pairs of the expert's that its entropy is measured on


class Soft(NamedTuple):
    """A policy in B states, with the values of what it does."""

    value: Tensor  # (B,), the mean over its actions of Q - alpha ln pi
    entropy: Tensor  # (B,), an unbiased estimate where actions are drawn


class SAC(OffPolicyGenerator):
    """y = r + gamma (min_i Q_i'(s', a') - alpha ln pi(a'|s')), a' ~ pi; pi goes uphill on min_i Q_i - alpha ln pi.

    alpha rises while the entropy is below its target and falls while it is above. The target is -1 a dimension of
    half-width 1 for Box actions and a share of ln A for Discrete ones, or of a policy that began as a clone the entropy
    that the clone has where the expert was. Where there is an expert, it moves in the course of the run to the entropy
    of the expert's actions as far as the policy knows them (``entropy_of``): at any other one the two could be told
    apart by how their actions scatter, whatever the policy does.
    """

    measures = True

    first_entropy: Tensor  # (), the target at the start of the run
    last_entropy: Tensor  # (), and at its end

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        gamma: float = 0.99,
        replay_size: int = 1_000_000,
        warm_up: int = 1000,
        updates_per_step: float = 1.0,
        batch_size: int = 256,
        learning_rate: float = 3e-4,
        critic_hidden: tuple[int, ...] = (128, 128),
        target_rate: float = 0.005,
        n_step: int = 1,
        initial_temperature: float = 0.1,
    ) -> None:
        """
        Args:
            critic_hidden: sizes of the hidden layers of the action values.
            initial_temperature: alpha at the start.

        The others are those of ``OffPolicyGenerator``.
        """
        super().__init__(
            actor_critic,
            action_values(actor_critic.encoder, actor_critic.action_space, critic_hidden, estimates=2),
            gamma=gamma,
            replay_size=replay_size,
            warm_up=warm_up,
            updates_per_step=updates_per_step,
            batch_size=batch_size,
            learning_rate=learning_rate,
            target_rate=target_rate,
            n_step=n_step,
        )
        self.trained_policy = FlatParameters(actor_critic.policy_parameters())
        self.policy_optimizer = torch.optim.Adam([self.trained_policy.vector], learning_rate, fused=True)
        self.log_temperature = torch.nn.Parameter(
            torch.tensor(math.log(initial_temperature), device=actor_critic.device)
        )
        self.temperature_optimizer = torch.optim.Adam([self.log_temperature], learning_rate)
        self.register_buffer("first_entropy", torch.tensor(_usual_entropy(actor_critic), device=actor_critic.device))
        self.register_buffer("last_entropy", self.first_entropy.clone())

    def guide(self, guidance: Guidance) -> None:
        """Be guided, and begin with the entropy that the clone has where the expert was."""
        super().guide(guidance)
        with torch.no_grad():
            self.first_entropy.copy_(guidance.draw(SEEN).policy(self.actor_critic).entropy().mean())
            self.last_entropy.copy_(self.first_entropy)

    def target_entropy(self, progress: float) -> Tensor:
        """That of the policy, (), at a share in [0, 1] of the run."""
        return torch.lerp(self.first_entropy, self.last_entropy, progress)

    @torch.no_grad()
    def entropy_of(self, pairs: Transitions) -> Tensor:
        """The entropy of the actions of ``pairs``, (), from above, and from nearby of a policy that acts like them.

        For Discrete actions it is the mean of -ln pi(a|s), H(expert) + KL(expert || pi). For Box actions it is that of
        normal ones that deviate from the policy's likeliest as these do, in the mean over the pairs.
        """
        distribution = self._distribution(pairs.obs)
        if isinstance(distribution, Categorical):
            uniform = math.log(distribution.logits.shape[-1])
            return (-distribution.log_prob(pairs.act)).mean().clamp(max=uniform)
        acted, likeliest = (clipped_numbers(self.actor_critic, act) for act in (pairs.act, distribution.mode()))
        deviation = deviations(acted, likeliest, self.actor_critic.action_scale)
        normal = deviation.log() + 0.5 * math.log(2.0 * math.pi * math.e)
        return (normal + self.actor_critic.action_log_scale).sum()

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        """As that of ``OffPolicyGenerator``."""
        if self.measured is not None and self.warm:
            self.last_entropy.copy_(self.entropy_of(self.measured))
        return super().update(rollout, reward, progress)

    def learn(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """One step of the action values, of the policy and of alpha."""
        temperature = self.log_temperature.detach().exp()
        values = self.values_taken(batch)
        loss = self.fit_values(values, self.targets(batch, temperature))
        soft = self.soft(self.critic, batch.features, temperature)
        self.improve(self.trained_policy, self.policy_optimizer, soft.value, progress)
        entropy = averaged(soft.entropy.detach().mean())
        self.adapt_temperature(entropy, self.target_entropy(progress))
        self.target_critic.follow()
        return {
            "value_loss": loss,
            "value": values.detach().mean(),
            "entropy": entropy,
            "target_entropy": self.target_entropy(progress),
            "temperature": temperature,
        }

    @torch.no_grad()
    def targets(self, batch: Batch, temperature: Tensor) -> Tensor:
        """y (B,)."""
        return value_target(batch.ahead, self.soft(self.target_critic, batch.following, temperature).value)

    def values_taken(self, batch: Batch) -> Tensor:
        """Estimates (E, B) of Q at the actions of the batch."""
        if isinstance(self.actor_critic.action_space, Discrete):
            taken: Tensor = (self.critic(batch.features) * batch.act).sum(-1)
            return taken
        values: Tensor = self.critic(torch.cat((batch.features, batch.act), -1))
        return values.squeeze(-1)

    def soft(self, critic: torch.nn.Module, features: Tensor, temperature: Tensor) -> Soft:
        """The policy's soft value by ``critic``'s smaller estimate: exact for Discrete actions, else of a sample."""
        distribution = self.actor_critic.distribution(features)
        if isinstance(distribution, Categorical):
            log_probs = distribution.logits.log_softmax(-1)
            return Soft(soft_value(_least(critic(features)), log_probs, temperature), distribution.entropy())
        assert isinstance(distribution, DiagonalGaussian | TanhGaussian)
        act, log_prob = distribution.drawn()
        values = critic(torch.cat((features, self.action_encoder.differentiable(act)), -1)).squeeze(-1)
        return Soft(_least(values) - temperature * log_prob, -log_prob)

    def adapt_temperature(self, entropy: Tensor, target: Tensor) -> None:
        """One step of alpha, up where ``entropy`` () is below ``target`` (). Haarnoja et al. 2018b, equation 18."""
        self.temperature_optimizer.zero_grad()
        (self.log_temperature.exp() * (entropy - target)).backward()
        self.temperature_optimizer.step()


def _least(values: Tensor) -> Tensor:
    """The smaller of the estimates (E, ...)."""
    return values.min(0).values


def _usual_entropy(actor_critic: ActorCritic) -> float:
    """In nats, and for Box actions in the units of the environment, as their densities are."""
    space = actor_critic.action_space
    if isinstance(space, Discrete):
        return DISCRETE_SHARE * math.log(int(space.n))
    assert isinstance(space, Box)
    return float(actor_critic.action_log_scale.sum()) - actor_critic.action_scale.numel()
