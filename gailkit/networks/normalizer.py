"""Running mean and variance of a stream of vectors, and of the channels of pictures."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gailkit.memory import blocks
from gailkit.ranks.merging import moments


class RunningNormalizer(nn.Module):
    """Standardises features by the mean and variance of all that ``update`` was given, in whatever batches.

    A feature that has been constant so far (to float32 resolution) carries no information and is dropped: it maps to
    0 whatever its value, rather than being divided by a tiny number.
    """

    mean: Tensor  # (size,) float64
    variance: Tensor  # (size,) float64, population
    count: Tensor  # () float64

    def __init__(self, size: int, limit: float = 10.0, as_is: np.ndarray | None = None) -> None:
        """
        Args:
            limit: bounds the magnitude of what comes out, in standard deviations.
            as_is: which features (size,) bool stay as they are; none when None.
        """
        super().__init__()
        self.limit = limit
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("variance", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("offset", torch.zeros(size), persistent=False)
        self.register_buffer("scale", torch.zeros(size), persistent=False)
        marked = None if as_is is None or not as_is.any() else torch.from_numpy(as_is)
        self.register_buffer("as_is", marked, persistent=False)
        self.as_is: Tensor | None
        self.offset: Tensor
        self.scale: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, size) to standardised features (B, size)."""
        return (features - self.offset).mul_(self.scale).clamp_(-self.limit, self.limit)

    @torch.no_grad()
    def update(self, features: Tensor) -> None:
        """Take in features (B, size), those of all ranks. Chan et al. 1979, pairwise update of mean and variance, block
        by block."""
        for block in blocks(len(features), features[:1].numel()):
            self._take_in(features[block].double())
        self.refresh()

    def _take_in(self, batch: Tensor) -> None:
        self.merge(*moments(batch, 0))

    def merge(self, count: float, mean: Tensor, variance: Tensor) -> None:
        """Take in ``count`` others by their mean and population variance (size,); ``refresh`` makes it count."""
        total = self.count + count
        delta = mean - self.mean
        within = self.variance * self.count + variance * count
        self.variance.copy_((within + delta.square() * self.count * count / total) / total)
        self.mean.add_(delta * count / total)
        self.count.copy_(total)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self.refresh()

    def refresh(self) -> None:
        """Standardise by the statistics as they are now."""
        deviation = self.variance.sqrt()
        resolution = torch.finfo(torch.float32)
        constant = deviation <= (resolution.eps * self.mean.abs()).clamp(min=resolution.tiny)
        self.offset.copy_(self.mean)
        self.scale.copy_(torch.where(constant, torch.zeros_like(deviation), 1.0 / deviation))
        if self.as_is is not None:
            self.offset.masked_fill_(self.as_is, 0.0)
            self.scale.masked_fill_(self.as_is, 1.0)


class ChannelNormalizer(nn.Module):
    """Standardises pictures by the mean and variance of each channel over all pixels; one that was constant is dropped.

    A pixel for itself would count for the more the more seldom anything comes there, and a thing that moves would look
    otherwise wherever it is.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.statistics = RunningNormalizer(channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, channels, height, width), bytes, to float32."""
        offset, scale = (each[:, None, None] for each in (self.statistics.offset, self.statistics.scale))
        limit = self.statistics.limit
        return pictures.float().sub_(offset).mul_(scale).clamp_(-limit, limit)

    @torch.no_grad()
    def update(self, pictures: Tensor) -> None:
        """Take in pictures (B, channels, height, width), block by block."""
        for block in blocks(len(pictures), pictures[:1].numel()):
            pixels = pictures[block].permute(0, 2, 3, 1).flatten(0, 2).float()
            count, mean, variance = moments(pixels, 0)
            self.statistics.merge(count, mean.double(), variance.double())
        self.statistics.refresh()
