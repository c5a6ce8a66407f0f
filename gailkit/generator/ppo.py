"""Proximal policy optimisation with a clipped surrogate (PPO2). Schulman et al. 2017, section 3."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gailkit.functional.policy_gradient import clip_fraction, clipped_surrogate
from gailkit.functional.schedules import Schedule, constant, linear
from gailkit.generator.first_order import FirstOrderGenerator
from gailkit.generator.learning import Batch, policy_now
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution


class PPOClip(FirstOrderGenerator):
    """Maximises mean min(r A, clip(r, 1 - eps, 1 + eps) A), r = p / p_old, for several epochs over a rollout."""

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        gamma: float = 0.99,
        lam: float = 0.95,
        clip: float = 0.2,
        clip_schedule: Schedule = constant,
        epochs: int = 5,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        learning_rate_schedule: Schedule = linear,
        entropy_bonus: float = 0.0,
        max_gradient_norm: float = 0.5,
        target_kl: float = 0.0,
    ) -> None:
        """
        Args:
            clip: eps, how far the probability ratio may move from 1, multiplied by ``clip_schedule`` of the progress.

        The others are those of ``FirstOrderGenerator``.
        """
        super().__init__(
            actor_critic,
            gamma=gamma,
            lam=lam,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_schedule=learning_rate_schedule,
            entropy_bonus=entropy_bonus,
            max_gradient_norm=max_gradient_norm,
            target_kl=target_kl,
        )
        self.clip, self.clip_schedule = clip, clip_schedule

    def objective(self, distribution: ActionDistribution, batch: Batch, progress: float) -> Tensor:
        """The clipped surrogate."""
        log_prob = distribution.log_prob(batch.act)
        return clipped_surrogate(log_prob, batch.log_prob, batch.advantages, self.clip * self.clip_schedule(progress))

    @torch.no_grad()
    def conclude(self, batch: Batch, told: Mapping[str, float], progress: float) -> dict[str, float]:
        """The share of the rollout that ended up beyond the clip."""
        log_prob = policy_now(self.actor_critic, batch).log_prob(batch.act)
        fraction = clip_fraction(log_prob, batch.log_prob, self.clip * self.clip_schedule(progress))
        return {"clip_fraction": float(fraction)}
