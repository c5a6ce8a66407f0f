"""What a step changed, as features."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.normalizer import RunningNormalizer


class ChangeEncoder(nn.Module):
    """Successive observations to features of the second, as large as those of an encoder and in the same order.

    Of a number it is how far it went, standardised by running statistics of such changes: most steps lead near by,
    and features of the observations themselves would hardly tell where to. Pictures, choices and bits are as the
    encoder has them.
    """

    columns: Tensor  # (K,) int64, where the numbers stand among the features

    def __init__(self, encoder: ObservationEncoder) -> None:
        super().__init__()
        numbers = torch.from_numpy(np.flatnonzero(~encoder.marks))
        self.register_buffer("columns", numbers + encoder.size - len(encoder.marks), persistent=False)
        self.normalizer = RunningNormalizer(len(numbers)) if len(numbers) else None

    def forward(self, encoder: ObservationEncoder, obs: Tensor, next_obs: Tensor) -> Tensor:
        """Observations (B, *obs) and their successors to features (B, size), float32."""
        features: Tensor = encoder(next_obs)
        if self.normalizer is None:
            return features
        return features.index_copy(1, self.columns, self.normalizer(_changes(encoder, obs, next_obs)))

    def update(self, encoder: ObservationEncoder, obs: Tensor, next_obs: Tensor) -> None:
        """Take what these steps changed, of all ranks, into the running statistics."""
        if self.normalizer is not None:
            self.normalizer.update(_changes(encoder, obs, next_obs))


def _changes(encoder: ObservationEncoder, obs: Tensor, next_obs: Tensor) -> Tensor:
    """How far every number went, (B, K), in the environment's units."""
    return encoder.numbers(next_obs) - encoder.numbers(obs)
