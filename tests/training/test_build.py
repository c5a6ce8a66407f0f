"""From settings to objects: every setting reaches the part that it belongs to."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import BoxActionDiscriminator, DiscreteActionDiscriminator
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.vector import make_vector_env
from gailkit.training.build import FEWEST_ENDINGS, build_expert_trainer, discriminator_factory
from gailkit.training.build_policy import build_actor_critic
from gailkit.training.config import DiscriminatorConfig, ExpertConfig, TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.settings import config_from_dict
from gailkit.types import Transitions

Build = Callable[..., Trainer]

TINY_RUN = {"num_envs": 2, "rollout_size": 66, "gamma": 0.9}


def test_discrete_actions_get_a_vector_of_logits_and_box_actions_a_logit_of_the_pair() -> None:
    encoder = ObservationEncoder(Box(-1, 1, (3,)))
    factory = discriminator_factory(DiscriminatorConfig(hidden=(8,)))
    discrete, box = factory(encoder, Discrete(5)), factory(encoder, Box(-1, 1, (2,)))
    assert isinstance(discrete, DiscreteActionDiscriminator)
    assert isinstance(box, BoxActionDiscriminator)
    assert discrete.action_logits(torch.zeros(4, 3)).shape == (4, 5)
    assert [tuple(p.shape) for p in discrete.network.parameters()] == [(8, 3), (8,), (5, 8), (5,)]
    assert [tuple(p.shape) for p in box.network.parameters()] == [(8, 5), (8,), (1, 8), (1,)]


def test_a_spectral_network_is_no_steeper_than_one() -> None:
    torch.manual_seed(0)
    encoder = ObservationEncoder(Box(-1, 1, (3,)))
    steepness = {}
    for name in ("mlp", "spectral"):
        network = discriminator_factory(DiscriminatorConfig(network=name, hidden=(8,)))(encoder, Discrete(2)).network
        for parameter in network.parameters():
            parameter.data *= 50.0
        network(torch.zeros(1, 3))  # one pass of the power iteration
        points = torch.randn(200, 3)
        steepness[name] = max(
            float(torch.linalg.matrix_norm(torch.autograd.functional.jacobian(network, point[None])[0, :, 0], 2))
            for point in points[:20]
        )
    assert steepness["spectral"] <= 1.05
    assert steepness["mlp"] > 10


def test_the_settings_of_an_imitation_reach_their_parts(build: Build, cartpole: Demonstrations) -> None:
    values = {
        **TINY_RUN,
        "discriminator": {"hidden": [5], "learning_rate": 0.011, "batch_size": 12, "updates": 13},
        "policy": {"hidden": [6, 7]},
    }
    trainer = build(cartpole, config_from_dict(values, TrainConfig))
    learner = trainer.teacher.learner
    assert trainer.collector.steps == 33
    assert (learner.gamma, learner.batch_size, learner.updates) == (0.9, 12, 13)
    assert learner.optimizer.param_groups[0]["lr"] == 0.011
    assert [tuple(p.shape) for p in learner.discriminator.network.parameters()] == [(5, 4), (5,), (2, 5), (2,)]
    policy, critic = trainer.generator.actor_critic.policy, trainer.generator.actor_critic.critic.network
    assert [tuple(p.shape) for p in policy.parameters()][::2] == [(6, 4), (7, 6), (2, 7)]
    assert [tuple(p.shape) for p in critic.parameters()][::2] == [(6, 4), (7, 6), (1, 7)]


def test_the_settings_of_an_expert_reach_their_parts(envs: Environments) -> None:
    values = {**TINY_RUN, "policy": {"hidden": [6, 7], "clip": 0.125}}
    trainer = build_expert_trainer(config_from_dict(values, ExpertConfig), envs, None)
    assert trainer.collector.steps == 33
    assert (trainer.generator.gamma, trainer.generator.clip) == (0.9, 0.125)
    shapes = [tuple(p.shape) for p in trainer.generator.actor_critic.policy.parameters()]
    assert shapes[::2] == [(6, 4), (7, 6), (2, 7)]


def test_the_deviation_of_a_gaussian_policy_starts_where_a_clone_says_or_else_where_it_was_set(
    build: Build, repository: Path
) -> None:
    envs = make_vector_env("Pendulum-v1", 1)
    demonstrations = Demonstrations.load(repository / "datasets" / "pendulum-v1.hdf5")
    config = TrainConfig(num_envs=1, policy=PolicyConfig(initial_log_std=-1.5))
    used = set()
    for shown in (demonstrations.choose(1).subsample(4), demonstrations.choose(4).subsample(2)):  # too few, and enough
        trainer = build(shown, config, into=envs)
        assert trainer.candidates is not None
        began, log_std = trainer.candidates.began, trainer.generator.actor_critic.log_std.detach()
        assert began.cloning.deviation is not None
        expected = began.cloning.deviation.log() if began.used else torch.tensor([-1.5])
        torch.testing.assert_close(log_std, expected)
        assert (trainer.generator.guidance is not None) is began.used
        used.add(began.used)
    envs.close()
    assert used == {False, True}


def test_the_heads_of_the_policy_are_those_in_the_settings() -> None:
    torch.manual_seed(0)
    encoder, box = ObservationEncoder(Box(-1, 1, (3,))), Box(-2, 2, (1,))
    obs = torch.randn(500, 3)
    inside, sizes = {}, {}
    for std, bounds in itertools.product(("free", "state"), ("clip", "tanh")):
        config = PolicyConfig(hidden=(8,), initial_log_std=1.0, std=std, bounds=bounds)
        policy = build_actor_critic(config, encoder, box)
        inside[std, bounds] = bool((policy(obs).sample().abs() <= 2).all())
        sizes[std, bounds] = list(policy.policy.parameters())[-1].numel()
    assert inside == {pair: pair[1] == "tanh" for pair in inside}
    assert sizes == {pair: 2 if pair[0] == "state" else 1 for pair in sizes}  # mean and deviation, or the mean alone


def test_the_expert_mass_counts_terminated_episodes_of_full_length(
    build: Build, tiny: TrainConfig, repository: Path
) -> None:
    demonstrations = Demonstrations.load(repository / "datasets" / "cartpole-v1.hdf5").choose(3)
    ended, cut = demonstrations.trajectories[0], demonstrations.trajectories[1]
    mixed = Demonstrations((dataclasses.replace(ended, terminated=True), dataclasses.replace(cut, terminated=False)))
    tail = 1 / (1 - tiny.gamma)
    expected = tail / (len(ended) + len(cut) + tail)
    for kept in (mixed, mixed.subsample(20)):
        assert build(kept, tiny).teacher.learner.expert_mass == pytest.approx(expected)


def test_endings_are_judged_where_the_expert_shows_enough_of_them(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    assert cartpole.num_terminated == len(cartpole.trajectories) == 4
    for count in (FEWEST_ENDINGS - 1, FEWEST_ENDINGS):
        shown = cartpole.pick(index % 4 for index in range(count))
        cut_off = dataclasses.replace(
            shown, trajectories=[dataclasses.replace(each, terminated=False) for each in shown.trajectories]
        )
        assert build(cut_off, tiny).teacher.learner.endings is None
        judge = build(shown, tiny).teacher.learner.endings
        assert (judge is not None) is (count == FEWEST_ENDINGS)
    assert len(judge.expert) == FEWEST_ENDINGS
    assert judge.updates == tiny.discriminator.updates
    assert judge.worth == pytest.approx(sum((tiny.gamma * tiny.lam) ** k for k in range(5000)) * tiny.gamma)


def test_the_encoder_has_seen_what_the_expert_shows_and_no_more(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    shown = cartpole.subsample(3)
    normalizer = build(shown, tiny).generator.actor_critic.encoder.normalizer
    assert normalizer is not None
    assert int(normalizer.count) == shown.num_kept
    torch.testing.assert_close(normalizer.mean, shown.transitions().obs.double().mean(0))


def test_without_an_expert_the_encoder_has_seen_nothing(envs: Environments, tiny_expert: ExpertConfig) -> None:
    normalizer = build_expert_trainer(tiny_expert, envs, None).generator.actor_critic.encoder.normalizer
    assert normalizer is not None
    assert int(normalizer.count) == 0


def agreement(actor_critic: ActorCritic, shown: Transitions) -> float:
    """Share of the expert's states in which the likeliest action is the expert's."""
    with torch.no_grad():
        return float((actor_critic(shown.obs).mode() == shown.act).float().mean())


def test_a_warm_start_agrees_with_the_expert_before_the_first_step_and_goes_on_from_there(
    build: Build, tiny: TrainConfig, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gailkit.generator.cloning.MOST_UPDATES", 500)
    expert = Demonstrations.load(repository / "datasets" / "cartpole-v1.hdf5").choose(1)
    shown = expert.transitions()
    config = dataclasses.replace(tiny, policy=dataclasses.replace(tiny.policy, hidden=(16,), learning_rate=1e-3))
    warm = build(expert, config)
    torch.manual_seed(0)
    encoder = warm.generator.actor_critic.encoder
    assert agreement(build_actor_critic(config.policy, encoder, Discrete(2)), shown) < 0.75
    assert agreement(warm.generator.actor_critic, shown) > 0.95
    before = warm.generator.actor_critic.policy[0].weight.clone()
    for _ in range(3):
        warm.iterate()
    assert not torch.equal(warm.generator.actor_critic.policy[0].weight, before)
    assert agreement(warm.generator.actor_critic, shown) > 0.9
