"""What every discriminator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from gymnasium import Space
from torch import Tensor, nn

from gailkit.memory import blocks
from gailkit.networks.encoders import ActionEncoder, ObservationEncoder
from gailkit.types import Transitions

CHUNK = 2**21  # numbers of features of pictures that are encoded at a time


class Discriminator(nn.Module, ABC):
    """D = sigmoid(z), the probability that a transition is the expert's: 1 = expert (real), 0 = policy (fake).

    This is the one place where the convention is stated; the GAIL paper (Ho & Ermon 2016) writes D the other way
    round, 1 = policy. A subclass gives ``logits`` on encoded transitions and nothing else. Networks work with the
    logit z; D itself is never computed, since it rounds to 0 or 1 long before z stops carrying information.
    """

    looks_ahead: bool = True  # whether ``logits`` may look at ``next_obs``; else pictures there are not encoded
    sees_actions: bool = True  # whether ``logits`` may look at ``act``; else it judges also whose actions nobody knows

    def __init__(self, encoder: ObservationEncoder, action_space: Space[Any]) -> None:
        """``encoder`` is the one the policy uses, so that both sides see the same preprocessing."""
        super().__init__()
        self.encoder = encoder
        self.action_encoder = ActionEncoder(action_space)

    def encode(self, transitions: Transitions) -> Transitions:
        """The same transitions as features, float32: obs and next_obs (B, S), act (B, F), terminated (B,) bool.

        Where there are pictures and nothing ``looks_ahead``, next_obs is (B, 0); act is where nothing ``sees_actions``.
        """
        obs = self.encoder(transitions.obs)
        ahead = self.looks_ahead or not self.encoder.pictures
        following = self.encoder(transitions.next_obs) if ahead else obs[:, :0]
        act = self.action_encoder(transitions.act) if self.sees_actions else obs[:, :0]
        return Transitions(obs, act, following, transitions.terminated)

    def observe(self, transitions: Transitions) -> None:
        """Take transitions of the expert, before the run, or of the policy, before D learns from them, into whatever
        statistics there are beside those of the encoder; here there are none."""

    @abstractmethod
    def logits(self, encoded: Transitions) -> Tensor:
        """Encoded transitions, as ``encode`` returns them, to logits z (B,)."""

    def forward(self, transitions: Transitions) -> Tensor:
        """Transitions in the environment's own units to logits z (B,)."""
        return self.logits(self.encode(transitions))

    @torch.no_grad()
    def judged(self, transitions: Transitions) -> Tensor:
        """As ``forward``, without gradient and, of pictures, a few at a time."""
        if not self.encoder.pictures:
            logits: Tensor = self(transitions)
            return logits
        chunks = blocks(len(transitions), self.encoder.size, CHUNK)
        return torch.cat(
            [self(transitions[torch.arange(chunk.start, chunk.stop, device=transitions.device)]) for chunk in chunks]
        )


class Shown:
    """One side's transitions, of which some are drawn at a time: encoded once, or pictures when they are drawn."""

    def __init__(self, discriminator: Discriminator, transitions: Transitions) -> None:
        self.discriminator = discriminator
        self.whole = bool(discriminator.encoder.pictures)
        self.held = transitions if self.whole else discriminator.encode(transitions)

    def __len__(self) -> int:
        return len(self.held)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.held.device

    def __getitem__(self, index: Tensor) -> Transitions:
        """Encoded transitions at ``index`` (B,) int64, in that order."""
        return self.discriminator.encode(self.held[index]) if self.whole else self.held[index]
