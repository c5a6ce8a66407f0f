"""The expert's actions as a guide while the policy improves on the discriminator's rewards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from gailkit.functional.schedules import Schedule, linear
from gailkit.generator.cloning import negative_log_likelihood_of_means
from gailkit.networks.actor_critic import ActorCritic
from gailkit.types import Transitions


@dataclass(frozen=True)
class Guidance:
    """A term beside the objective: weight * schedule * mean -ln pi(a|s) of some of the expert's pairs, to be descended.

    It keeps a policy that began as a clone from forgetting what it knows while the discriminator and the values are
    still wrong, and fades as they become right. Deviations are left to the rewards: on few pairs their likelihood
    narrows them before the means are right.
    """

    draw: Callable[[int], Transitions]  # so many of the expert's pairs at random
    weight: float = 0.1
    schedule: Schedule = linear
    batch_size: int = 128

    def pairs(self) -> Transitions:
        """Some of the expert's pairs, to be looked at by ``loss``."""
        return self.draw(self.batch_size)

    def strength(self, progress: float) -> float:
        """The weight of the term at a share in [0, 1] of the training."""
        return self.weight * self.schedule(progress)

    def loss(self, actor_critic: ActorCritic, pairs: Transitions, progress: float) -> Tensor:
        """The term, a scalar, at a share in [0, 1] of the training."""
        return self.strength(progress) * negative_log_likelihood_of_means(actor_critic(pairs.obs), pairs.act)
