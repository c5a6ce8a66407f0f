"""Many small parameters as one vector, so that an optimiser's fixed cost is paid once rather than for each of them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gailkit.errors import DivergenceError, InputError
from gailkit.ranks.merging import averaged


class FlatParameters:
    """Lays parameters end to end in one ``vector`` (P,), of which each of them, and its gradient, becomes a view.

    An optimiser is given ``[vector]``. The modules go on working and loading states as before; they must not be moved
    to another device or dtype afterwards, which ``backward`` would notice.

    Raises:
        InputError: if there is no parameter.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], of: str = "the networks") -> None:
        """``of`` says whose they are, for whoever reads what went wrong."""
        self.of = of
        self.parameters = list(parameters)
        if not self.parameters:
            raise InputError("there is no parameter to train")
        self.vector = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in self.parameters]))
        self.gradient = torch.zeros_like(self.vector)
        self.vector.grad = self.gradient
        self._gradients = self.shaped(self.gradient)
        for parameter, values in zip(self.parameters, self.shaped(self.vector.data), strict=True):
            parameter.data = values

    def backward(self, loss: Tensor) -> None:
        """Put the gradient of the scalar ``loss`` in place of the last one; of several ranks, the mean of all theirs.

        Raises:
            DivergenceError: if the loss or the gradient is NaN or infinite; nothing has been learned from it yet. Only
                on the CPU: elsewhere to look would be to wait, in every step; what has been learned is looked at once
                an iteration.
        """
        if self.parameters[0].data_ptr() != self.vector.data_ptr():
            raise RuntimeError("the parameters were moved away from their common vector")
        if self.parameters[0].grad is not self._gradients[0]:  # somebody's zero_grad() took them away
            for parameter, gradient in zip(self.parameters, self._gradients, strict=True):
                parameter.grad = gradient
        self.gradient.zero_()
        loss.backward(inputs=self.parameters)
        averaged(self.gradient)
        if self.vector.device.type != "cpu":
            return
        for what, number in (("loss", loss.detach()), ("gradient of the loss", self.gradient.sum())):
            if not math.isfinite(number):
                raise DivergenceError(f"the {what} of {self.of} became NaN or infinite")

    def shaped(self, vector: Tensor) -> list[Tensor]:
        """A vector (P,) as views of it, one of each parameter's shape."""
        parts = vector.split([parameter.numel() for parameter in self.parameters])
        return [part.view_as(parameter) for part, parameter in zip(parts, self.parameters, strict=True)]

    def clip_gradient(self, max_norm: float) -> None:
        """Shorten the gradient to length ``max_norm`` if it is longer."""
        norm = torch.linalg.vector_norm(self.gradient)
        self.gradient.mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))
