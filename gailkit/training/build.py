"""Everything that a run is made of, out of its settings: the only rooms, with ``build_policy``, where a name becomes an
object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Discrete
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.on_device import Steps, steps_on
from gailkit.discriminator import (
    AdversarialLoss,
    BoxActionDiscriminator,
    CrossEntropyLoss,
    DiscreteActionDiscriminator,
    Discriminator,
    DiscriminatorLearner,
    DiscriminatorLoss,
    EndingJudge,
    NextStateDiscriminator,
    StateDiscriminator,
    with_gradient_penalty,
)
from gailkit.discriminator.learner import ExpertSampler
from gailkit.functional import rewards
from gailkit.functional.absorbing import absorbing_mass
from gailkit.generator import Generator, Guidance, OnCloning, WarmStart, warm_start
from gailkit.generator.expert_runs import ExpertRuns
from gailkit.generator.guidance import ShownPairs, measured_apart
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import NetworkFactory, mlp, spectral_mlp
from gailkit.ranks.group import alone, from_first, rank
from gailkit.rollouts.collector import Collector
from gailkit.rollouts.environments import SeedStream
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.simulated import Simulated
from gailkit.rollouts.tensor_collector import TensorCollector
from gailkit.training.averaging import memory_of
from gailkit.training.build_policy import generator_factory, given_networks, named, observation_encoder
from gailkit.training.checkpoint import packed, unpacked
from gailkit.training.choosing import Candidates
from gailkit.training.config import (
    BY_DATA,
    NEXT_STATE,
    STATE,
    STATE_ACTION,
    DiscriminatorConfig,
    ExpertConfig,
    RunConfig,
    TrainConfig,
)
from gailkit.training.discount import Discount
from gailkit.training.looking_back import reach_back, require_room, require_whole_episodes
from gailkit.training.loop import Trainer
from gailkit.training.parts import (
    DiscriminatorFactory,
    Parts,
    instance_of,
    made_discriminator,
    made_generator,
    require_actions,
    try_out,
)
from gailkit.training.teachers import Adversary, TrueReward
from gailkit.types import Pairs, Transitions

CPU = torch.device("cpu")
FEWEST_ENDINGS = 10  # of the expert, below which they do not tell how it ends


def build_trainer(
    config: TrainConfig,
    envs: Environments,
    demonstrations: Demonstrations,
    parts: Parts | None = None,
    began: WarmStart | None = None,
    device: torch.device = CPU,
    on_cloning: OnCloning | None = None,
) -> Trainer:
    """Everything an imitation is made of, from its settings. ``demonstrations`` must fit the environments' spaces.

    Args:
        began: how the run began whose state is to be loaded; None for one that is to begin.
        device: where it learns; the demonstrations are sent there once.
        on_cloning: is told how far the clone is that it begins with.

    Raises:
        InputError: for a name that is not known, or a part that is not what it should be.
    """
    parts, config = parts or Parts(), config.with_actions(demonstrations.has_actions)
    require_whole_episodes(config, demonstrations)
    shown = steps_on(device, demonstrations.steps())
    encoder = observation_encoder(config.image_encoder, envs.single_observation_space, parts.image_encoder).to(device)
    with alone():  # the demonstrations are the same on all ranks, and count once
        for observations in shown.in_blocks():
            encoder.update(observations)
    config = config.with_pictures(bool(encoder.pictures))
    given = given_networks(config, encoder, envs.single_action_space, parts)
    make_discriminator = parts.discriminator or discriminator_factory(config.discriminator)
    window = config.discriminator.window
    discriminator = made_discriminator(make_discriminator, encoder, envs.single_action_space, window).to(device)
    require_room(discriminator, config)
    generator = made_generator(parts.generator or generator_factory(config), given)
    generator.least_deviation = config.least_deviation
    reach_back(generator, config)
    actor_critic = generator.actor_critic  # which may be one that it made itself
    reward_form = instance_of("reward form", parts.reward or named(config.reward, REWARDS, "reward form"))
    loss = build_loss(config) if parts.loss is None else instance_of("discriminator loss", parts.loss)
    require_actions(discriminator, demonstrations)
    few = torch.zeros(2, dtype=torch.int64, device=device)
    try_out(discriminator, loss, reward_form, shown.in_windows(few, window))
    with alone():
        for steps in shown.steps_in_blocks() if discriminator.looks_ahead else ():
            discriminator.observe(steps)
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
        endings=_ending_judge(config, discriminator, loss, demonstrations.endings(), device),
        image_shift=config.discriminator.image_shift,
    )
    teacher = Adversary(learner, demonstrations, shown)
    if discriminator.sees_actions:
        began = began or _begun(actor_critic, shown, learner.image_shift, on_cloning)
        _guide(generator, began, teacher.draw_steps, shown, config)
    candidates = Candidates(actor_critic, began, memory_of(config.steps_of_iteration))
    gamma = getattr(generator, "gamma", config.gamma)  # of one that somebody made with another
    discount = Discount(generator, gamma, config.endless_gamma, demonstrations.num_terminated > 0)
    return Trainer(config, build_collector(config, envs), teacher, generator, candidates, discount)


def _guide(generator: Generator, began: WarmStart, draw: ExpertSampler, shown: Steps, config: TrainConfig) -> None:
    """Let the expert's actions tell the generator what it asks of them, and guide it where it ``began`` as a clone."""
    if generator.measures:
        generator.measured, draw = measured_apart(shown, config.seed)
    if began.used:
        generator.actor_critic.encoder.freeze()
        generator.guide(_guidance(generator.actor_critic, shown, draw, config.discriminator.image_shift))


