"""Proximal policy optimisation with a clipped surrogate (PPO2). Schulman et al. 2017."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gailkit.functional.policy_gradient import clipped_surrogate, standardized
from gailkit.functional.returns import explained_variance, generalized_advantages
from gailkit.generator.base import Generator
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.flat import FlatParameters
from gailkit.types import Rollout


class _Batch(NamedTuple):
    """A rollout flattened for minibatches; B = T * N."""

    features: Tensor  # (B, size)
    act: Tensor  # (B, *act)
    log_prob: Tensor  # (B,)
    advantages: Tensor  # (B,), standardized
    targets: Tensor  # (B,), normalised value targets


class PPOClip(Generator):
    """Maximises mean min(r A, clip(r, 1 - eps, 1 + eps) A) + c H over minibatches, for several passes of a rollout."""

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        gamma: float = 0.99,
        lam: float = 0.98,
        clip: float = 0.2,
        epochs: int = 5,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        entropy_bonus: float = 0.0,
        max_gradient_norm: float = 0.5,
    ) -> None:
        """
        Args:
            lam: lambda of generalized advantage estimation.
            clip: eps, how far the probability ratio may move from 1.
            epochs: passes over each rollout.
            batch_size: steps in a minibatch.
            learning_rate: Adam's at the start; it falls linearly to 0 at the end of training.
        """
        super().__init__(actor_critic)
        self.gamma, self.lam = gamma, lam
        self.clip = clip
        self.epochs, self.batch_size = epochs, batch_size
        self.learning_rate = learning_rate
        self.entropy_bonus = entropy_bonus
        self.max_gradient_norm = max_gradient_norm
        self.trained = FlatParameters([*actor_critic.policy_parameters(), *actor_critic.critic.parameters()])
        self.optimizer = torch.optim.Adam([self.trained.vector], learning_rate, eps=1e-5, fused=True)

    def update(self, rollout: Rollout, rewards: Tensor, progress: float = 0.0) -> dict[str, float]:
        """Several passes of clipped updates over the rollout; see ``Generator.update``."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * (1.0 - progress)
        estimates = generalized_advantages(rollout, rewards, self.gamma, self.lam)
        batch = self._batch(rollout, estimates.advantages, estimates.returns)
        steps = []
        for _ in range(self.epochs):
            order = torch.randperm(len(batch.targets))
            shuffled = (field[order].split(self.batch_size) for field in batch)
            steps += [self._step(_Batch(*parts)) for parts in zip(*shuffled, strict=True)]
        means = torch.stack(steps).mean(0).tolist()
        names = ("surrogate", "value_loss", "entropy", "kl", "clip_fraction")
        explained = explained_variance(rollout.value, estimates.returns)
        return dict(zip(names, means, strict=True)) | {"explained_variance": explained}

    def _batch(self, rollout: Rollout, advantages: Tensor, returns: Tensor) -> _Batch:
        with torch.no_grad():
            features = self.actor_critic.encoder(rollout.obs.flatten(0, 1))
        return _Batch(
            features,
            rollout.act.flatten(0, 1),
            rollout.log_prob.flatten(),
            standardized(advantages).flatten(),
            self.actor_critic.critic.normalize_targets(returns).flatten(),
        )

    def _step(self, batch: _Batch) -> Tensor:
        """One gradient step; returns surrogate, value loss, entropy, KL and clip fraction, (5,)."""
        distribution = self.actor_critic.distribution(batch.features)
        surrogate = clipped_surrogate(distribution.log_prob(batch.act), batch.log_prob, batch.advantages, self.clip)
        with torch.set_grad_enabled(self.entropy_bonus > 0):
            entropy = distribution.entropy().mean()
        value_loss = (self.actor_critic.critic.normalized(batch.features) - batch.targets).square().mean() / 2
        loss = value_loss - surrogate.objective - self.entropy_bonus * entropy
        self.trained.backward(loss)
        self.trained.clip_gradient(self.max_gradient_norm)
        self.optimizer.step()
        return torch.stack(
            (surrogate.objective, value_loss, entropy, surrogate.approx_kl, surrogate.clip_fraction)
        ).detach()
