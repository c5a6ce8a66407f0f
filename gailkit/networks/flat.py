"""Many small parameters as one vector, so that an optimiser's fixed cost is paid once rather than for each of them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class FlatParameters:
    """Lays parameters end to end in one ``vector`` (P,), of which each of them, and its gradient, becomes a view.

    An optimiser is given ``[vector]``. The modules go on working and loading states as before; they must not be moved
    to another device or dtype afterwards.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        own = list(parameters)
        self.vector = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in own]))
        self.gradient = torch.zeros_like(self.vector)
        self.vector.grad = self.gradient
        offset = 0
        for parameter in own:
            part = slice(offset, offset + parameter.numel())
            parameter.data = self.vector.data[part].view_as(parameter)
            parameter.grad = self.gradient[part].view_as(parameter)
            offset = part.stop

    def backward(self, loss: Tensor) -> None:
        """Put the gradient of the scalar ``loss`` in place of the last one."""
        self.gradient.zero_()
        loss.backward()

    def clip_gradient(self, max_norm: float) -> None:
        """Shorten the gradient to length ``max_norm`` if it is longer."""
        norm = torch.linalg.vector_norm(self.gradient)
        self.gradient.mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))
