"""What every discriminator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from gymnasium import Space
from torch import Tensor, nn

from gailkit.networks.encoders import ActionEncoder, ObservationEncoder
from gailkit.types import Transitions


class Discriminator(nn.Module, ABC):
    """D = sigmoid(z), the probability that a transition is the expert's: 1 = expert (real), 0 = policy (fake).

    This is the one place where the convention is stated; the GAIL paper (Ho & Ermon 2016) writes D the other way
    round, 1 = policy. A subclass gives ``logits`` on encoded transitions and nothing else. Networks work with the
    logit z; D itself is never computed, since it rounds to 0 or 1 long before z stops carrying information.
    """

    def __init__(self, encoder: ObservationEncoder, action_space: Space[Any]) -> None:
        """``encoder`` is the one the policy uses, so that both sides see the same preprocessing."""
        super().__init__()
        self.encoder = encoder
        self.action_encoder = ActionEncoder(action_space)

    def encode(self, transitions: Transitions) -> Transitions:
        """The same transitions as features, float32: obs and next_obs (B, S), act (B, F), terminated (B,) bool."""
        return Transitions(
            self.encoder(transitions.obs),
            self.action_encoder(transitions.act),
            self.encoder(transitions.next_obs),
            transitions.terminated,
        )

    @abstractmethod
    def logits(self, encoded: Transitions) -> Tensor:
        """Encoded transitions, as ``encode`` returns them, to logits z (B,)."""

    def forward(self, transitions: Transitions) -> Tensor:
        """Transitions in the environment's own units to logits z (B,)."""
        return self.logits(self.encode(transitions))
