"""Actor-critic with Kronecker-factored trust regions (ACKTR). Wu et al. 2017; K-FAC of Martens & Grosse 2015."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from gailkit.errors import InputError
from gailkit.functional.kronecker import trust_region_step
from gailkit.functional.policy_gradient import importance_weighted
from gailkit.functional.schedules import Schedule, linear
from gailkit.generator.base import Generator
from gailkit.generator.learning import Batch, describe_update, learning_batch, value_loss, with_entropy
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.kronecker import KroneckerFisher
from gailkit.networks.recurrent import Features
from gailkit.ranks.merging import averaged, averaged_each
from gailkit.types import Reward, Rollout

TRIALS = 6  # of a step's length: one finds it where KL is quadratic in it, a few where it is not
TOLERANCE = 1.1  # a step is not tried again for the sake of less


class ACKTR(Generator):
    """Natural gradient steps of policy and value function over minibatches, as long as their trust regions allow.

    The policy climbs J = mean r A, r = p / p_old, along d = F^-1 grad J with F in Kronecker factors. A step eta d keeps
    mean KL(before, after) over the minibatch to about ``max_kl``. The value function descends 1/2 mean (V - target)^2
    in the same way: it is the log-likelihood of a normal distribution around V, in normalised units with deviation 1,
    whose Fisher information is the Gauss-Newton matrix. Wu et al. 2017, section 3.
    """

    def __init__(
        self,
        actor_critic: ActorCritic,
        *,
        gamma: float = 0.99,
        lam: float = 0.95,
        max_kl: float = 0.003,
        max_value_kl: float = 0.03,
        max_step: float = 1.0,
        step_schedule: Schedule = linear,
        damping: float = 0.003,
        decay: float = 0.9,
        epochs: int = 1,
        batch_size: int = 256,
        entropy_bonus: float = 0.0,
    ) -> None:
        """
        Args:
            lam: lambda of generalized advantage estimation.
            max_kl: delta, how far a step of the policy may go, in nats.
            max_value_kl: the same for the value function: half the mean square of its change, in normalised units.
            max_step: eta_max, the largest multiple of a natural gradient.
            step_schedule: of the progress; every step is multiplied by it.
            damping: lambda, added to the Fisher matrices where they are inverted.
            decay: weight of the past in the average of the Kronecker factors, for each rollout.
            epochs: how many times each rollout is gone through.
            batch_size: steps in a minibatch.
            entropy_bonus: weight of the entropy in J.

        Raises:
            InputError: if there are pictures among the observations, with a memory, or if policy or critic has
                parameters outside plain Linear layers, but for a free ``log_std``.
        """
        if actor_critic.encoder.pictures:
            raise InputError(
                "ACKTR does not learn from pictures, as its Fisher information is of Linear layers; the generators "
                "ppo-clip, ppo-penalty, trpo and pg do, and so do those that learn from a replay"
            )
        if actor_critic.memory is not None:
            raise InputError(
                "ACKTR does not learn with a memory, as its Fisher information is of layers that see a step once; the "
                "generators ppo-clip, ppo-penalty, trpo and pg do"
            )
        super().__init__(actor_critic)
        self.gamma, self.lam = gamma, lam
        self.max_kl, self.max_value_kl = max_kl, max_value_kl
        self.max_step, self.step_schedule = max_step, step_schedule
        self.epochs, self.batch_size = epochs, batch_size
        self.entropy_bonus = entropy_bonus
        log_stds = [free for name, free in actor_critic.named_parameters(recurse=False) if name == "log_std"]
        layers = _linear_layers("policy", actor_critic.policy, actor_critic.policy_parameters(), log_stds)
        self.policy_fisher = KroneckerFisher(layers, log_stds, damping=damping, decay=decay)
        layers = _linear_layers("critic", actor_critic.critic, actor_critic.critic.parameters(), ())
        self.critic_fisher = KroneckerFisher(layers, (), damping=damping, decay=decay)

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        """Estimate the Fisher information once, then step over the minibatches; see ``Generator.update``."""
        batch, explained = learning_batch(
            self.actor_critic, rollout, reward(rollout), self.gamma, self.lam, self.least_deviation
        )
        self.policy_fisher.observe(lambda: self._sampled_actions(batch.features))
        self.critic_fisher.observe(lambda: self._sampled_values(batch.features))
        share = self.step_schedule(progress)
        steps = [
            (self._improve_policy(minibatch, share, progress), self._improve_critic(minibatch, share))
            for _ in range(self.epochs)
            for minibatch in batch.minibatches(self.batch_size)
        ]
        policy_steps, value_steps = zip(*steps, strict=True)
        sizes = {"step_size": sum(policy_steps) / len(steps), "value_step_size": sum(value_steps) / len(steps)}
        return {**describe_update(self.actor_critic, batch), "explained_variance": explained, **sizes}

    def _improve_policy(self, batch: Batch, share: float, progress: float) -> float:
        distribution = self.actor_critic.distribution(batch.features)
        before = distribution.detach()
        objective = importance_weighted(distribution.log_prob(batch.act), batch.log_prob, batch.advantages)
        objective = with_entropy(objective, distribution, self.entropy_bonus)
        objective = self.guided(objective, self.expert_pairs(), progress)

        def divergence() -> Tensor:
            return before.kl(self.actor_critic.distribution(batch.features)).mean()

        return self._climb(self.policy_fisher, objective, divergence, self.max_kl, share)

    def _improve_critic(self, batch: Batch, share: float) -> float:
        before = self.actor_critic.critic.normalized(batch.features).detach()
        objective = -value_loss(self.actor_critic, batch)

        def divergence() -> Tensor:
            return (self.actor_critic.critic.normalized(batch.features) - before).square().mean() / 2

        return self._climb(self.critic_fisher, objective, divergence, self.max_value_kl, share)

    def _climb(
        self, fisher: KroneckerFisher, objective: Tensor, divergence: Callable[[], Tensor], max_kl: float, share: float
    ) -> float:
        """Move by ``share`` of the step that the trust region allows along the natural gradient; returns its length.

        Blocks know nothing of how layers act together: d^T F d of the factors is too small, often by a factor of 10.
        So the step is tried, and where it went too far d^T F d is what it measured, KL = 1/2 eta^2 d^T F d; a step that
        is still too far after all trials is not taken.
        """
        gradients = averaged_each(torch.autograd.grad(objective, fisher.trained))
        with torch.no_grad():
            starts = [parameter.clone() for parameter in fisher.trained]
            direction, curvature = fisher.natural(gradients)
            step = trust_region_step(curvature, max_kl, self.max_step)
            for _ in range(TRIALS):
                _move(fisher.trained, starts, direction, step)
                kl = float(averaged(divergence()))
                if kl <= TOLERANCE * max_kl:
                    break
                finite = math.isfinite(kl)
                step = trust_region_step(2.0 * kl / step**2, max_kl, self.max_step) if finite else 0.1 * step
            else:
                step = 0.0
            _move(fisher.trained, starts, direction, share * step)
        return share * step

    def _sampled_actions(self, features: Features) -> Tensor:
        """ln pi(a|s), (B,), of actions of its own."""
        distribution = self.actor_critic.distribution(features)
        return distribution.log_prob(distribution.sample())

    def _sampled_values(self, features: Features) -> Tensor:
        """ln N(y; V, 1) + const, (B,), of targets y = V + noise of its own."""
        values = self.actor_critic.critic.normalized(features)
        return -(values - (values + torch.randn_like(values)).detach()).square() / 2


def _move(parameters: Iterable[Tensor], starts: Iterable[Tensor], direction: Iterable[Tensor], step: float) -> None:
    for parameter, start, part in zip(parameters, starts, direction, strict=True):
        parameter.copy_(start.add(part, alpha=step))


def _linear_layers(
    what: str, network: nn.Module, parameters: Iterable[nn.Parameter], others: Iterable[nn.Parameter]
) -> list[nn.Linear]:
    """The Linear layers of ``network``, which with ``others`` must hold all the ``parameters``."""
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    owners = [module for module in network.modules() if next(module.parameters(recurse=False), None) is not None]
    strange = sorted({type(owner).__name__ for owner in owners if not isinstance(owner, nn.Linear)})
    known = {*others, *(parameter for layer in layers for parameter in layer.parameters())}  # tensors hash by identity
    if strange or not layers or not known.issuperset(parameters):
        found = ", ".join(strange) or ("parameters outside its network" if layers else "no Linear layer")
        raise InputError(
            f"ACKTR takes a {what} of Linear layers, modules without parameters and a free log_std; found {found}"
        )
    return layers
