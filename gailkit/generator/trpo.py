"""Trust region policy optimisation. Schulman et al. 2015."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from gailkit.functional.policy_gradient import importance_weighted
from gailkit.functional.schedules import Schedule, linear
from gailkit.functional.trust_region import backtracking, conjugate_gradient, longest_step
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
from gailkit.networks.fisher import FisherProduct
from gailkit.networks.flat import FlatParameters
from gailkit.ranks.merging import averaged
from gailkit.types import Reward, Rollout

SHRINK = 0.7  # of the step, from one attempt of the line search to the next


class TRPO(Generator):
    """Maximises J(theta) = mean r A subject to mean KL(theta_old, theta) <= delta, by one step a rollout.

    Its direction is the natural gradient, x with F x = grad J by conjugate gradient; a backtracking line search takes
    the longest step that keeps the constraint and does not lower J, or none. Where the expert guides the policy, J is
    what ``guided`` makes of it. The value function follows by Adam.
    """

    failures: Tensor  # () int64

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        gamma: float = 0.99,
        lam: float = 0.95,
        max_kl: float = 0.02,
        damping: float = 0.1,
        fisher_stride: int = 4,
        cg_iterations: int = 10,
        backtracks: int = 10,
        epochs: int = 5,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        learning_rate_schedule: Schedule = linear,
        entropy_bonus: float = 0.0,
        max_gradient_norm: float = 0.5,
    ) -> None:
        """
        Args:
            lam: lambda of generalized advantage estimation.
            max_kl: delta, in nats.
            damping: added to the diagonal of F.
            fisher_stride: one in so many steps of the rollout, drawn at random, serves for F.
            cg_iterations: Fisher-vector products a step.
            backtracks: lengths that the line search tries, each 0.7 of the last.
            epochs: how many times the value function goes through each rollout, in minibatches of ``batch_size``.
            learning_rate: Adam's for the value function, multiplied by ``learning_rate_schedule`` of the progress.
            entropy_bonus: weight of the entropy in J.
            max_gradient_norm: of the value function.
        """
        super().__init__(actor_critic)
        self.gamma, self.lam = gamma, lam
        self.max_kl, self.damping = max_kl, damping
        self.fisher_stride = fisher_stride
        self.cg_iterations, self.backtracks = cg_iterations, backtracks
        self.epochs, self.batch_size = epochs, batch_size
        self.learning_rate, self.learning_rate_schedule = learning_rate, learning_rate_schedule
        self.entropy_bonus = entropy_bonus
        self.max_gradient_norm = max_gradient_norm
        self.policy = FlatParameters(actor_critic.policy_parameters(), "the policy")
        self.critic = FlatParameters(actor_critic.critic.parameters(), "the value function")
        self.optimizer = torch.optim.Adam([self.critic.vector], learning_rate, eps=1e-5, fused=True)
        self.register_buffer("failures", torch.zeros((), dtype=torch.int64))

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        """One step of the policy, several epochs of the value function; see ``Generator.update``."""
        if self.guidance is not None:
            self.guidance.refresh()
        batch, explained = learning_batch(
            self.actor_critic, rollout, reward(rollout), self.gamma, self.lam, self.least_deviation
        )
        share = self._improve_policy(batch, progress)
        set_learning_rate(self.optimizer, self.learning_rate * self.learning_rate_schedule(progress))
        for _ in range(self.epochs):
            for minibatch in batch.minibatches(self.batch_size):
                self.critic.backward(value_loss(self.actor_critic, minibatch))
                self.critic.clip_gradient(self.max_gradient_norm)
                self.optimizer.step()
        described = describe_update(self.actor_critic, batch)
        searched = {"step_share": share, "line_search_failures": float(self.failures)}
        return {**described, "explained_variance": explained, **searched}

    def _improve_policy(self, batch: Batch, progress: float) -> float:
        """Move the policy's parameters; returns the share of the longest step that was taken, 0 where none was."""
        pairs = self.expert_pairs()  # the same ones before and after a step

        def objective(distribution: ActionDistribution, some: Batch) -> Tensor:
            return self.guided(self._objective(distribution, some), pairs, progress)

        before, gradient = self._slope(objective, batch)
        if not gradient.any():
            return 0.0
        states = batch.share(self.fisher_stride).features
        fisher = FisherProduct(self.actor_critic.distribution(states), self.policy, self.damping)
        direction = conjugate_gradient(fisher, gradient, self.cg_iterations)
        step = longest_step(direction, fisher(direction), self.max_kl)
        return self._search_line(step, partial(objective, some=batch), before, batch)

    def _slope(self, objective: Callable[[ActionDistribution, Batch], Tensor], batch: Batch) -> tuple[float, Tensor]:
        """The ``objective``, a mean over the steps of ``batch``, and its gradient (P,); of pictures chunk by chunk."""
        found, gradient = 0.0, torch.zeros_like(self.policy.gradient)
        for chunk in batch.chunks():
            share = len(chunk) / len(batch)
            own = objective(self.actor_critic.distribution(chunk.features), chunk)
            self.policy.backward(own)
            found += share * float(averaged(own.detach()))
            gradient.add_(self.policy.gradient, alpha=share)
        return found, gradient

    @torch.no_grad()
    def _search_line(
        self, step: Tensor, objective: Callable[[ActionDistribution], Tensor], before: float, batch: Batch
    ) -> float:
        """Take the longest share of ``step`` (P,) that is acceptable, and return it; 0 leaves everything as it was."""
        start = self.policy.vector.clone()

        def acceptable(share: float) -> bool:
            self.policy.vector.copy_(start + share * step)
            moved = policy_now(self.actor_critic, batch)
            near = float(averaged(batch.old.kl(moved).mean())) <= self.max_kl
            return near and float(averaged(objective(moved))) >= before

        share = backtracking(acceptable, self.backtracks, SHRINK)
        if share == 0.0:
            self.policy.vector.copy_(start)
            self.failures += 1
        return share

    def _objective(self, distribution: ActionDistribution, batch: Batch) -> Tensor:
        surrogate = importance_weighted(distribution.log_prob(batch.act), batch.log_prob, batch.advantages)
        return with_entropy(surrogate, distribution, self.entropy_bonus)
