"""Observations and actions to features: the one preprocessing that expert and policy both pass through."""

from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gailkit.functional.bounds import clamp_inward
from gailkit.networks.normalizer import RunningNormalizer
from gailkit.spaces import Flat, box_center_and_scale, encoded_size


class ObservationEncoder(nn.Module):
    """Box observations are flattened and standardised by running statistics; Discrete ones become one-hot.

    One instance is shared by discriminator and policy, so that neither can tell the other's data by its scale.
    """

    def __init__(self, space: Space[Any]) -> None:
        super().__init__()
        self.space = space
        self.size = encoded_size(space)
        self.normalizer = RunningNormalizer(self.size) if isinstance(space, Box) else None
        self.frozen = False

    def forward(self, obs: Tensor) -> Tensor:
        """Observations (B, *obs) to features (B, size), float32."""
        if isinstance(self.space, Discrete):
            return one_hot(obs.long() - int(self.space.start), self.size).float()
        flat: Tensor = self.normalizer(obs.reshape(obs.shape[0], self.size).float()) if self.normalizer else obs
        return flat

    def update(self, obs: Tensor) -> None:
        """Take observations (B, *obs) into the running statistics, unless they are frozen."""
        if self.normalizer is not None and not self.frozen:
            self.normalizer.update(obs.reshape(obs.shape[0], self.size))

    def freeze(self) -> None:
        """Leave the statistics as they are from now on, for the sake of networks that have learned with them."""
        self.frozen = True


class ActionEncoder(nn.Module):
    """Discrete actions become one-hot. Box actions are clipped to the bounds, as the environment sees them, and scaled
    so that a bounded dimension covers [-1, 1]; an unbounded one stays as it is. Actions of several parts are flat
    already: of these it is the numbers that are scaled."""

    center: Tensor  # (size,)
    scale: Tensor  # (size,)
    low: Tensor  # (size,)
    high: Tensor  # (size,)

    def __init__(self, space: Space[Any]) -> None:
        super().__init__()
        self.space = space
        self.size = encoded_size(space)
        if isinstance(space, Box):
            center, scale = box_center_and_scale(space)
            if isinstance(space, Flat):
                marks = np.setdiff1d(np.arange(self.size), space.numbers)  # of sets, and bits: they stay 0 and 1
                center[marks], scale[marks] = 0.0, 1.0
            self.register_buffer("center", center, persistent=False)
            self.register_buffer("scale", scale, persistent=False)
            self.register_buffer("low", torch.as_tensor(space.low).reshape(-1).float(), persistent=False)
            self.register_buffer("high", torch.as_tensor(space.high).reshape(-1).float(), persistent=False)

    def forward(self, act: Tensor) -> Tensor:
        """Actions (B, *act) to features (B, size), float32."""
        if isinstance(self.space, Discrete):
            return one_hot(act.long() - int(self.space.start), self.size).float()
        flat = act.reshape(act.shape[0], self.size).float()
        return (flat.clamp(self.low, self.high) - self.center) / self.scale

    def within(self, encoded: Tensor) -> Tensor:
        """Encoded Box actions (B, size) clipped to the bounds."""
        return encoded.clamp((self.low - self.center) / self.scale, (self.high - self.center) / self.scale)

    def differentiable(self, act: Tensor) -> Tensor:
        """As ``forward`` of Box actions, with a gradient also where an action lies outside: the one that leads back."""
        flat = act.reshape(act.shape[0], self.size)
        return (clamp_inward(flat, self.low, self.high) - self.center) / self.scale
