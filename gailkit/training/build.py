"""The only place where a name becomes an object."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Discrete
from gymnasium.vector import SyncVectorEnv
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import (
    AdversarialLoss,
    BoxActionDiscriminator,
    CrossEntropyLoss,
    DiscreteActionDiscriminator,
    Discriminator,
    DiscriminatorLearner,
    DiscriminatorLoss,
    with_gradient_penalty,
)
from gailkit.errors import InputError
from gailkit.functional import rewards
from gailkit.functional.absorbing import absorbing_mass
from gailkit.generator import Generator, PPOClip
from gailkit.importing import import_attribute
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp, spectral_mlp
from gailkit.rollouts.collect import Collector
from gailkit.rollouts.envs import SeedStream
from gailkit.training.config import DiscriminatorConfig, TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.parts import DiscriminatorFactory, GeneratorFactory, Parts, made, try_out


def build_trainer(
    config: TrainConfig, envs: SyncVectorEnv, demonstrations: Demonstrations, parts: Parts | None = None
) -> Trainer:
    """Everything a run is made of, from its settings. ``demonstrations`` must fit the environments' spaces.

    Raises:
        InputError: for a name that is not known, or a part that is not what it should be.
    """
    parts = parts or Parts()
    encoder = ObservationEncoder(envs.single_observation_space)
    encoder.update(demonstrations.transitions().obs)
    actor_critic = build_actor_critic(config, encoder, envs.single_action_space)
    make_discriminator = parts.discriminator or discriminator_factory(config.discriminator)
    discriminator = made("discriminator", make_discriminator, encoder, envs.single_action_space)
    generator = made("generator", parts.generator or generator_factory(config), actor_critic)
    reward_form = parts.reward or named(config.reward, REWARDS, "reward form")
    loss = parts.loss or build_loss(config)
    try_out(discriminator, loss, reward_form, generator, demonstrations.transitions()[torch.arange(2) * 0])
    mass = absorbing_mass(demonstrations.num_terminated, demonstrations.num_steps, config.gamma)
    learner = DiscriminatorLearner(
        discriminator,
        loss,
        reward_form,
        expert_mass=mass,
        gamma=config.gamma,
        learning_rate=config.discriminator.learning_rate,
        batch_size=config.discriminator.batch_size,
        updates=config.discriminator.updates,
    )
    spec = envs.envs[0].spec
    time_limit = None if spec is None else spec.max_episode_steps
    collector = Collector(envs, config.rollout_steps, SeedStream(config.seed, "training"), time_limit)
    return Trainer(config, demonstrations, collector, learner, generator)


def build_actor_critic(config: TrainConfig, encoder: ObservationEncoder, action_space: Space[Any]) -> ActorCritic:
    """The policy and value networks that ``config`` describes, untrained."""
    return ActorCritic(encoder, action_space, config.policy.hidden, config.policy.initial_log_std)


def discriminator_factory(config: DiscriminatorConfig) -> DiscriminatorFactory:
    """The kind of discriminator that ``config`` names; ``state-action`` is D(s, a), or D(s, .) for Discrete actions."""
    own = {"state-action": partial(_state_action, config)}
    factory: DiscriminatorFactory = named(config.kind, own, "discriminator")
    return factory


def build_loss(config: TrainConfig) -> DiscriminatorLoss:
    """The named loss, wrapped in its gradient penalty."""
    makers = {name: partial(make, config.discriminator) for name, make in LOSSES.items()}
    found = named(config.loss, makers, "discriminator loss")
    loss: DiscriminatorLoss = found() if config.loss in makers else found
    return with_gradient_penalty(loss, config.discriminator.gradient_penalty)


def generator_factory(config: TrainConfig) -> GeneratorFactory:
    """What makes the named generator out of an actor and critic."""
    own = {name: partial(make, config=config) for name, make in GENERATORS.items()}
    factory: GeneratorFactory = named(config.generator, own, "generator")
    return factory


def named(name: str, known: Mapping[str, Any], what: str) -> Any:
    """``known[name]``, or the attribute that ``package.module:attribute`` points to.

    Raises:
        InputError: if it is neither; the known names are listed.
    """
    if name in known:
        return known[name]
    if ":" in name:
        return _imported(name, what)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(f"no {what} is called {name!r}; {hint}known are {', '.join(known)} and package.module:attribute")


def _imported(name: str, what: str) -> Any:
    found = import_attribute(name)
    if not callable(found):
        raise InputError(f"the {what} {name!r} must be callable; found {type(found).__name__}")
    return found


def _state_action(config: DiscriminatorConfig, encoder: ObservationEncoder, action_space: Space[Any]) -> Discriminator:
    network = partial(named(config.network, NETWORKS, "discriminator network"), hidden=config.hidden)
    kind = DiscreteActionDiscriminator if isinstance(action_space, Discrete) else BoxActionDiscriminator
    return kind(encoder, action_space, network)


def _ppo_clip(actor_critic: ActorCritic, config: TrainConfig) -> Generator:
    policy = config.policy
    return PPOClip(
        actor_critic,
        gamma=config.gamma,
        lam=policy.lam,
        clip=policy.clip,
        epochs=policy.epochs,
        batch_size=policy.batch_size,
        learning_rate=policy.learning_rate,
        entropy_bonus=policy.entropy_bonus,
        max_gradient_norm=policy.max_gradient_norm,
    )


REWARDS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "log_d": rewards.log_d,
    "neg_log_one_minus_d": rewards.neg_log_one_minus_d,
    "log_odds": rewards.log_odds,
}
NETWORKS: Mapping[str, Callable[..., torch.nn.Module]] = {"mlp": mlp, "spectral": spectral_mlp}
LOSSES: Mapping[str, Callable[[DiscriminatorConfig], DiscriminatorLoss]] = {
    "adversarial": lambda config: AdversarialLoss(config.logit_penalty),
    "bce": lambda config: CrossEntropyLoss(),
}
GENERATORS: Mapping[str, Callable[..., Generator]] = {"ppo-clip": _ppo_clip}