def _begun(actor_critic: ActorCritic, shown: Pairs, image_shift: float, on_cloning: OnCloning | None) -> WarmStart:
    """How the run begins. Of several ranks the first alone makes a clone, which the others are given later."""
    record = from_first(lambda: packed(warm_start(actor_critic, shown, image_shift, on_cloning).record()))
    return WarmStart.recorded(unpacked(record))


def _guidance(actor_critic: ActorCritic, shown: Pairs, draw: ExpertSampler, image_shift: float) -> Guidance:
    """By pairs that ``draw`` draws, or of a policy with memory by runs of the episodes that they are in."""
    if actor_critic.memory is None:
        return Guidance(lambda count: ShownPairs.of(draw(count), actor_critic.encoder, image_shift))
    runs = ExpertRuns(actor_critic, shown, image_shift)
    return Guidance(runs.draw, refresh=runs.refresh)


def _ending_judge(
    config: TrainConfig,
    like: Discriminator,
    loss: DiscriminatorLoss,
    endings: Transitions | None,
    device: torch.device,
) -> EndingJudge | None:
    """Judges endings where the expert shows enough; one counts for as many steps as advantages look ahead."""
    if endings is None or len(endings) < FEWEST_ENDINGS:
        return None
    worth = config.gamma / (1.0 - config.gamma * config.lam)
    return EndingJudge.of(
        like,
        loss,
        endings.to(device),
        updates=config.discriminator.updates,
        worth=worth,
        image_shift=config.discriminator.image_shift,
    )


def build_expert_trainer(
    config: ExpertConfig, envs: Environments, parts: Parts | None = None, device: torch.device = CPU
) -> Trainer:
    """Everything that reinforcement learning on the environment's own reward is made of; it has no discriminator.

    Raises:
        InputError: for a name that is not known, or a generator that is none.
    """
    parts = parts or Parts()
    encoder = observation_encoder(config.image_encoder, envs.single_observation_space, parts.image_encoder).to(device)
    config = config.with_pictures(bool(encoder.pictures))
    given = given_networks(config, encoder, envs.single_action_space, parts)
    learner = made_generator(parts.generator or generator_factory(config), given)
    learner.least_deviation = config.least_deviation
    teacher = TrueReward(learner.remembered)
    return Trainer(config, build_collector(config, envs, teacher.observe), teacher, learner)


def build_collector(
    config: RunConfig, envs: Environments, on_rewards: Callable[[np.ndarray | Tensor], None] | None = None
) -> Collector | TensorCollector:
    """What steps the environments in a training run."""
    earlier = config.discriminator.window - 1 if isinstance(config, TrainConfig) else 0
    if isinstance(envs, Simulated):
        return TensorCollector(envs, config.rollout_steps, on_rewards, earlier)
    seeds = SeedStream(config.seed + rank(), "training")
    return Collector(envs, config.rollout_steps, seeds, envs.about.time_limit, on_rewards, earlier=earlier)


def discriminator_factory(config: DiscriminatorConfig) -> DiscriminatorFactory:
    """The kind of discriminator that ``config`` names; ``state-action`` is D(s, a), or D(s, .) for Discrete actions."""
    kinds: Mapping[str, Callable[..., Discriminator]] = {
        BY_DATA: _state_action,  # of whoever asks without demonstrations; ``with_actions`` says what it is of some
        STATE_ACTION: _state_action,
        STATE: StateDiscriminator,
        NEXT_STATE: NextStateDiscriminator,
    }
    own = {name: partial(_of_network, kind, config) for name, kind in kinds.items()}
    factory: DiscriminatorFactory = named(config.kind, own, "discriminator")
    return factory


def build_loss(config: TrainConfig) -> DiscriminatorLoss:
    """The named loss, wrapped in its gradient penalty."""
    makers = {name: partial(make, config.discriminator) for name, make in LOSSES.items()}
    found = named(config.loss, makers, "discriminator loss")
    loss: DiscriminatorLoss = found() if config.loss in makers else instance_of("discriminator loss", found)
    return with_gradient_penalty(loss, config.discriminator.gradient_penalty)


def _of_network(
    kind: Callable[..., Discriminator],
    config: DiscriminatorConfig,
    encoder: ObservationEncoder,
    action_space: Space[Any],
) -> Discriminator:
    network = partial(named(config.network, NETWORKS, "discriminator network"), hidden=config.hidden)
    return kind(encoder, action_space, network, config.window)


def _state_action(
    encoder: ObservationEncoder, action_space: Space[Any], network: NetworkFactory, window: int
) -> Discriminator:
    kind = DiscreteActionDiscriminator if isinstance(action_space, Discrete) else BoxActionDiscriminator
    return kind(encoder, action_space, network, window)


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
