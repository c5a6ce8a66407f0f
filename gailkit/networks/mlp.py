"""Multilayer perceptrons."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

NetworkFactory = Callable[..., nn.Module]
"""``factory(inputs, outputs, hidden=sizes)``: a network that maps (B, inputs) to (B, outputs), float32."""


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


def ending_in_linear(network: nn.Module, outputs: int) -> nn.Sequential:
    """``network`` itself where its last layer is a plain Linear one; else followed by one, at first the identity."""
    if isinstance(network, nn.Sequential) and len(network):
        last = network[-1]
        if isinstance(last, nn.Linear) and last.bias is not None and not is_parametrized(last):
            return network
    following = nn.Linear(outputs, outputs)
    nn.init.eye_(following.weight)
    nn.init.zeros_(following.bias)
    return nn.Sequential(network, following)


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
