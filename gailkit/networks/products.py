"""Distributions over actions of several parts, as products of those over each: all in the columns of one vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gailkit.networks.distributions import ActionDistribution, OfLogits

IMPOSSIBLE = -1e9  # the logit of what fills up a smaller set: finite, because 0 times infinity is no number


@dataclass(frozen=True)
class Choices(OfLogits):
    """A number out of each of K sets, independently: in the columns of a set one is 1 and the others are 0.

    A logit a column.
    """

    sizes: tuple[int, ...]  # of the sets, K in all, in the order of their columns

    def sample(self, random: torch.Generator | None = None) -> Tensor:
        """By the Gumbel-max trick in each set."""
        noise = torch.empty_like(self.logits).exponential_(generator=random).log()
        return self._marked(self.logits.detach() - noise)

    def mode(self) -> Tensor:
        """The number of the largest logit in each set."""
        return self._marked(self.logits)

    def log_prob(self, act: Tensor) -> Tensor:
        """Sum over the sets of the log of the softmax at the column that is 1."""
        return (self._log_p() * act).sum(-1)

    def entropy(self) -> Tensor:
        """-sum p ln p, over all columns of all sets."""
        log_p = self._log_p()
        return -(log_p.exp() * log_p).sum(-1)

    def kl(self, other: Self) -> Tensor:
        """sum p (ln p - ln q), over all columns of all sets."""
        log_p = self._log_p()
        return (log_p.exp() * (log_p - other._log_p())).sum(-1)

    def fisher_product(self, tangents: tuple[Tensor, ...]) -> tuple[Tensor]:
        """p (v - sum p v) in each set: F is block-diagonal."""
        (tangent,) = tangents
        p = self._log_p().exp()
        return (p * (tangent - self._spread(self._apart(p * tangent, 0.0).sum(-1))),)

    def _log_p(self) -> Tensor:
        """The log of the softmax within each set, (B, size)."""
        return self.logits - self._spread(self._apart(self.logits, IMPOSSIBLE).logsumexp(-1))

    def _marked(self, scores: Tensor) -> Tensor:
        """1 at the largest score of each set and 0 elsewhere, (B, size) float32."""
        best = self._apart(scores, IMPOSSIBLE).argmax(-1)
        sizes = _sizes(self.sizes, scores.device)
        firsts = sizes.cumsum(0) - sizes
        return torch.zeros_like(scores).scatter_(-1, best + firsts, 1.0)

    def _apart(self, columns: Tensor, filling: float) -> Tensor:
        """(B, size) to (B, K, most numbers of a set), smaller sets filled up."""
        largest = max(self.sizes)
        if min(self.sizes) == largest:
            return columns.reshape(columns.shape[0], -1, largest)
        parts = columns.split(self.sizes, -1)
        padded = [torch.nn.functional.pad(part, (0, largest - part.shape[-1]), value=filling) for part in parts]
        return torch.stack(padded, 1)

    def _spread(self, of_sets: Tensor) -> Tensor:
        """A number a set (B, K) to every column of the set (B, size)."""
        return of_sets.repeat_interleave(_sizes(self.sizes, of_sets.device), -1, output_size=sum(self.sizes))


@lru_cache(maxsize=64)
def _sizes(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """The sizes (K,) int64 as a tensor that is sent to a device once."""
    with torch.inference_mode(False):  # it outlives whoever asks first, who may be in that mode
        return torch.tensor(sizes, device=device)


@dataclass(frozen=True)
class Bits(OfLogits):
    """Independent bits, each 1 with probability sigmoid(logit)."""

    def sample(self, random: torch.Generator | None = None) -> Tensor:
        """1 where a uniform number is below the probability."""
        uniform = torch.empty_like(self.logits).uniform_(generator=random)
        return (uniform < self.logits.detach().sigmoid()).to(self.logits.dtype)

    def mode(self) -> Tensor:
        """1 where that is likelier than 0."""
        return (self.logits > 0).to(self.logits.dtype)

    def log_prob(self, act: Tensor) -> Tensor:
        """sum a z - softplus(z)."""
        return (act * self.logits - softplus(self.logits)).sum(-1)

    def entropy(self) -> Tensor:
        """sum softplus(z) - p z."""
        return (softplus(self.logits) - self.logits.sigmoid() * self.logits).sum(-1)

    def kl(self, other: Self) -> Tensor:
        """sum p (z - z') - softplus(z) + softplus(z'), z' the other's."""
        z, others = self.logits, other.logits
        return (z.sigmoid() * (z - others) - softplus(z) + softplus(others)).sum(-1)

    def fisher_product(self, tangents: tuple[Tensor, ...]) -> tuple[Tensor]:
        """p (1 - p) v: F is diagonal."""
        (tangent,) = tangents
        p = self.logits.sigmoid()
        return (p * (1.0 - p) * tangent,)


@dataclass(frozen=True)
class Product(ActionDistribution):
    """Independent parts, each in columns of its own of actions (B, size)."""

    parts: tuple[ActionDistribution, ...]
    columns: tuple[Tensor, ...]  # int64, of each part; together every column once

    def sample(self, random: torch.Generator | None = None) -> Tensor:
        """A sample of each part."""
        return self._joined([part.sample(random) for part in self.parts])

    def mode(self) -> Tensor:
        """The mode of each part."""
        return self._joined([part.mode() for part in self.parts])

    def log_prob(self, act: Tensor) -> Tensor:
        """The sum over the parts: of log probabilities and log densities, in nats."""
        pairs = zip(self.parts, self.columns, strict=True)
        return _sum([part.log_prob(act[:, columns]) for part, columns in pairs])

    def entropy(self) -> Tensor:
        """The sum over the parts."""
        return _sum([part.entropy() for part in self.parts])

    def parameters(self) -> tuple[Tensor, ...]:
        """Those of every part, in their order."""
        return tuple(parameter for part in self.parts for parameter in part.parameters())

    def with_deviations_given(self) -> Self:
        """That of each part."""
        return replace(self, parts=tuple(part.with_deviations_given() for part in self.parts))

    def with_parameters(self, parameters: tuple[Tensor, ...]) -> Self:
        """The same parts with other parameters."""
        return replace(
            self,
            parts=tuple(part.with_parameters(own) for part, own in self._shared_out(parameters)),
        )

    def kl(self, other: Self) -> Tensor:
        """The sum over the parts."""
        return _sum([part.kl(others) for part, others in zip(self.parts, other.parts, strict=True)])

    def fisher_product(self, tangents: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """That of each part: F is block-diagonal."""
        return tuple(product for part, own in self._shared_out(tangents) for product in part.fisher_product(own))

    def _shared_out(self, tensors: tuple[Tensor, ...]) -> Sequence[tuple[ActionDistribution, tuple[Tensor, ...]]]:
        """The parts, each with its own of tensors like ``parameters()``."""
        remaining = iter(tensors)
        return [(part, tuple(next(remaining) for _ in part.parameters())) for part in self.parts]

    def _joined(self, actions: Sequence[Tensor]) -> Tensor:
        places = torch.cat(self.columns).argsort()
        return torch.cat(list(actions), -1)[:, places]


def _sum(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum(0)
