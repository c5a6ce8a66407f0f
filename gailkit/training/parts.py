"""The parts of a run that somebody else may have written, and a first look at whether they fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from gymnasium import Space
from torch import Tensor

from gailkit.discriminator import Discriminator, DiscriminatorLoss
from gailkit.errors import GailkitError, InputError
from gailkit.generator import Generator
from gailkit.importing import describe_foreign
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import RewardForm, Transitions

Made = TypeVar("Made")

DiscriminatorFactory = Callable[[ObservationEncoder, "Space[Any]"], Discriminator]
"""(the encoder shared with the policy, action space) to a Discriminator."""

GeneratorFactory = Callable[[ActorCritic], Generator]
"""An actor and critic to the Generator that improves them."""


@dataclass(frozen=True)
class Parts:
    """What a researcher swaps; None stands for what the configuration names."""

    discriminator: DiscriminatorFactory | None = None
    loss: DiscriminatorLoss | None = None  # as it is: ``with_gradient_penalty`` is for the caller to add
    reward: RewardForm | None = None
    generator: GeneratorFactory | None = None


def made(what: str, factory: Callable[..., Made], *arguments: object) -> Made:
    """What ``factory`` returns for ``arguments``; InputError, calling it ``what``, if it raises."""
    with _foreign(what):
        return factory(*arguments)


def made_generator(factory: GeneratorFactory, actor_critic: ActorCritic) -> Generator:
    """What ``factory`` makes of ``actor_critic``; InputError unless it is a Generator."""
    generator = made("generator", factory, actor_critic)
    _require(Generator, generator)
    return generator


def try_out(discriminator: Discriminator, loss: DiscriminatorLoss, reward_form: RewardForm, few: Transitions) -> None:
    """Raise InputError unless the parts are what they should be, seen on a ``few`` transitions of the expert.

    D must give one logit for each transition, the loss a number and an optimal logit, and the reward form one reward
    for each logit.
    """
    _require(Discriminator, discriminator)
    with torch.no_grad(), _foreign("discriminator"):
        logits = _one_for_each("logit", len(few), discriminator(few))
    with torch.no_grad(), _foreign("reward form"):
        _one_for_each("reward", len(few), reward_form(logits))
    with _foreign("discriminator loss"), torch.random.fork_rng(devices=[]):
        encoded = discriminator.encode(few)
        float(loss(discriminator, encoded, encoded).detach())
        float(loss.optimal_logit(0.5))


@contextmanager
def _foreign(what: str) -> Iterator[None]:
    """Turn whatever foreign code raises inside the block into an InputError."""
    try:
        yield
    except GailkitError:
        raise
    except Exception as error:  # the part is foreign code and may raise anything
        raise InputError(f"the {what} failed when it was tried out: {describe_foreign(error, __file__)}") from error


def _require(kind: type[Any], part: object) -> None:
    if not isinstance(part, kind):
        raise InputError(f"a {kind.__name__} is needed; found {type(part).__name__}")


def _one_for_each(what: str, count: int, found: object) -> Tensor:
    if not isinstance(found, Tensor) or found.shape != (count,):
        shown = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise InputError(f"there must be one {what} for each of {count} transitions; found {shown}")
    return found
