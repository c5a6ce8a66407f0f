"""The policy gradient with importance weights and a value baseline (advantage actor-critic). Sutton et al. 2000."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from gailkit.functional.policy_gradient import importance_weighted
from gailkit.functional.schedules import Schedule, linear
from gailkit.generator.first_order import FirstOrderGenerator
from gailkit.generator.learning import Batch
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution


class PolicyGradient(FirstOrderGenerator):
    """Maximises J = E over pi_old of (p / p_old) A, in one epoch over a rollout; every rollout has a new pi_old.

    The weights p / p_old correct for the minibatches before: at p = p_old the gradient is E A grad ln p.
    """

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        gamma: float = 0.99,
        lam: float = 0.95,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        learning_rate_schedule: Schedule = linear,
        entropy_bonus: float = 0.0,
        max_gradient_norm: float = 0.5,
    ) -> None:
        """The arguments are those of ``FirstOrderGenerator``."""
        super().__init__(
            actor_critic,
            gamma=gamma,
            lam=lam,
            epochs=1,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_schedule=learning_rate_schedule,
            entropy_bonus=entropy_bonus,
            max_gradient_norm=max_gradient_norm,
            target_kl=0.0,
        )

    def objective(self, distribution: ActionDistribution, batch: Batch, progress: float) -> Tensor:
        """mean r A."""
        return importance_weighted(distribution.log_prob(batch.act), batch.log_prob, batch.advantages)

    def conclude(self, batch: Batch, told: Mapping[str, float], progress: float) -> dict[str, float]:
        """Nothing follows."""
        return {}
