"""The parts of a run that somebody else may have written, and a first look at whether they fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, TypeVar

import torch
from gymnasium import Space
from torch import Tensor, nn

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import Discriminator, DiscriminatorLoss, Weights
from gailkit.discriminator.losses import optimal_logit, weighted
from gailkit.errors import GailkitError, InputError
from gailkit.generator import Generator
from gailkit.importing import describe_foreign, where_defined
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.convolutions import ImageEncoder
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import NetworkFactory
from gailkit.training.config import NEXT_STATE, STATE
from gailkit.types import RewardForm, Transitions
from gailkit.wording import counted

Made = TypeVar("Made")

DiscriminatorFactory = Callable[[ObservationEncoder, "Space[Any]"], Discriminator]
"""(the encoder shared with the policy, action space) to a Discriminator; one that judges windows also takes, by name,
``window``, of how many steps."""

GeneratorFactory = Callable[[ActorCritic], Generator]
"""An actor and critic to the Generator that improves them."""


@dataclass(frozen=True)
class Parts:
    """What a researcher swaps; None stands for what the configuration names.

    A run is found again by the names of its parts, never by their code. To act it takes the policy network, the image
    encoder, and a generator that brings an actor and critic of its own: a run whose is a lambda, a local class or one
    of ``__main__`` can be loaded only by who passes the same parts to ``load_policy``, which a warning says when
    training begins.
    """

    discriminator: DiscriminatorFactory | None = None
    loss: DiscriminatorLoss | None = None  # as it is: ``with_gradient_penalty`` is for the caller to add
    reward: RewardForm | None = None
    generator: GeneratorFactory | None = None
    policy_network: NetworkFactory | None = None  # of the policy and, with one output, of its value function
    image_encoder: ImageEncoder | None = None  # of policy, value function and discriminator, one each


def described_parts(parts: Parts) -> dict[str, str | None]:
    """Where each part was defined, by its name; None where the configuration names it."""
    given = {each.name: getattr(parts, each.name) for each in fields(Parts)}
    return {name: None if part is None else where_defined(part) for name, part in given.items()}


def made(what: str, factory: Callable[..., Made], *arguments: object) -> Made:
    """What ``factory`` returns for ``arguments``; InputError, calling it ``what``, if it raises."""
    with foreign(what):
        return factory(*arguments)


def made_discriminator(
    factory: DiscriminatorFactory, encoder: ObservationEncoder, action_space: Space[Any], window: int
) -> Discriminator:
    """What ``factory`` makes; InputError unless it is a Discriminator that judges windows of so many steps."""
    make: Callable[..., Discriminator] = factory
    if window > 1 and "window" in _parameters(factory):
        make = partial(make, window=window)
    discriminator = made("discriminator", make, encoder, action_space)
    _require(Discriminator, discriminator)
    if discriminator.window != window:
        name, judged = type(discriminator).__name__, counted(discriminator.window, "step")
        raise InputError(
            f"{name} judges {judged} at a time where {window} are asked for (discriminator.window): let what makes it "
            "take window, and hand it to Discriminator.__init__"
        )
    return discriminator


def made_generator(factory: GeneratorFactory, actor_critic: ActorCritic) -> Generator:
    """What ``factory`` makes of ``actor_critic``; InputError unless it is a Generator with an ActorCritic."""
    generator = made("generator", factory, actor_critic)
    _require(Generator, generator)
    _require(ActorCritic, generator.actor_critic)
    return generator


def try_out(discriminator: Discriminator, loss: DiscriminatorLoss, reward_form: RewardForm, few: Transitions) -> None:
    """Raise InputError unless the parts are what they should be, seen on a ``few`` transitions of the expert.

    D must give one logit for each transition, the loss a number, and the reward form one reward for each logit. What
    they draw meanwhile is nobody's loss: the run's random numbers are the same whether or not parts are tried out.
    """
    _require(Discriminator, discriminator)
    device = few.obs.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        with torch.no_grad(), foreign("discriminator"):
            logits = _one_for_each("logit", len(few), discriminator(few))
        with torch.no_grad(), foreign("reward form"):
            _one_for_each("reward", len(few), reward_form(logits))
        with foreign("discriminator loss"):
            encoded = discriminator.encode(few)
            float(weighted(loss, discriminator, encoded, encoded, Weights()).detach())
            solved = optimal_logit(loss, 0.5)
            if solved is not None:
                float(solved)


def require_actions(discriminator: Discriminator, demonstrations: Demonstrations) -> None:
    """Raise InputError if the discriminator looks at actions and the demonstrations hold none."""
    if isinstance(discriminator, Discriminator) and discriminator.sees_actions and not demonstrations.has_actions:
        raise InputError(
            f"the demonstrations hold no actions, which {type(discriminator).__name__} looks at: imitate states by "
            f"--discriminator-kind {NEXT_STATE} or {STATE}"
        )


def checked_network(factory: NetworkFactory) -> NetworkFactory:
    """``factory``, whose networks are seen to map (2, inputs) to (2, outputs); InputError where one does not."""

    def make(inputs: int, outputs: int, hidden: Sequence[int]) -> nn.Module:
        network = factory(inputs, outputs, hidden=hidden)
        _require(nn.Module, network)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            found: object = network(torch.zeros(2, inputs))
        if not isinstance(found, Tensor) or found.shape != (2, outputs):
            shown = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise InputError(f"a policy network must map {(2, inputs)} to {(2, outputs)} here; found {shown}")
        return network

    return make


def checked_image_encoder(factory: ImageEncoder) -> ImageEncoder:
    """``factory``, whose networks are seen to be modules; what they return is looked at where they are put to use."""

    def make(channels: int, height: int, width: int) -> nn.Module:
        network = made("image encoder", factory, channels, height, width)
        _require(nn.Module, network)
        return network

    return make


def instance_of(what: str, part: Any) -> Any:
    """``part``, or, where it is a class, one of them made without arguments; InputError if that raises."""
    return made(what, part) if isinstance(part, type) else part


@contextmanager
def foreign(what: str, doing: str = "was tried out") -> Iterator[None]:
    """Turn whatever foreign code raises inside the block into an InputError: ``what`` failed when it ``doing``."""
    try:
        yield
    except GailkitError:
        raise
    except Exception as error:  # the part is foreign code and may raise anything
        raise InputError(f"the {what} failed when it {doing}: {describe_foreign(error, __file__)}") from error


def _parameters(factory: Callable[..., Any]) -> Collection[str]:
    """By which names it takes arguments; none where Python does not know."""
    try:
        return inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return ()


def _require(kind: type[Any], part: object) -> None:
    if not isinstance(part, kind):
        raise InputError(f"a {kind.__name__} is needed; found {type(part).__name__}")


def _one_for_each(what: str, count: int, found: object) -> Tensor:
    if not isinstance(found, Tensor) or found.shape != (count,):
        shown = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise InputError(f"there must be one {what} for each of {count} transitions; found {shown}")
    return found
