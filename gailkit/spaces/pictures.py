"""Which spaces are of pictures, and how these lie in memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box

from gailkit.spaces.structure import shape_of

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_SIDE = 16  # pixels of a picture; a smaller array of bytes is a vector


class Picture(NamedTuple):
    """Pictures (*shape) of bytes, of which each has so many channels: its colours, those of all its frames."""

    channels: int
    height: int
    width: int
    shape: tuple[int, ...]  # in which they are stored
    axes: tuple[int, ...]  # of it: frames and colours first, then height and width

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.channels * self.height * self.width

    def in_channels(self, stored: Tensor) -> Tensor:
        """Pictures (B, *shape) as (B, channels, height, width), a view where that can be."""
        ordered = stored.permute(0, *(axis + 1 for axis in self.axes))
        return ordered.reshape(stored.shape[0], self.channels, self.height, self.width)

    def with_channels_last(self, stored: np.ndarray) -> np.ndarray:
        """Pictures (B, *shape) as (B, height, width, channels)."""
        *outer, height, width = (axis + 1 for axis in self.axes)
        ordered = stored.transpose(0, height, width, *outer)
        return ordered.reshape(len(stored), self.height, self.width, self.channels)


def picture_of(space: Space[Any]) -> Picture | None:
    """What pictures the elements of a space are; None where they are none.

    They are bytes from 0 to 255 in two dimensions, in three where the smaller of the first and the last is that of the
    colours or frames, or in four, of which the first is that of frames. Either side has at least SMALLEST_SIDE pixels.
    """
    if not isinstance(space, Box) or space.dtype != np.uint8 or (space.low != 0).any() or (space.high != 255).any():
        return None
    shape = shape_of(space)
    if len(shape) not in (2, 3, 4):
        return None
    frames = tuple(range(len(shape) - 3))
    first, last = len(frames), len(shape) - 1
    if len(shape) == 2:
        axes: tuple[int, ...] = (0, 1)
    elif shape[first] < shape[last]:
        axes = (*frames, first, first + 1, last)
    else:
        axes = (*frames, last, first, first + 1)
    height, width = shape[axes[-2]], shape[axes[-1]]
    if min(height, width) < SMALLEST_SIDE:
        return None
    return Picture(math.prod(shape) // (height * width), height, width, shape, axes)
