"""What a discriminator descends: a loss, and options that wrap a loss."""

import inspect
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from gailkit.discriminator.base import Discriminator
from gailkit.errors import InputError
from gailkit.functional import absorbing, losses
from gailkit.types import Transitions

PICTURED_PAIRS = 4  # of pairs of pictures one in so many is looked at for a slope, which costs four times their logits


class Weights(NamedTuple):
    """How much each side's mean counts in a loss; 1 and 1 where both stand for equally much of the occupancy."""

    expert: float = 1.0
    policy: float = 1.0


EQUAL = Weights()


class DiscriminatorLoss(Protocol):
    """A scalar to descend; a function will do.

    One that is a ``SolvedLoss`` also says where its minimum lies, and one that is a ``WeightedLoss`` is told where the
    sides stand for unequal shares of the occupancy.
    """

    def __call__(self, discriminator: Discriminator, expert: Transitions, policy: Transitions) -> Tensor:
        """The loss () on expert and policy transitions, both encoded (see ``Discriminator.encode``)."""
        ...


class SolvedLoss(Protocol):
    """A DiscriminatorLoss whose minimum is known."""

    def optimal_logit(self, share: float) -> float | None:
        """z*(w), the best logit where a share w in [0, 1] of the density is the expert's; None for not known."""
        ...


class WeightedLoss(Protocol):
    """A DiscriminatorLoss whose sides may count unequally."""

    def __call__(
        self, discriminator: Discriminator, expert: Transitions, policy: Transitions, weights: Weights = EQUAL
    ) -> Tensor:
        """The loss () with the mean of each side weighted."""
        ...


@dataclass(frozen=True)
class AdversarialLoss:
    """F_kappa = F + kappa/2 (mean z_real^2 + mean z_fake^2), the default; see ``functional.losses``."""

    logit_penalty: float = 0.5  # kappa

    def __post_init__(self) -> None:
        """Raises InputError unless kappa > 1/4, without which the loss is not convex."""
        if not self.logit_penalty > 0.25:
            raise InputError(f"the logit penalty must be above 0.25; found {self.logit_penalty}")

    def __call__(
        self, discriminator: Discriminator, expert: Transitions, policy: Transitions, weights: Weights = EQUAL
    ) -> Tensor:
        """F_kappa on encoded transitions."""
        real, fake = discriminator.logits(expert), discriminator.logits(policy)
        penalty = self.logit_penalty * losses.logit_penalty(real, fake, *weights)
        return losses.adversarial_loss(real, fake, *weights) + penalty

    def optimal_logit(self, share: float) -> float:
        """The solution of kappa z + sigmoid(-z) = w."""
        return absorbing.penalised_optimal_logit(share, self.logit_penalty)


@dataclass(frozen=True)
class CrossEntropyLoss:
    """The usual binary cross-entropy."""

    def __call__(
        self, discriminator: Discriminator, expert: Transitions, policy: Transitions, weights: Weights = EQUAL
    ) -> Tensor:
        """BCE on encoded transitions."""
        return losses.cross_entropy(discriminator.logits(expert), discriminator.logits(policy), *weights)

    def optimal_logit(self, share: float) -> float:
        """ln(w / (1 - w)), kept finite."""
        return absorbing.cross_entropy_optimal_logit(share)


@dataclass(frozen=True)
class GradientPenalisedLoss:
    """``loss`` + weight * mean max(0, |grad z| - 1)^2 at random points between expert and policy transitions.

    The gradient is that of the logit with respect to the encoded observations and, for Box actions, the encoded
    action. One-sided: a flat discriminator is not penalised. Gulrajani et al. 2017, equation 3; Petzka et al. 2018.
    Of pictures one point in PICTURED_PAIRS counts, at random: its expectation is that of all.
    """

    loss: DiscriminatorLoss
    weight: float

    def __call__(
        self, discriminator: Discriminator, expert: Transitions, policy: Transitions, weights: Weights = EQUAL
    ) -> Tensor:
        """The wrapped loss plus the penalty, on encoded transitions."""
        ends = _some_pairs(expert, policy) if discriminator.encoder.pictures else (expert, policy)
        penalty = _excess_slope(discriminator, _between(*ends))
        return weighted(self.loss, discriminator, expert, policy, weights) + self.weight * penalty

    def optimal_logit(self, share: float) -> float | None:
        """That of the wrapped loss: the absorbing state is one point, where nothing restrains the slope."""
        return optimal_logit(self.loss, share)


def weighted(
    loss: DiscriminatorLoss, discriminator: Discriminator, expert: Transitions, policy: Transitions, weights: Weights
) -> Tensor:
    """The loss with its sides weighted; without, where it is somebody's own and knows no weights."""
    if "weights" in inspect.signature(loss).parameters:
        return cast(WeightedLoss, loss)(discriminator, expert, policy, weights=weights)
    return loss(discriminator, expert, policy)


def optimal_logit(loss: DiscriminatorLoss, share: float) -> float | None:
    """z*(w) of a loss that is solved; None for any other, as of a critic whose logits mean nothing by themselves."""
    return cast(SolvedLoss, loss).optimal_logit(share) if hasattr(loss, "optimal_logit") else None


def with_gradient_penalty(loss: DiscriminatorLoss, weight: float) -> DiscriminatorLoss:
    """``loss`` with a one-sided gradient penalty; ``loss`` itself when ``weight`` is 0."""
    return GradientPenalisedLoss(loss, weight) if weight > 0.0 else loss


def _excess_slope(discriminator: Discriminator, points: Transitions) -> Tensor:
    """mean max(0, |grad z| - 1)^2 at ``points``, (); 0 of a discriminator that looks at none of what has a slope."""
    inputs = [points.obs.requires_grad_(), points.next_obs.requires_grad_()]
    if not isinstance(discriminator.action_encoder.space, Discrete):
        inputs.append(points.act.requires_grad_())
    found = torch.autograd.grad(discriminator.logits(points).sum(), inputs, create_graph=True, allow_unused=True)
    gradients = [gradient for gradient in found if gradient is not None]  # of what the discriminator looks at
    if not gradients:
        return torch.zeros((), device=points.device)
    norm = torch.cat(gradients, dim=-1).square().sum(-1).add(1e-12).sqrt()
    return (norm - 1.0).clamp(min=0.0).square().mean()


def _some_pairs(expert: Transitions, policy: Transitions) -> tuple[Transitions, Transitions]:
    """One in PICTURED_PAIRS of the pairs, at random."""
    size = min(len(expert), len(policy))
    chosen = torch.randperm(size, device=policy.device)[: -(-size // PICTURED_PAIRS)]
    return expert[chosen], policy[chosen]


def _between(expert: Transitions, policy: Transitions) -> Transitions:
    """One random point on the line between each pair; the longer batch is cut to the shorter."""
    size = min(len(expert), len(policy))
    mix = torch.rand(size, 1, device=policy.device)
    obs = torch.lerp(policy.obs[:size], expert.obs[:size], mix)
    act = torch.lerp(policy.act[:size], expert.act[:size], mix)
    next_obs = torch.lerp(policy.next_obs[:size], expert.next_obs[:size], mix)
    return Transitions(obs, act, next_obs, policy.terminated[:size])
