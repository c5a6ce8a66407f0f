"""Names of generators and networks become objects here, and other names by ``named``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import partial
from typing import Any

from gymnasium import Space
from torch import nn

from gailkit.errors import InputError
from gailkit.functional import schedules
from gailkit.functional.schedules import Schedule
from gailkit.generator import ACKTR, DDPG, DQN, SAC, TD3, TRPO, Generator, PolicyGradient, PPOClip, PPOPenalty
from gailkit.importing import import_attribute
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.convolutions import ImageEncoder, impala, nature
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import NetworkFactory, mlp
from gailkit.networks.recurrent import Memory
from gailkit.spaces import brief, stated_space
from gailkit.training.config import FLAT, RunConfig
from gailkit.training.parts import GeneratorFactory, Parts, checked_image_encoder, checked_network, made
from gailkit.training.policy_config import MEMORY, MEMORY_LENGTH, MEMORY_UNITS, OFF_POLICY, PolicyConfig


def given_networks(
    config: RunConfig, encoder: ObservationEncoder, action_space: Space[Any], parts: Parts
) -> ActorCritic:
    """The networks that a generator is made of. Raises InputError if the one that is named cannot act so."""
    if parts.generator is None:
        check_acts_in(config.generator, action_space)
    head = head_of(config.generator)
    made = build_actor_critic(config.policy, encoder, action_space, parts.policy_network, head)
    return made.to(encoder.device)


def build_actor_critic(
    policy: PolicyConfig,
    encoder: ObservationEncoder,
    action_space: Space[Any],
    network: NetworkFactory | None = None,
    head: str = "softmax",
) -> ActorCritic:
    """The policy and value networks that ``policy`` describes, untrained; ``network`` takes the place of its own."""
    if network is None and policy.network != "mlp":
        network = named(policy.network, {"mlp": mlp}, "policy network")
    shape = (policy.hidden, policy.initial_log_std, policy.std, policy.bounds)
    make = partial(ActorCritic, encoder, action_space, *shape, head=head, memory=memory_in(policy))
    return make() if network is None else made("policy network", partial(make, network=checked_network(network)))


def memory_in(policy: PolicyConfig) -> Memory | None:
    """What ``policy`` says of a memory; None without one."""
    if policy.memory is None or policy.memory == "none":
        return None
    return Memory(policy.memory, policy.memory_units or MEMORY_UNITS, policy.memory_length or MEMORY_LENGTH)


def observation_encoder(
    image_encoder: str, observation_space: Space[Any], own: ImageEncoder | None = None
) -> ObservationEncoder:
    """The encoder of observations with the named way to see pictures; ``own`` takes its place."""
    if own is None and image_encoder == FLAT:
        return ObservationEncoder(observation_space, _flat, see=False)
    make = own or named(image_encoder, {"nature": nature, "impala": impala, FLAT: _flat}, "image encoder")
    return ObservationEncoder(observation_space, checked_image_encoder(make))


def _flat(channels: int, height: int, width: int) -> nn.Module:
    """Pictures that lie among other parts as their numbers."""
    return nn.Flatten()


def head_of(generator: str) -> str:
    """What the policy network's outputs are for Discrete actions: those of ``dqn`` are action values."""
    return "greedy" if generator == "dqn" else "softmax"


def check_acts_in(generator: str, action_space: Space[Any]) -> None:
    """Raise InputError if the named ``generator`` cannot act in ``action_space``; those that can are listed."""
    able = [name for name, kind in GENERATORS.items() if kind.can_act_in(action_space)]
    if generator in GENERATORS and generator not in able:
        space = brief(stated_space(action_space))
        raise InputError(f"the generator {generator} cannot act in {space}; those that can are {', '.join(able)}")


def generator_factory(config: RunConfig) -> GeneratorFactory:
    """What makes the named generator out of an actor and critic."""
    if config.generator not in GENERATORS:
        factory: GeneratorFactory = named(config.generator, GENERATORS, "generator")
        return factory
    settings = {name: value for name, value in config.policy_settings.items() if name not in MEMORY}
    chosen = {name: SCHEDULES[word] for name, word in settings.items() if name.endswith("_schedule")}
    shared = {"gamma": config.gamma} | ({} if config.generator in OFF_POLICY else {"lam": config.lam})
    return partial(GENERATORS[config.generator], **{**shared, **settings, **chosen})


def named(name: str, known: Mapping[str, Any], what: str) -> Any:
    """``known[name]``, or the attribute that ``package.module:attribute`` points to.

    Raises:
        InputError: if it is neither; the known names are listed.
    """
    if name in known:
        return known[name]
    if ":" in name:
        return _imported(name, what)
    beginning = [word for word in known if name and word.startswith(name)]
    close = beginning or difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(f"no {what} is called {name!r}; {hint}known are {', '.join(known)} and package.module:attribute")


def _imported(name: str, what: str) -> Any:
    found = import_attribute(name)
    if not callable(found):
        raise InputError(f"the {what} {name!r} must be callable; found {type(found).__name__}")
    return found


SCHEDULES: Mapping[str, Schedule] = {"constant": schedules.constant, "linear": schedules.linear}
GENERATORS: Mapping[str, type[Generator]] = {
    "ppo-clip": PPOClip,
    "ppo-penalty": PPOPenalty,
    "trpo": TRPO,
    "acktr": ACKTR,
    "pg": PolicyGradient,
    "dqn": DQN,
    "ddpg": DDPG,
    "td3": TD3,
    "sac": SAC,
}
