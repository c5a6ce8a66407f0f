"""Distributions over actions, each a frozen record of its parameters for B states."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

_WIDTH, _NODES = 6.0, 49  # of the trapezoidal rule over a standard normal variable

Kind = TypeVar("Kind", bound="ActionDistribution")


class ActionDistribution(ABC):
    """pi(.|s) for a batch of B states; actions are (B, *act) in the environment's own units."""

    @abstractmethod
    def sample(self, random: torch.Generator | None = None) -> Tensor:
        """One action a state, (B, *act), without gradient; from torch's global random generator when None is given."""

    @abstractmethod
    def mode(self) -> Tensor:
        """The action of each state when none is to be drawn, (B, *act): the likeliest one, or what says otherwise."""

    @abstractmethod
    def log_prob(self, act: Tensor) -> Tensor:
        """ln pi(act|s), (B,): of a probability for Discrete actions, of a density for Box actions."""

    @abstractmethod
    def entropy(self) -> Tensor:
        """Entropy in nats, (B,)."""

    @abstractmethod
    def parameters(self) -> tuple[Tensor, ...]:
        """What the network decides, each (B, ...)."""

    @abstractmethod
    def with_parameters(self, parameters: tuple[Tensor, ...]) -> Self:
        """The same kind of distribution with other ``parameters()``, for as many states as those are for."""

    @abstractmethod
    def kl(self, other: Self) -> Tensor:
        """KL(self || other) = E_self[ln self - ln other] in nats, (B,), exactly; its gradient reaches both."""

    @abstractmethod
    def fisher_product(self, tangents: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """F v in each state, for tangents v of the shapes of ``parameters()``, and of those shapes itself.

        F is the Fisher information in ``parameters()``: the Hessian of KL(self || .) at self.
        """

    def with_deviations_given(self) -> Self:
        """The same distribution, in which deviations count as given: no gradient reaches them."""
        return self

    def __getitem__(self, index: Tensor | slice) -> Self:
        """The distributions of the states at ``index`` (K,) int64, or of a slice."""
        return self.with_parameters(tuple(parameter[index] for parameter in self.parameters()))

    def detach(self) -> Self:
        """A copy: no gradient flows into it, and it stays as it is when the parameters of the policy move in place."""
        return self.with_parameters(tuple(parameter.detach().clone() for parameter in self.parameters()))


def joined(distributions: Sequence[Kind]) -> Kind:
    """Those of all their states, one after another; all are of one kind."""
    parameters = zip(*(each.parameters() for each in distributions), strict=True)
    return distributions[0].with_parameters(tuple(torch.cat(parts) for parts in parameters))


@dataclass(frozen=True)
class OfLogits(ActionDistribution):
    """What the network decides are logits alone."""

    logits: Tensor  # (B, K)

    def parameters(self) -> tuple[Tensor]:
        """(logits (B, K),)."""
        return (self.logits,)

    def with_parameters(self, parameters: tuple[Tensor, ...]) -> Self:
        """Other logits, all else alike."""
        (logits,) = parameters
        return replace(self, logits=logits)


@dataclass(frozen=True)
class Categorical(OfLogits):
    """Probabilities softmax(logits) over A actions, logits (B, A), numbered from ``start``."""

    start: int = 0

    def sample(self, random: torch.Generator | None = None) -> Tensor:
        """By the Gumbel-max trick: argmax of the logits plus Gumbel noise."""
        noise = torch.empty_like(self.logits).exponential_(generator=random).log()
        return (self.logits.detach() - noise).argmax(-1) + self.start

    def mode(self) -> Tensor:
        """The action of the largest logit."""
        return self.logits.argmax(-1) + self.start

    def log_prob(self, act: Tensor) -> Tensor:
        """Log of the softmax at ``act`` (B,)."""
        index = (act.long() - self.start).unsqueeze(-1)
        return self.logits.log_softmax(-1).gather(-1, index).squeeze(-1)

    def entropy(self) -> Tensor:
        """-sum p ln p."""
        log_p = self.logits.log_softmax(-1)
        return -(log_p.exp() * log_p).sum(-1)

    def kl(self, other: Self) -> Tensor:
        """sum p (ln p - ln q)."""
        log_p = self.logits.log_softmax(-1)
        return (log_p.exp() * (log_p - other.logits.log_softmax(-1))).sum(-1)

    def fisher_product(self, tangents: tuple[Tensor, ...]) -> tuple[Tensor]:
        """(diag(p) - p p^T) v = p (v - sum p v)."""
        (tangent,) = tangents
        p = self.logits.softmax(-1)
        return (p * (tangent - (p * tangent).sum(-1, keepdim=True)),)


@dataclass(frozen=True)
class DiagonalGaussian(ActionDistribution):
    """Independent normal dimensions; a sample may lie outside the Box and is clipped only where it is executed."""

    mean: Tensor  # (B, *act)
    log_std: Tensor  # broadcasts against mean

    def sample(self, random: torch.Generator | None = None) -> Tensor:
        """mean + std * standard normal noise."""
        noise = torch.empty_like(self.mean).normal_(generator=random)
        return (self.mean + self.log_std.exp() * noise).detach()

    def drawn(self) -> tuple[Tensor, Tensor]:
        """A sample (B, *act) with the gradient that it owes to mean and deviation, and its ln pi(a|s) (B,).

        Kingma & Welling 2014, section 2.4.
        """
        noise = torch.randn_like(self.mean)
        act = self.mean + self.log_std.exp() * noise
        terms = -0.5 * noise.square() - self.log_std - 0.5 * math.log(2.0 * math.pi)
        return act, _sum_over_dimensions(terms)

    def mode(self) -> Tensor:
        """The mean."""
        return self.mean

    def log_prob(self, act: Tensor) -> Tensor:
        """-1/2 sum ((a - mean) / std)^2 - sum ln std - d/2 ln 2 pi."""
        scaled = (act - self.mean) * (-self.log_std).exp()
        terms = -0.5 * scaled.square() - self.log_std - 0.5 * math.log(2.0 * math.pi)
        return _sum_over_dimensions(terms)

    def entropy(self) -> Tensor:
        """sum ln std + d/2 ln 2 pi e."""
        terms = (self.log_std + 0.5 * math.log(2.0 * math.pi * math.e)).expand_as(self.mean)
        return _sum_over_dimensions(terms)

    def parameters(self) -> tuple[Tensor, Tensor]:
        """(mean, log_std), both (B, *act)."""
        return self.mean, self.log_std.expand_as(self.mean)

    def with_deviations_given(self) -> Self:
        """``log_std`` without gradient."""
        return replace(self, log_std=self.log_std.detach())

    def with_parameters(self, parameters: tuple[Tensor, ...]) -> Self:
        """Another mean and log_std."""
        mean, log_std = parameters
        return replace(self, mean=mean, log_std=log_std)

    def kl(self, other: Self) -> Tensor:
        """sum 1/2 (r^2 - 1 - ln r^2 + ((mean - other's mean) / other's std)^2), r = std / other's std."""
        log_square = 2.0 * (self.log_std - other.log_std)
        shift = (self.mean - other.mean) * (-other.log_std).exp()
        # expm1: between two nearly equal policies r^2 - 1 would lose the few digits that the KL consists of
        return _sum_over_dimensions(0.5 * (log_square.expm1() - log_square + shift.square()))

    def fisher_product(self, tangents: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """(v_mean / std^2, 2 v_log_std): F is diagonal."""
        mean, log_std = tangents
        return mean * (-2.0 * self.log_std).exp(), 2.0 * log_std


@dataclass(frozen=True)
class TanhGaussian(ActionDistribution):
    """a = center + scale tanh(x) with x a diagonal Gaussian: every action lies inside the Box, to within rounding.

    ``parameters()`` are those of x. So are ``kl`` and ``fisher_product``: a is a bijection of x, the same for both
    distributions, and ln p(a) - ln q(a) = ln p(x) - ln q(x) because the change of variables cancels.
    Haarnoja et al. 2018 (soft actor-critic), appendix C.
    """

    gaussian: DiagonalGaussian  # of x, (B, *act)
    center: Tensor  # (*act), of the Box
    scale: Tensor  # (*act), half its width, > 0

    def sample(self, random: torch.Generator | None = None) -> Tensor:
        """A squashed sample of x."""
        return self._squashed(self.gaussian.sample(random))

    def drawn(self) -> tuple[Tensor, Tensor]:
        """A sample (B, *act) with the gradient that it owes to mean and deviation of x, and its ln pi(a|s) (B,)."""
        x, log_prob = self.gaussian.drawn()
        return self._squashed(x), log_prob - self._log_slope(x)

    def mode(self) -> Tensor:
        """The squashed mean of x: the median of each dimension. The density of a wide x peaks at the bounds instead."""
        return self._squashed(self.gaussian.mean)

    def log_prob(self, act: Tensor) -> Tensor:
        """ln p(x) - sum ln da/dx at x = artanh((a - center) / scale).

        An action at a bound, or rounded to one, counts as one just inside it: x = 8.3 in float32.
        """
        limit = 1.0 - torch.finfo(act.dtype).eps
        x = ((act - self.center) / self.scale).clamp(-limit, limit).atanh()
        return self.gaussian.log_prob(x) - self._log_slope(x)

    def entropy(self) -> Tensor:
        """H(x) + E[sum ln da/dx]; the expectation, which has no closed form, by the trapezoidal rule.

        The rule converges exponentially for an integrand that is analytic in a strip around the real line, as this one
        is (Trefethen & Weideman 2014): its error is below 1e-4 nats a dimension up to a deviation of 4 of x. An
        estimate from samples would be noise wherever two policies are compared.
        """
        nodes = torch.linspace(-_WIDTH, _WIDTH, _NODES, dtype=self.scale.dtype, device=self.scale.device)
        weights = torch.softmax(-0.5 * nodes.square(), 0)
        deviations = self.gaussian.log_std.exp().expand_as(self.gaussian.mean)
        slopes = self._log_slopes(self.gaussian.mean.unsqueeze(-1) + deviations.unsqueeze(-1) * nodes) @ weights
        return self.gaussian.entropy() + _sum_over_dimensions(slopes + self.scale.log())

    def parameters(self) -> tuple[Tensor, Tensor]:
        """(mean, log_std) of x, both (B, *act)."""
        return self.gaussian.parameters()

    def with_deviations_given(self) -> Self:
        """That of x."""
        return replace(self, gaussian=self.gaussian.with_deviations_given())

    def with_parameters(self, parameters: tuple[Tensor, ...]) -> Self:
        """Another mean and log_std of x, the same Box."""
        return replace(self, gaussian=self.gaussian.with_parameters(parameters))

    def kl(self, other: Self) -> Tensor:
        """That of x."""
        return self.gaussian.kl(other.gaussian)

    def fisher_product(self, tangents: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """That of x."""
        return self.gaussian.fisher_product(tangents)

    def _squashed(self, x: Tensor) -> Tensor:
        return self.center + self.scale * x.tanh()

    def _log_slope(self, x: Tensor) -> Tensor:
        """sum ln da/dx, (B,)."""
        return _sum_over_dimensions(self.scale.log() + self._log_slopes(x))

    @staticmethod
    def _log_slopes(x: Tensor) -> Tensor:
        """ln(1 - tanh^2 x) = 2 (ln 2 - x - softplus(-2x)) of each number, as 1 - tanh^2 x rounds to 0 from x = 9 on."""
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))


def _sum_over_dimensions(terms: Tensor) -> Tensor:
    """(B, *act) to (B,)."""
    return terms.reshape(terms.shape[0], -1).sum(-1)
