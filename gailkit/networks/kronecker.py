"""The Fisher information of a network's Linear layers in Kronecker factors (K-FAC). Martens & Grosse 2015."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gailkit.functional.kronecker import (
    KroneckerFactors,
    averaging_weight,
    damped_inverses,
    homogeneous,
    kronecker_factors,
    natural_gradient,
    quadratic_form,
)
from gailkit.ranks.merging import averaged_each

LOG_STD_FISHER = 2.0  # E[(d ln N(a; mean, std) / d ln std)^2] = E[(z^2 - 1)^2] for a standard normal z


class KroneckerFisher(nn.Module):
    """The Fisher information of Linear layers and of free log standard deviations, each a block of its own.

    A layer's block is a pair of Kronecker factors, averages over the observations, in buffers. The layers stay with
    their network: they are no modules of this one.
    """

    count: Tensor  # () int64, observations so far

    def __init__(
        self, layers: Sequence[nn.Linear], log_stds: Sequence[nn.Parameter], *, damping: float, decay: float
    ) -> None:
        """``damping`` is added to the diagonal where F is inverted, ``decay`` the weight of the past in averages."""
        super().__init__()
        self.damping, self.decay = damping, decay
        self.layers = tuple(layers)
        self.trained = (*(parameter for layer in layers for parameter in layer.parameters()), *log_stds)
        self.inverses: list[KroneckerFactors] = []  # of the damped averages, as of the last observation
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        for number, layer in enumerate(layers):
            columns = layer.in_features + (layer.bias is not None)
            self.register_buffer(f"inputs_{number}", torch.zeros(columns, columns, device=layer.weight.device))
            self.register_buffer(
                f"outputs_{number}", torch.zeros(layer.out_features, layer.out_features, device=layer.weight.device)
            )

    @property
    def factors(self) -> list[KroneckerFactors]:
        """The averages, a pair for each layer."""
        numbers = range(len(self.layers))
        return [KroneckerFactors(self.get_buffer(f"inputs_{n}"), self.get_buffer(f"outputs_{n}")) for n in numbers]

    def observe(self, log_likelihood: Callable[[], Tensor]) -> None:
        """Take the gradients of ln p(y|x) (B,), of targets y sampled from the network's own outputs, into the averages.

        ``log_likelihood`` passes through every layer once. What several ranks observe counts alike.
        """
        with _recorded(self.layers) as calls:
            total = log_likelihood().sum()
        gradients = torch.autograd.grad(total, [calls[layer][1] for layer in self.layers])
        self.count += 1
        weight = averaging_weight(self.decay, int(self.count))
        observed: list[Tensor] = []
        for layer, gradient in zip(self.layers, gradients, strict=True):
            inputs = calls[layer][0]
            observed += kronecker_factors(inputs if layer.bias is None else homogeneous(inputs), gradient)
        averages = [average for factors in self.factors for average in factors]
        for average, new in zip(averages, averaged_each(observed), strict=True):
            average.lerp_(new, weight)
        self.inverses = [damped_inverses(factors, self.damping) for factors in self.factors]

    def natural(self, gradients: Sequence[Tensor]) -> tuple[list[Tensor], float]:
        """d = (F + damping I)^-1 g for gradients g of ``trained``, in their shapes, and d^T F d."""
        remaining = iter(gradients)
        direction, curvature = [], 0.0
        for layer, factors, inverse in zip(self.layers, self.factors, self.inverses, strict=True):
            columns = [next(remaining).reshape(layer.out_features, -1) for _ in layer.parameters()]
            block = natural_gradient(torch.cat(columns, dim=1), inverse)
            direction += [block[:, : layer.in_features], *block[:, layer.in_features :].unbind(1)]
            curvature += float(quadratic_form(block, factors))
        for gradient in remaining:
            direction.append(gradient / (LOG_STD_FISHER + self.damping))
            curvature += LOG_STD_FISHER * float(direction[-1].square().sum())
        return direction, curvature


@contextmanager
def _recorded(layers: Iterable[nn.Linear]) -> Iterator[dict[nn.Module, tuple[Tensor, Tensor]]]:
    """What passes through ``layers`` inside the block: inputs (B, I) and outputs (B, O), by layer."""
    calls: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def record(layer: nn.Module, arguments: tuple[Tensor], outputs: Tensor) -> None:
        calls[layer] = (arguments[0].detach(), outputs)

    handles = [layer.register_forward_hook(record) for layer in layers]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
