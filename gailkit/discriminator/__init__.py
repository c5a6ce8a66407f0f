"""Who acted, expert or policy? Networks that tell, the losses they descend, and the rewards they give."""

from gailkit.discriminator.base import Discriminator
from gailkit.discriminator.endings import EndingJudge
from gailkit.discriminator.learner import DiscriminatorLearner
from gailkit.discriminator.losses import (
    AdversarialLoss,
    CrossEntropyLoss,
    DiscriminatorLoss,
    GradientPenalisedLoss,
    SolvedLoss,
    WeightedLoss,
    Weights,
    with_gradient_penalty,
)
from gailkit.discriminator.state import NextStateDiscriminator, StateDiscriminator
from gailkit.discriminator.state_action import BoxActionDiscriminator, DiscreteActionDiscriminator

__all__ = [
    "AdversarialLoss",
    "BoxActionDiscriminator",
    "CrossEntropyLoss",
    "DiscreteActionDiscriminator",
    "Discriminator",
    "DiscriminatorLearner",
    "DiscriminatorLoss",
    "EndingJudge",
    "GradientPenalisedLoss",
    "NextStateDiscriminator",
    "SolvedLoss",
    "StateDiscriminator",
    "WeightedLoss",
    "Weights",
    "with_gradient_penalty",
]
