"""Multilayer perceptrons."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def mlp(inputs: int, outputs: int, hidden: Sequence[int], output_gain: float = 1.0) -> nn.Sequential:
    """tanh layers of the sizes ``hidden`` and a linear one: (B, inputs) to (B, outputs).

    Weights start orthogonal with gain sqrt(2), the last layer with ``output_gain``; biases start at 0.
    """
    sizes = [inputs, *hidden]
    layers: list[nn.Module] = []
    for size, following in pairwise(sizes):
        layers += [_linear(size, following, 2**0.5), nn.Tanh()]
    return nn.Sequential(*layers, _linear(sizes[-1], outputs, output_gain))


def spectral_mlp(inputs: int, outputs: int, hidden: Sequence[int], output_gain: float = 1.0) -> nn.Sequential:
    """As ``mlp``, with every layer's weight divided by its largest singular value, so that the network's Lipschitz
    constant is about 1 at most (power iteration estimates that value). Miyato et al. 2018, equation 8."""
    network = mlp(inputs, outputs, hidden, output_gain)
    for layer in network:
        if isinstance(layer, nn.Linear):
            spectral_norm(layer)
    return network


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
