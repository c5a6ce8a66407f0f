"""Proximal policy optimisation with an adaptive KL penalty. Schulman et al. 2017, section 4."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gailkit.errors import InputError
from gailkit.functional.policy_gradient import importance_weighted
from gailkit.functional.schedules import Schedule, linear
from gailkit.functional.trust_region import adapted_penalty
from gailkit.generator.first_order import FirstOrderGenerator
from gailkit.generator.learning import Batch
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution


class PPOPenalty(FirstOrderGenerator):
    """Maximises J(theta) - beta mean KL(theta_old, theta), for several epochs over a rollout.

    beta doubles after an update that moved further than ``kl_max`` and halves after one that stayed below ``kl_min``.
    """

    beta: Tensor  # () float64

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        gamma: float = 0.99,
        lam: float = 0.95,
        kl_penalty: float = 1.0,
        kl_min: float = 0.003,
        kl_max: float = 0.008,
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
            kl_penalty: beta at the start.
            kl_min: mean KL(old, new) of an update below which beta halves, in nats.
            kl_max: above which it doubles.

        The others are those of ``FirstOrderGenerator``.

        Raises:
            InputError: unless kl_min < kl_max.
        """
        if not kl_min < kl_max:
            raise InputError(f"kl_min must be below kl_max; found {kl_min:g} and {kl_max:g}")
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
        self.kl_min, self.kl_max = kl_min, kl_max
        self.register_buffer("beta", torch.tensor(kl_penalty, dtype=torch.float64))

    def objective(self, distribution: ActionDistribution, batch: Batch, progress: float) -> Tensor:
        """mean r A - beta mean KL(old, new)."""
        surrogate = importance_weighted(distribution.log_prob(batch.act), batch.log_prob, batch.advantages)
        return surrogate - float(self.beta) * batch.old.kl(distribution).mean()

    def conclude(self, batch: Batch, told: Mapping[str, float], progress: float) -> dict[str, float]:
        """Adapt beta to how far the update has led; returns the one that it was made with."""
        used = float(self.beta)
        self.beta.fill_(adapted_penalty(used, told["kl"], self.kl_min, self.kl_max))
        return {"kl_penalty": used}
