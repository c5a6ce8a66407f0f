"""Running mean and variance of a stream of vectors."""

from typing import Any

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

    def __init__(self, size: int, limit: float = 10.0) -> None:
        """``limit`` bounds the magnitude of what comes out, in standard deviations."""
        super().__init__()
        self.limit = limit
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("variance", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("offset", torch.zeros(size), persistent=False)
        self.register_buffer("scale", torch.zeros(size), persistent=False)
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
        self._refresh()

    def _take_in(self, batch: Tensor) -> None:
        count, mean, variance = moments(batch, 0)
        total = self.count + count
        delta = mean - self.mean
        within = self.variance * self.count + variance * count
        self.variance.copy_((within + delta.square() * self.count * count / total) / total)
        self.mean.add_(delta * count / total)
        self.count.copy_(total)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self._refresh()

    def _refresh(self) -> None:
        deviation = self.variance.sqrt()
        resolution = torch.finfo(torch.float32)
        constant = deviation <= (resolution.eps * self.mean.abs()).clamp(min=resolution.tiny)
        self.offset.copy_(self.mean)
        self.scale.copy_(torch.where(constant, torch.zeros_like(deviation), 1.0 / deviation))
