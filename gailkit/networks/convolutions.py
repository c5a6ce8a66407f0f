"""Networks that see: convolutions over pictures in front of whatever decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from gailkit.errors import InputError
from gailkit.networks.encoders import ObservationEncoder
from gailkit.spaces import Picture

ImageEncoder = Callable[[int, int, int], nn.Module]
"""``factory(channels, height, width)``: a network that maps pictures (B, channels, height, width) to (B, features)."""

LEAST, STRIDE = 36, 8  # pixels of a side of which the layers of ``nature`` see all: so many, and by how many more
IMPALA_CHANNELS = (16, 32, 32)


def nature(channels: int, height: int, width: int) -> nn.Sequential:
    """Three convolutions and a layer of 512 units, of rectifiers. Mnih et al. 2015, Methods.

    Their strides fit the 84 pixels of the paper, and sides of 36, 44, 52, ...: others get a margin of zeros, which is
    what the mean is encoded as, so that no row or column is left out.
    """
    missing = [max(LEAST, LEAST - (LEAST - side) // STRIDE * STRIDE) - side for side in (width, height)]
    layers: list[nn.Module] = [_Margin(missing)] if any(missing) else []
    for inputs, outputs, kernel, stride in ((channels, 32, 8, 4), (32, 64, 4, 2), (64, 64, 3, 1)):
        layers += [_orthogonal(nn.Conv2d(inputs, outputs, kernel, stride)), nn.ReLU()]
    return _ending_in(512, layers, (channels, height, width))


def impala(channels: int, height: int, width: int) -> nn.Sequential:
    """Three stages of a convolution, a maximum over 3 x 3 pixels that halves the sides, and two residual blocks; then a
    layer of 256 units. Espeholt et al. 2018, figure 3, the large network without its LSTM.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in zip((channels, *IMPALA_CHANNELS), IMPALA_CHANNELS, strict=False):
        layers += [_orthogonal(nn.Conv2d(inputs, outputs, 3, padding=1)), nn.MaxPool2d(3, 2, padding=1)]
        layers += [_Residual(outputs), _Residual(outputs)]
    return _ending_in(256, [*layers, nn.ReLU()], (channels, height, width))


class Eyes(nn.Module):
    """Features (B, inputs) to (B, outputs): those of pictures, which come first, become what a network makes of each;
    the others stay as they are."""

    def __init__(self, pictures: Sequence[Picture], inputs: int, make: ImageEncoder, frames: int = 1) -> None:
        """Raises InputError unless ``make`` makes networks that map pictures to one row of features each.

        ``frames`` is how many times each picture is there, one behind the other.
        """
        super().__init__()
        self.shapes = [(frames * each.channels, each.height, each.width) for each in pictures]
        self.sizes = [frames * each.size for each in pictures]
        self.trunks = nn.ModuleList(make(*shape) for shape in self.shapes)
        found = (_features(trunk, shape) for trunk, shape in zip(self.trunks, self.shapes, strict=True))
        self.outputs = inputs - sum(self.sizes) + sum(found)

    def forward(self, features: Tensor) -> Tensor:
        *pictures, rest = features.split([*self.sizes, features.shape[-1] - sum(self.sizes)], -1)
        seen = [
            trunk(picture.reshape(-1, *shape))
            for trunk, picture, shape in zip(self.trunks, pictures, self.shapes, strict=True)
        ]
        return torch.cat([*seen, rest], -1)


def seeing(encoder: ObservationEncoder, network: Callable[..., nn.Module], frames: int = 1) -> Callable[..., nn.Module]:
    """``network``, a factory of (inputs, outputs, ...), of networks that see the pictures among their inputs.

    The inputs begin with the features of ``encoder``, of several ``frames`` as it puts them ``side_by_side``; what
    follows them, an encoded action say, is passed on. Every network has convolutions of its own: those of a
    discriminator and of a policy are trained towards opposite ends.
    Where there are no pictures it is ``network`` itself.
    """
    pictures, image_encoder = encoder.pictures, encoder.image_encoder
    if not pictures:
        return network

    def make(inputs: int, outputs: int, *arguments: Any, **settings: Any) -> nn.Module:
        eyes = Eyes(pictures, inputs, image_encoder or nature, frames)
        decides = network(eyes.outputs, outputs, *arguments, **settings)
        return nn.Sequential(eyes, *(decides if isinstance(decides, nn.Sequential) else (decides,)))

    return make


class _ColoursLast(nn.Sequential):
    """Layers that have the channels of a pixel side by side in memory, by which convolutions on a CPU take a third less
    time. Numbers are the same to rounding."""

    def forward(self, pictures: Tensor) -> Tensor:
        seen = pictures.contiguous(memory_format=torch.channels_last)
        for layer in self:
            seen = layer(seen)
        return seen


class _Margin(nn.Module):
    """Pictures (B, C, H, W) with zeros around them."""

    def __init__(self, missing: Sequence[int]) -> None:
        """``missing`` is by how many pixels the width and the height grow."""
        super().__init__()
        self.sides = [part for each in missing for part in (each // 2, each - each // 2)]

    def forward(self, pictures: Tensor) -> Tensor:
        return pad(pictures, self.sides)


class _Residual(nn.Module):
    """x + conv(relu(conv(relu(x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (_orthogonal(nn.Conv2d(channels, channels, 3, padding=1)) for _ in range(2))

    def forward(self, pictures: Tensor) -> Tensor:
        changed: Tensor = self.second(relu(self.first(relu(pictures))))
        return pictures + changed


def _ending_in(units: int, layers: Sequence[nn.Module], shape: tuple[int, int, int]) -> nn.Sequential:
    """The layers and, on all that comes out of them, as many units."""
    flat = nn.Sequential(*layers, nn.Flatten())
    return _ColoursLast(*flat, _orthogonal(nn.Linear(_features(flat, shape), units)), nn.ReLU())


def _features(network: nn.Module, shape: tuple[int, int, int]) -> int:
    """How many features ``network`` makes of a picture of this ``shape``; InputError if it makes something else."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        found: object = network(torch.zeros(2, *shape))
    if not isinstance(found, Tensor) or found.dim() != 2 or len(found) != 2:
        shown = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise InputError(f"an image encoder must map {(2, *shape)} to (2, features); found {shown}")
    return found.shape[1]


def _orthogonal(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """As the layers of ``mlp`` begin."""
    nn.init.orthogonal_(layer.weight, 2**0.5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
