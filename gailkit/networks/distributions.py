"""Distributions over actions, each a frozen record of its parameters for B states."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


class ActionDistribution(ABC):
    """pi(.|s) for a batch of B states; actions are (B, *act) in the environment's own units."""

    @abstractmethod
    def sample(self, random: torch.Generator | None = None) -> Tensor:
        """One action a state, (B, *act), without gradient; from torch's global random generator when None is given."""

    @abstractmethod
    def mode(self) -> Tensor:
        """The likeliest action of each state, (B, *act)."""

    @abstractmethod
    def log_prob(self, act: Tensor) -> Tensor:
        """ln pi(act|s), (B,): of a probability for Discrete actions, of a density for Box actions."""

    @abstractmethod
    def entropy(self) -> Tensor:
        """Entropy in nats, (B,)."""


@dataclass(frozen=True)
class Categorical(ActionDistribution):
    """Probabilities softmax(logits) over A actions, numbered from ``start``."""

    logits: Tensor  # (B, A)
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


@dataclass(frozen=True)
class DiagonalGaussian(ActionDistribution):
    """Independent normal dimensions; a sample may lie outside the Box and is clipped only where it is executed."""

    mean: Tensor  # (B, *act)
    log_std: Tensor  # broadcasts against mean

    def sample(self, random: torch.Generator | None = None) -> Tensor:
        """mean + std * standard normal noise."""
        return (self.mean + self.log_std.exp() * torch.randn(self.mean.shape, generator=random)).detach()

    def mode(self) -> Tensor:
        """The mean."""
        return self.mean

    def log_prob(self, act: Tensor) -> Tensor:
        """-1/2 sum ((a - mean) / std)^2 - sum ln std - d/2 ln 2 pi."""
        scaled = (act - self.mean) * (-self.log_std).exp()
        terms = -0.5 * scaled.square() - self.log_std - 0.5 * math.log(2.0 * math.pi)
        return terms.reshape(len(terms), -1).sum(-1)

    def entropy(self) -> Tensor:
        """sum ln std + d/2 ln 2 pi e."""
        terms = (self.log_std + 0.5 * math.log(2.0 * math.pi * math.e)).expand_as(self.mean)
        return terms.reshape(len(terms), -1).sum(-1)
