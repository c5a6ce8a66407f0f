"""Discriminators that see what was seen and not what was done: of states alone, and of states with what followed."""

from __future__ import annotations

from typing import Any

from gymnasium import Space
from torch import Tensor

from gailkit.discriminator.base import Discriminator
from gailkit.discriminator.state_action import NetworkFactory
from gailkit.networks.changes import ChangeEncoder
from gailkit.networks.convolutions import seeing
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Transitions


class StateDiscriminator(Discriminator):
    """D(s), whatever was done there: tells apart where expert and policy are."""

    looks_ahead = False
    sees_actions = False

    def __init__(
        self, encoder: ObservationEncoder, action_space: Space[Any], network: NetworkFactory, window: int = 1
    ) -> None:
        super().__init__(encoder, action_space, window)
        self.network = seeing(encoder, network, frames=window)(self.obs_size, 1)

    def logits(self, encoded: Transitions) -> Tensor:
        """z(s), (B,)."""
        z: Tensor = self.network(encoded.obs)
        return z.squeeze(-1)


class NextStateDiscriminator(Discriminator):
    """D(s, s'), whatever was done between: tells apart what expert and policy bring about. Torabi, Warnell & Stone
    2018, "Generative Adversarial Imitation from Observation".

    Of s' it sees how far the numbers went, in the deviations of such changes (``ChangeEncoder``). In those of the
    observations themselves s' would hardly differ from s, and a discriminator whose slope is held near 1 could not
    tell one thing that was done from another.
    """

    sees_actions = False

    def __init__(
        self, encoder: ObservationEncoder, action_space: Space[Any], network: NetworkFactory, window: int = 1
    ) -> None:
        super().__init__(encoder, action_space, window)
        self.changes = ChangeEncoder(encoder)
        self.network = seeing(encoder, network, frames=window + 1)(self.obs_size + encoder.size, 1)

    def observe(self, transitions: Transitions) -> None:
        """Take the changes into their statistics."""
        self.changes.update(self.encoder, transitions.obs, transitions.next_obs)

    def encode_steps(self, transitions: Transitions) -> Transitions:
        """As that of a Discriminator; next_obs (B, S) are the features of what changed."""
        following = self.changes(self.encoder, transitions.obs, transitions.next_obs)
        obs = self.encoder(transitions.obs)
        return Transitions(obs, obs[:, :0], following, transitions.terminated)

    def logits(self, encoded: Transitions) -> Tensor:
        """z(s, s'), (B,)."""
        z: Tensor = self.network(self.encoder.side_by_side(encoded.obs, encoded.next_obs, frames=(self.window, 1)))
        return z.squeeze(-1)
