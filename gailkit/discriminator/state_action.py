"""Discriminators of state-action pairs, one for each kind of action space."""

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import Space
from torch import Tensor, nn

from gailkit.discriminator.base import Discriminator
from gailkit.errors import InputError
from gailkit.networks.convolutions import seeing
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Transitions

NetworkFactory = Callable[[int, int], nn.Module]
"""(inputs, outputs) to a network that maps (B, inputs) to (B, outputs)."""


class BoxActionDiscriminator(Discriminator):
    """D(s, a) for continuous actions and those of several parts: one network on the encoded observation and action side
    by side."""

    looks_ahead = False

    def __init__(
        self, encoder: ObservationEncoder, action_space: Space[Any], network: NetworkFactory, window: int = 1
    ) -> None:
        super().__init__(encoder, action_space, window)
        self.network = seeing(encoder, network, frames=window)(self.obs_size + self.action_encoder.size, 1)

    def logits(self, encoded: Transitions) -> Tensor:
        """z(s, a), (B,)."""
        z: Tensor = self.network(torch.cat((encoded.obs, encoded.act), dim=-1))
        return z.squeeze(-1)


class DiscreteActionDiscriminator(Discriminator):
    """The vector D(s, .) for discrete actions, one element an action; the taken action picks its own."""

    looks_ahead = False

    def __init__(
        self, encoder: ObservationEncoder, action_space: Space[Any], network: NetworkFactory, window: int = 1
    ) -> None:
        super().__init__(encoder, action_space, window)
        self.network = seeing(encoder, network, frames=window)(self.obs_size, self.action_encoder.size)

    def action_logits(self, obs: Tensor) -> Tensor:
        """Observations (B, *obs) to the logits z(s, .) of all actions, (B, A).

        Raises:
            InputError: of windows, which an observation alone is none of.
        """
        if self.window > 1:
            raise InputError(f"an observation alone is no window of {self.window} steps, which this D judges")
        z: Tensor = self.network(self.encoder(obs))
        return z

    def logits(self, encoded: Transitions) -> Tensor:
        """z(s, a) of the taken action, (B,)."""
        z: Tensor = (self.network(encoded.obs) * encoded.act).sum(-1)
        return z
