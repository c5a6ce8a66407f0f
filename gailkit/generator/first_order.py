"""What the optimisers that follow a gradient with Adam have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from gailkit.functional.schedules import Schedule
from gailkit.generator.base import Generator
from gailkit.generator.learning import (
    Batch,
    describe_update,
    learning_batch,
    policy_now,
    set_learning_rate,
    value_loss,
    with_entropy,
)
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution
from gailkit.networks.flat import FlatParameters
from gailkit.ranks.merging import averaged
from gailkit.types import Reward, Rollout


class FirstOrderGenerator(Generator):
    """Epochs of Adam over the minibatches of a rollout, policy and value function together.

    Descends value loss - objective - c entropy + guidance (``Generator.guided``). A subclass gives the ``objective``
    and what follows an update.
    """

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        gamma: float,
        lam: float,
        epochs: int,
        batch_size: int,
        learning_rate: float,
        learning_rate_schedule: Schedule,
        entropy_bonus: float,
        max_gradient_norm: float,
        target_kl: float,
    ) -> None:
        """
        Args:
            gamma: discount of future rewards, in [0, 1).
            lam: lambda of generalized advantage estimation.
            epochs: how many times each rollout is gone through.
            batch_size: steps in a minibatch.
            learning_rate: Adam's, multiplied by ``learning_rate_schedule`` of the progress.
            entropy_bonus: c.
            max_gradient_norm: longer gradients, of policy and value function together, are shortened to it.
            target_kl: no further epoch once mean KL(old, new) over the rollout exceeds it, in nats; 0 never stops.
        """
        super().__init__(actor_critic)
        self.gamma, self.lam = gamma, lam
        self.epochs, self.batch_size = epochs, batch_size
        self.learning_rate, self.learning_rate_schedule = learning_rate, learning_rate_schedule
        self.entropy_bonus = entropy_bonus
        self.max_gradient_norm = max_gradient_norm
        self.target_kl = target_kl
        self.trained = FlatParameters(
            [*actor_critic.policy_parameters(), *actor_critic.critic.parameters()], "policy and value"
        )
        self.optimizer = torch.optim.Adam([self.trained.vector], learning_rate, eps=1e-5, fused=True)

    @abstractmethod
    def objective(self, distribution: ActionDistribution, batch: Batch, progress: float) -> Tensor:
        """What the policy maximises on a minibatch, a scalar; ``distribution`` is its present pi in those states."""

    @abstractmethod
    def conclude(self, batch: Batch, told: Mapping[str, float], progress: float) -> dict[str, float]:
        """What follows an update that led to what is ``told``: adapt coefficients, and more to tell, by name."""

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        """Epochs over the rollout; see ``Generator.update``."""
        set_learning_rate(self.optimizer, self.learning_rate * self.learning_rate_schedule(progress))
        if self.guidance is not None:
            self.guidance.refresh()
        batch, explained = learning_batch(
            self.actor_critic, rollout, reward(rollout), self.gamma, self.lam, self.least_deviation
        )
        epochs, far = 0, False
        while epochs < self.epochs and not far:
            for minibatch in batch.minibatches(self.batch_size):
                self._step(minibatch, progress)
            epochs += 1
            far = self._far_enough(batch)
        told = {**describe_update(self.actor_critic, batch), "explained_variance": explained, "epochs": float(epochs)}
        return {**told, **self.conclude(batch, told, progress)}

    def _step(self, batch: Batch, progress: float) -> None:
        distribution = self.actor_critic.distribution(batch.features)
        objective = with_entropy(self.objective(distribution, batch, progress), distribution, self.entropy_bonus)
        objective = self.guided(objective, self.expert_pairs(), progress)
        self.trained.backward(value_loss(self.actor_critic, batch) - objective)
        self.trained.clip_gradient(self.max_gradient_norm)
        self.optimizer.step()

    @torch.no_grad()
    def _far_enough(self, batch: Batch) -> bool:
        if self.target_kl == 0:
            return False
        kl = averaged(batch.old.kl(policy_now(self.actor_critic, batch)).mean())
        return float(kl) > self.target_kl
