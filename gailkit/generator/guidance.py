"""The expert's actions as a guide while the policy improves on the discriminator's rewards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gailkit.functional.schedules import Schedule, linear
from gailkit.generator.cloning import negative_log_likelihood_of_means
from gailkit.generator.expert_runs import ShownRuns
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Transitions

MEASURED_SHARE = 0.3  # of the expert's pairs,
MOST_MEASURED = 1000  # and no more than so many


@dataclass(frozen=True)
class ShownPairs:
    """B of the expert's pairs."""

    features: Tensor  # (B, size)
    act: Tensor  # (B, *act)

    @classmethod
    @torch.no_grad()
    def of(cls, pairs: Transitions, encoder: ObservationEncoder, image_shift: float = 0.0) -> ShownPairs:
        """These, with pictures moved at random by up to a share ``image_shift`` of their side."""
        return cls(encoder.shifted(image_shift, encoder(pairs.obs))[0], pairs.act)

    def policy(self, actor_critic: ActorCritic) -> ActionDistribution:
        """pi in their states."""
        return actor_critic.distribution(self.features)


Shown = ShownPairs | ShownRuns
"""Some of the expert's pairs; to a policy with memory, in runs of its episodes."""

Draw = Callable[[int], Shown]
"""A number B to B of the expert's pairs, drawn at random."""


class Steps(Protocol):
    """K of the expert's pairs."""

    @property
    def device(self) -> torch.device:
        """Where they are."""

    def __len__(self) -> int:
        """K."""

    def __getitem__(self, index: Tensor) -> Transitions:
        """Those at ``index`` (B,) int64, in that order."""


def measured_apart(expert: Steps, seed: int) -> tuple[Transitions, Callable[[int], Transitions]]:
    """Pairs to find out how well a policy knows the expert, and how to draw from all others, which may guide it.

    A policy knows the actions that guide it by heart, the accidental part of them too.
    """
    order = torch.randperm(len(expert), generator=torch.Generator().manual_seed(seed))
    count = max(1, min(MOST_MEASURED, round(MEASURED_SHARE * len(expert))))
    order = order.to(expert.device)
    others = order[count:] if count < len(order) else order

    def draw(size: int) -> Transitions:
        return expert[others[torch.randint(len(others), (size,), device=others.device)]]

    return expert[order[:count]], draw


@dataclass(frozen=True)
class Guidance:
    """A term beside the objective: weight * schedule * mean -ln pi(a|s) of some of the expert's pairs, to be descended.

    It keeps a policy that began as a clone from forgetting what it knows while the discriminator and the values are
    still wrong, and fades as they become right. Deviations are left to the rewards: on few pairs their likelihood
    narrows them before the means are right.
    """

    draw: Draw  # so many of the expert's pairs at random
    weight: float = 0.1
    schedule: Schedule = linear
    batch_size: int = 128
    refresh: Callable[[], None] = lambda: None  # to be called when a rollout is about to be learned from

    def pairs(self) -> Shown:
        """Some of the expert's pairs, to be looked at by ``loss``."""
        return self.draw(self.batch_size)

    def strength(self, progress: float) -> float:
        """The weight of the term at a share in [0, 1] of the training."""
        return self.weight * self.schedule(progress)

    def loss(self, actor_critic: ActorCritic, pairs: Shown, progress: float) -> Tensor:
        """The term, a scalar, at a share in [0, 1] of the training."""
        return self.strength(progress) * negative_log_likelihood_of_means(pairs.policy(actor_critic), pairs.act)
