"""The expert's episodes, for a policy with memory that learns from them in runs of their steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gailkit.errors import InputError
from gailkit.generator.learning import CHUNK, Runs
from gailkit.memory import blocks
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution
from gailkit.networks.recurrent import Sequences, alone, states_along
from gailkit.types import Pairs, PairsInEpisodes


@dataclass(frozen=True)
class ShownRuns:
    """Some runs of the expert's steps, B in all, and its actions where they are known."""

    steps: Sequences
    known: Tensor  # (K,) int64, among the B
    act: Tensor  # (K, *act)

    def __len__(self) -> int:
        return len(self.known)

    def policy(self, actor_critic: ActorCritic) -> ActionDistribution:
        """pi in the K states whose actions are known, with a gradient through the whole runs."""
        return actor_critic.distribution(self.steps)[self.known]


class ExpertRuns:
    """Episodes cut into runs of as many steps as a gradient goes back through.

    Before each run the policy remembers what it would have, by its networks as they were at the last ``refresh``, if it
    had seen the episode from its beginning. Every observation is seen, also those whose actions are not learned.
    """

    def __init__(self, actor_critic: ActorCritic, expert: Pairs, image_shift: float = 0.0) -> None:
        """``image_shift`` is the share of their side by which pictures move at random where they are learned from, in a
        run alike. Raises InputError for pairs of which nobody knows what came before them."""
        assert actor_critic.memory is not None
        self.image_shift = image_shift
        self.actor_critic, self.expert, self.length = actor_critic, expert, actor_critic.memory.length
        self.walks = in_episodes(expert).walks()
        self._every = torch.arange(len(self.walks.pair), device=self.walks.pair.device)
        self._features = None if actor_critic.encoder.pictures else self._encoded(self._every)
        self.refresh()

    @torch.no_grad()
    def refresh(self) -> None:
        """Let what is remembered be what the policy as it is now would remember."""

        def remember(rows: Tensor, states: Tensor) -> Tensor:
            return self.actor_critic.remembered_by_policy(self.features(rows), states)

        nothing = torch.zeros(
            len(self.walks.lengths), self.actor_critic.policy_state_size, device=self.actor_critic.device
        )
        self.before = states_along(remember, self.walks.lengths, nothing)
        self.runs = Runs.cut(self.walks.lengths, self.before, self.length)

    @torch.no_grad()
    def features(self, rows: Tensor) -> Tensor:
        """Of the observations at ``rows`` (B,) int64, (B, size)."""
        features: Tensor = self._encoded(rows) if self._features is None else self._features[rows]
        return features

    def shown(self, runs: Tensor, wanted: Tensor) -> ShownRuns:
        """The runs with the numbers ``runs`` (R,) int64, and actions of the pairs for which ``wanted`` (K,) is true."""
        some, rows = self.runs.take(runs), self.runs.rows(runs)
        pairs = self.walks.pair[rows]
        known = ((pairs >= 0) & wanted[pairs]).nonzero().squeeze(1)
        encoder, features = self.actor_critic.encoder, self.features(rows)
        (moved,) = encoder.shifted(self.image_shift, features, runs=some.lengths)
        steps = Sequences(moved, some.lengths, some.states)
        return ShownRuns(steps, known, self.expert.actions_at(pairs[known]))

    def draw(self, count: int) -> ShownRuns:
        """About ``count`` steps in runs at random, as many of them as hold so many at their longest."""
        runs = torch.randint(len(self.runs), (-(-count // self.length),), device=self.before.device)
        return self.shown(runs, torch.ones(len(self.expert), dtype=torch.bool, device=self.before.device))

    @torch.no_grad()
    def policies(self, pairs: Tensor) -> Iterator[tuple[ActionDistribution, Tensor]]:
        """The policy in the states of the pairs with these numbers, and their actions, some at a time in their order,
        by what is remembered before each."""
        for chunk in blocks(len(pairs), self.actor_critic.encoder.size, CHUNK):
            rows = self.walks.places[pairs[chunk]]
            policy = self.actor_critic.distribution(alone(self.features(rows), self.before[rows]))
            yield policy, self.expert.actions_at(pairs[chunk])

    @torch.no_grad()
    def _encoded(self, rows: Tensor) -> Tensor:
        features: Tensor = self.actor_critic.encoder(self.walks.observations_at(rows))
        return features


def in_episodes(expert: Pairs) -> PairsInEpisodes:
    """``expert`` itself, if what was observed before each of its pairs is known; else InputError."""
    if not isinstance(expert, PairsInEpisodes):
        raise InputError(f"a policy with memory learns from whole episodes; found pairs alone, {type(expert).__name__}")
    return expert
