"""What the study changes, one thing at a time: settings by name, or a change to the objects of a run.

Everything that is on by default has a variant without it, and what other recipes use has one with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from gailkit.discriminator import AdversarialLoss, Discriminator, with_gradient_penalty
from gailkit.discriminator.learner import DiscriminatorLearner
from gailkit.discriminator.losses import EQUAL, Weights
from gailkit.functional.schedules import constant
from gailkit.generator import Guidance, WarmStart, clone_behaviour
from gailkit.training.loop import Trainer
from gailkit.training.parts import Parts
from gailkit.training.teachers import Adversary, Teacher
from gailkit.types import Experience, Pairs, Replayed, Rollout, Transitions

Change = Callable[[Trainer], None]
REPLAYED = 5  # rollouts that D sees policy samples of


@dataclass(frozen=True)
class Variant:
    """One row of the study: what differs from the default."""

    name: str
    says: str
    settings: Mapping[str, Any] = field(default_factory=dict)  # as in a TOML file
    change: Change | None = None  # of the run's objects before the first iteration
    parts: Parts | None = None
    cold: bool = False  # whether the policy begins at random, whatever a clone would be worth


class _Wrapped(Teacher):
    """A teacher that does something around another."""

    def __init__(self, inner: Adversary) -> None:
        self.inner = inner

    def networks(self) -> dict[str, nn.Module]:
        """Those of the other."""
        return self.inner.networks()

    def rewards(self, steps: Rollout | Replayed) -> Tensor:
        """Those of the other."""
        return self.inner.rewards(steps)

    def state_dict(self) -> dict[str, Any]:
        """That of the other."""
        return self.inner.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """That of the other."""
        self.inner.load_state_dict(state)


class Optimistic(_Wrapped):
    """Rewards 2 u_t - u_(t-1), by D as it is now and as it was an iteration ago."""

    def learn(self, rollout: Rollout, experience: Experience) -> dict[str, float]:
        """As the other."""
        self.before = self.inner.rewards(rollout)
        return self.inner.learn(rollout, experience)

    def rewards(self, steps: Rollout | Replayed) -> Tensor:
        """Those of the last rollout, looking ahead of D."""
        return 2.0 * self.inner.rewards(steps) - self.before


class Replaying(_Wrapped):
    """D learns from the policy's last rollouts, not from the present one alone."""

    def __init__(self, inner: Adversary) -> None:
        super().__init__(inner)
        self.past: deque[Experience] = deque(maxlen=REPLAYED)

    def learn(self, rollout: Rollout, experience: Experience) -> dict[str, float]:
        """As the other, with more to learn from."""
        self.past.append(experience)
        joined = Transitions.joined([each.steps for each in self.past])
        counts = (sum(each.num_steps for each in self.past), sum(each.num_terminated for each in self.past))
        return self.inner.learn(rollout, Experience(joined, *counts))


@dataclass(frozen=True)
class PulledToHalf:
    """The default loss and k/2 mean (D - 1/2)^2 on both sides (C-GAIL, NeurIPS 2024, arXiv 2402.16349)."""

    weight: float = 1.0
    loss: AdversarialLoss = field(default_factory=AdversarialLoss)

    def __call__(
        self, discriminator: Discriminator, expert: Transitions, policy: Transitions, weights: Weights = EQUAL
    ) -> Tensor:
        """The loss on encoded transitions."""
        both = torch.cat([discriminator.logits(expert), discriminator.logits(policy)])
        pull = self.weight / 2 * (both.sigmoid() - 0.5).square().mean()
        return self.loss(discriminator, expert, policy, weights) + pull

    def optimal_logit(self, share: float) -> float:
        """About that of the default loss."""
        return self.loss.optimal_logit(share)


def learner_of(trainer: Trainer) -> DiscriminatorLearner:
    """The learner of a run's discriminator."""
    assert isinstance(trainer.teacher, Adversary)
    return trainer.teacher.learner


