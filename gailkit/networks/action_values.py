"""Action values Q(s, a; phi): several independent estimates of them at once, and copies that follow slowly."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Discrete
from torch import Tensor, nn
from torch.nn.functional import layer_norm, relu

from gailkit.networks.convolutions import seeing
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.flat import FlatParameters
from gailkit.spaces import encoded_size


class ActionValues(nn.Module):
    """E estimates of action values, each by a network of its own: (B, inputs) to (E, B, outputs).

    Of Box actions the inputs are features and encoded actions and there is one output; of Discrete actions the inputs
    are features and there is an output an action. Hidden layers are normalised before their rectifier (Ba et al.
    2016): values of actions that were never tried then cannot grow without bound (Ball et al. 2023, section 4.2).
    """

    def __init__(self, inputs: int, outputs: int, hidden: Sequence[int], estimates: int = 2) -> None:
        super().__init__()
        sizes = [inputs, *hidden, outputs]
        self.weights = nn.ParameterList(
            _uniform(size, estimates, size, following) for size, following in pairwise(sizes)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(estimates, 1, following)) for following in sizes[1:])

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, inputs) to (E, B, outputs)."""
        estimates = len(self.weights[0])
        values = inputs.expand(estimates, *inputs.shape)
        *hidden, last = zip(self.weights, self.biases, strict=True)
        for weight, bias in hidden:
            values = torch.baddbmm(bias, values, weight)
            values = relu(layer_norm(values, values.shape[-1:]))
        return torch.baddbmm(last[1], values, last[0])


def action_values(
    encoder: ObservationEncoder, action_space: Space[Any], hidden: Sequence[int], estimates: int
) -> nn.Module:
    """Those of features of ``encoder`` and such actions, untrained; the estimates see pictures by the same layers."""
    actions = encoded_size(action_space)
    sizes = (encoder.size, actions) if isinstance(action_space, Discrete) else (encoder.size + actions, 1)
    return seeing(encoder, ActionValues)(*sizes, hidden, estimates)


def _uniform(fan_in: int, *shape: int) -> nn.Parameter:
    """As a Linear layer begins: uniform within 1 / sqrt(fan_in)."""
    bound = 1.0 / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))


class Target(nn.Module):
    """A copy of a network that follows as that learns: phi' += tau (phi - phi'). Lillicrap et al. 2016, section 3."""

    def __init__(self, network: nn.Module, trained: FlatParameters, rate: float) -> None:
        """
        Args:
            trained: the parameters of ``network``, all of them.
            rate: tau, in (0, 1].
        """
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.trained, self.rate = trained, rate
        self.following = FlatParameters(self.network.parameters())

    def forward(self, inputs: Tensor) -> Tensor:
        """As the network itself."""
        outputs: Tensor = self.network(inputs)
        return outputs

    @torch.no_grad()
    def follow(self) -> None:
        """Come nearer by one step."""
        self.following.vector.lerp_(self.trained.vector, self.rate)
