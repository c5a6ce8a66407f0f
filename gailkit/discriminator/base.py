"""What every discriminator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import torch
from gymnasium import Space
from torch import Tensor, nn

from gailkit.discriminator.in_windows import joined, with_earlier
from gailkit.errors import InputError
from gailkit.memory import blocks
from gailkit.networks.encoders import ActionEncoder, ObservationEncoder
from gailkit.types import Transitions

CHUNK = 2**21  # numbers of features of pictures that are encoded at a time


class Discriminator(nn.Module, ABC):
    """D = sigmoid(z), the probability that a transition is the expert's: 1 = expert (real), 0 = policy (fake).

    This is the one place where the convention is stated; the GAIL paper (Ho & Ermon 2016) writes D the other way
    round, 1 = policy. A subclass gives ``logits`` on encoded transitions and nothing else. Networks work with the
    logit z; D itself is never computed, since it rounds to 0 or 1 long before z stops carrying information.

    What is judged is a step or, with a ``window`` of K, the last K steps of its episode: the step with, as part of what
    was observed in it, what was seen and done in the K - 1 before it.
    """

    looks_ahead: bool = True  # whether ``logits`` may look at ``next_obs``; else pictures there are not encoded
    sees_actions: bool = True  # whether ``logits`` may look at ``act``; else it judges also whose actions nobody knows

    def __init__(self, encoder: ObservationEncoder, action_space: Space[Any], window: int = 1) -> None:
        """
        Args:
            encoder: the one the policy uses, so that both sides see the same preprocessing.
            window: K, how many steps in a row are judged.

        Raises:
            InputError: for fewer than one.
        """
        super().__init__()
        if window < 1:
            raise InputError(f"a discriminator judges windows of at least 1 step; found {window}")
        self.encoder, self.window = encoder, window
        self.action_encoder = ActionEncoder(action_space)

    @property
    def obs_size(self) -> int:
        """How many features of observations ``logits`` is given: ``encoder.size`` and, of windows, of each step before
        what it sees of a step, and whether there was one. Pictures come first, those of all times of each together."""
        done = self.action_encoder.size if self.sees_actions else 0
        ahead = len(self.encoder.marks) if self.looks_ahead else 0
        return self.encoder.size + (self.window - 1) * (self.encoder.size + done + ahead + 1)

    def encode(self, transitions: Transitions) -> Transitions:
        """The same transitions as features, float32: obs (B, ``obs_size``), act (B, F), next_obs (B, S), terminated
        (B,) bool.

        Raises:
            InputError: of windows, where it is not known what was before the transitions.
        """
        if self.window == 1:
            return self.encode_steps(transitions)
        return joined(with_earlier(self.encode_steps, transitions, self.window), self.encoder, self.looks_ahead)

    def encode_steps(self, transitions: Transitions) -> Transitions:
        """Transitions as features of the steps alone, float32: obs and next_obs (B, S), act (B, F), terminated (B,)
        bool.

        Where there are pictures and nothing ``looks_ahead``, next_obs is (B, 0); act is where nothing ``sees_actions``.
        """
        obs = self.encoder(transitions.obs)
        ahead = self.looks_ahead or not self.encoder.pictures
        following = self.encoder(transitions.next_obs) if ahead else obs[:, :0]
        act = self.action_encoder(transitions.act) if self.sees_actions else obs[:, :0]
        return Transitions(obs, act, following, transitions.terminated)

    def moved(self, encoded: Transitions, share: float) -> Transitions:
        """Encoded transitions with pictures moved at random by up to a ``share`` of their side, successors alike, to be
        learned from; without pictures as they are."""
        if not self.encoder.pictures or not share:
            return encoded
        if not self.looks_ahead:
            return replace(encoded, obs=self.encoder.shifted(share, encoded.obs, frames=[self.window])[0])
        obs, following = self.encoder.shifted(share, encoded.obs, encoded.next_obs, frames=[self.window, 1])
        return replace(encoded, obs=obs, next_obs=following)

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
        """As ``forward``, without gradient and, of pictures and windows, a few at a time."""
        if not self.encoder.pictures and self.window == 1:
            logits: Tensor = self(transitions)
            return logits
        shown, chunks = Shown(self, transitions), blocks(len(transitions), self.obs_size, CHUNK)
        rows = (torch.arange(chunk.start, chunk.stop, device=transitions.device) for chunk in chunks)
        return torch.cat([self.logits(shown[chosen]) for chosen in rows])


class Shown:
    """One side's transitions, of which some are drawn at a time: encoded once, or pictures when they are drawn, as
    windows are put together then."""

    def __init__(self, discriminator: Discriminator, transitions: Transitions) -> None:
        self.discriminator, self.whole = discriminator, bool(discriminator.encoder.pictures)
        if self.whole:
            self.held = transitions
        elif discriminator.window == 1:
            self.held = discriminator.encode(transitions)
        else:
            self.held = with_earlier(discriminator.encode_steps, transitions, discriminator.window)

    def __len__(self) -> int:
        return len(self.held)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.held.device

    def __getitem__(self, index: Tensor) -> Transitions:
        """Encoded transitions at ``index`` (B,) int64, in that order."""
        drawn = self.held[index]
        if not self.whole:
            return joined(drawn, self.discriminator.encoder, self.discriminator.looks_ahead)
        before = None if drawn.before is None else drawn.before.alone()
        return self.discriminator.encode(replace(drawn, before=before))