def begin_cold() -> Any:
    """A context in which no clone is of use."""

    def refuse(actor_critic: Any, expert: Pairs, *_: Any) -> WarmStart:
        return WarmStart(clone_behaviour(actor_critic, expert, max_epochs=0), used=False)

    return patch("gailkit.training.build.warm_start", refuse)


def _unguided(trainer: Trainer) -> None:
    trainer.generator.guidance = None


def _guided_throughout(trainer: Trainer) -> None:
    guidance = trainer.generator.guidance
    if guidance is not None:
        trainer.generator.guidance = Guidance(guidance.draw, schedule=constant)


def _unjudged_endings(trainer: Trainer) -> None:
    learner_of(trainer).endings = None


def _unweighted(trainer: Trainer) -> None:
    patch.object(learner_of(trainer), "weights", lambda: EQUAL).start()


def _running_normaliser(trainer: Trainer) -> None:
    trainer.generator.actor_critic.encoder.frozen = False


def _optimistic(trainer: Trainer) -> None:
    assert isinstance(trainer.teacher, Adversary)
    trainer.teacher = Optimistic(trainer.teacher)


def _replaying(trainer: Trainer) -> None:
    assert isinstance(trainer.teacher, Adversary)
    trainer.teacher = Replaying(trainer.teacher)


def _d(**settings: Any) -> dict[str, Any]:
    return {"discriminator": settings}


VARIANTS = (
    Variant("default", "nothing"),
    Variant("cold start", "the policy begins at random", cold=True),
    Variant("no guidance", "a clone, and nothing of the expert's actions afterwards", change=_unguided),
    Variant("lasting guidance", "the guidance does not fade", change=_guided_throughout),
    Variant("running normaliser", "statistics go on after the clone", change=_running_normaliser),
    Variant("8 updates", "8 updates of D a rollout", _d(updates=8)),
    Variant("128 updates", "128 updates of D a rollout", _d(updates=128)),
    Variant("advantages at full length", "no least deviation of advantages", {"least_deviation": 0.0}),
    Variant("advantages damped", "least deviation 8", {"least_deviation": 8.0}),
    Variant("endings unjudged", "one absorbing state, wherever an episode ended", change=_unjudged_endings),
    Variant("sides unweighted", "both sides count equally, however soon they end", change=_unweighted),
    Variant("lambda 0.98", "lambda 0.98, as before", {"lam": 0.98}),
    Variant("gamma 0.97", "gamma 0.97 everywhere", {"gamma": 0.97}),
    Variant("gamma 0.99", "gamma 0.99 everywhere", {"endless_gamma": 0.99}),
    Variant("no gradient penalty", "no gradient penalty", _d(gradient_penalty=0.0)),
    Variant("gradient penalty 10", "gradient penalty 10", _d(gradient_penalty=10.0)),
    Variant("logit penalty 2", "kappa 2", _d(logit_penalty=2.0)),
    Variant("spectral", "spectral normalisation of D", _d(network="spectral")),
    Variant("D 1e-4", "D's learning rate 1e-4", _d(learning_rate=1e-4)),
    Variant("D 1e-3", "D's learning rate 1e-3", _d(learning_rate=1e-3)),
    Variant("small D", "D with one layer of 32", _d(hidden=[32])),
    Variant("pull to 1/2", "D pulled to 1/2", parts=Parts(loss=with_gradient_penalty(PulledToHalf(), 1.0))),
    Variant("optimism", "rewards 2 u_t - u_(t-1)", change=_optimistic),
    Variant("replay", f"D sees the policy's last {REPLAYED} rollouts", change=_replaying),
    Variant("entropy", "an entropy bonus of 0.001", {"policy": {"entropy_bonus": 0.001}}),
    Variant("policy 5e-4", "the policy's learning rate 5e-4", {"policy": {"learning_rate": 5e-4}}),
    Variant("cross-entropy", "the cross-entropy in place of F", {"loss": "bce"}),
)
BY_NAME = {variant.name: variant for variant in VARIANTS}
