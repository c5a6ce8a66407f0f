"""From names to objects: every setting reaches the part it belongs to, and one's own parts take their place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import SyncVectorEnv

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import (
    AdversarialLoss,
    BoxActionDiscriminator,
    CrossEntropyLoss,
    DiscreteActionDiscriminator,
    with_gradient_penalty,
)
from gailkit.errors import InputError
from gailkit.functional import rewards
from gailkit.generator import PPOClip
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.rollouts.envs import make_vector_env
from gailkit.training.build import build_trainer, discriminator_factory
from gailkit.training.config import DiscriminatorConfig, TrainConfig, config_from_dict
from gailkit.training.loop import Trainer
from gailkit.training.parts import Parts

OWN_PARTS = """
import torch
from gailkit.discriminator import AdversarialLoss, DiscreteActionDiscriminator
from gailkit.generator import PPOClip

not_callable = 3

def reward(logits):
    return 7.0 + 0 * logits

loss = AdversarialLoss(2.0)

def network(inputs, outputs, hidden):
    return torch.nn.Sequential(torch.nn.Linear(inputs, 5), torch.nn.Linear(5, outputs))

class Improver(PPOClip):
    pass

class Judge(DiscreteActionDiscriminator):
    def __init__(self, encoder, action_space):
        super().__init__(encoder, action_space, torch.nn.Linear)
"""


@pytest.fixture(scope="module")
def envs() -> Iterator[SyncVectorEnv]:
    made = make_vector_env("CartPole-v1", 2)
    yield made
    made.close()


@pytest.fixture
def own_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module ``own_parts`` in the current folder, and one that breaks while it is imported."""
    (tmp_path / "own_parts.py").write_text(OWN_PARTS)
    (tmp_path / "breaks.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # the names are looked up in the current folder; this puts sys.path back afterwards
    monkeypatch.delitem(__import__("sys").modules, "own_parts", raising=False)


def build(
    envs: SyncVectorEnv, demonstrations: Demonstrations, config: TrainConfig, parts: Parts | None = None
) -> Trainer:
    fitted = demonstrations.fitted_to(envs.single_observation_space, envs.single_action_space)
    torch.manual_seed(0)
    return build_trainer(config, envs, fitted, parts)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("log_d", rewards.log_d),
        ("neg_log_one_minus_d", rewards.neg_log_one_minus_d),
        ("log_odds", rewards.log_odds),
    ],
)
def test_a_reward_form_goes_by_its_name(
    envs: SyncVectorEnv, cartpole: Demonstrations, tiny: TrainConfig, name: str, form: object
) -> None:
    assert build(envs, cartpole, dataclasses.replace(tiny, reward=name)).learner.reward_form is form


@pytest.mark.parametrize(
    ("values", "loss"),
    [
        (
            {"loss": "adversarial", "discriminator": {"logit_penalty": 0.75, "gradient_penalty": 3.0}},
            with_gradient_penalty(AdversarialLoss(0.75), 3.0),
        ),
        ({"loss": "adversarial", "discriminator": {"logit_penalty": 2, "gradient_penalty": 0}}, AdversarialLoss(2.0)),
        ({"loss": "bce", "discriminator": {"gradient_penalty": 0}}, CrossEntropyLoss()),
    ],
)
def test_a_loss_goes_by_its_name_and_heeds_its_penalties(
    envs: SyncVectorEnv, cartpole: Demonstrations, tiny: TrainConfig, values: dict[str, Any], loss: object
) -> None:
    assert build(envs, cartpole, config_from_dict(values, tiny)).learner.loss == loss


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


def test_every_setting_reaches_its_part(envs: SyncVectorEnv, cartpole: Demonstrations) -> None:
    config = config_from_dict(
        {
            "num_envs": 2,
            "rollout_steps": 33,
            "gamma": 0.9,
            "discriminator": {"hidden": [5], "learning_rate": 0.011, "batch_size": 12, "updates": 13},
            "policy": {
                "hidden": [6, 7],
                "learning_rate": 0.014,
                "lam": 0.15,
                "clip": 0.16,
                "epochs": 17,
                "batch_size": 18,
                "entropy_bonus": 0.19,
                "max_gradient_norm": 0.21,
            },
        }
    )
    trainer = build(envs, cartpole, config)
    learner, generator = trainer.learner, trainer.generator
    assert isinstance(generator, PPOClip)
    assert trainer.collector.steps == 33
    assert (learner.gamma, learner.batch_size, learner.updates) == (0.9, 12, 13)
    assert learner.optimizer.param_groups[0]["lr"] == 0.011
    assert (generator.gamma, generator.lam, generator.clip, generator.epochs) == (0.9, 0.15, 0.16, 17)
    assert (generator.batch_size, generator.entropy_bonus, generator.max_gradient_norm) == (18, 0.19, 0.21)
    assert (generator.learning_rate, generator.optimizer.param_groups[0]["lr"]) == (0.014, 0.014)
    assert [tuple(p.shape) for p in learner.discriminator.network.parameters()] == [(5, 4), (5,), (2, 5), (2,)]
    assert [tuple(p.shape) for p in generator.actor_critic.policy.parameters()][::2] == [(6, 4), (7, 6), (2, 7)]


def test_the_deviation_of_a_gaussian_policy_starts_where_it_was_set() -> None:
    envs = make_vector_env("Pendulum-v1", 1)
    demonstrations = Demonstrations.load(Path(__file__).parents[2] / "datasets" / "pendulum-v1.hdf5")
    trainer = build(envs, demonstrations, config_from_dict({"policy": {"initial_log_std": -1.5}}))
    envs.close()
    assert trainer.generator.actor_critic.log_std.tolist() == [-1.5]


def test_the_expert_mass_counts_terminated_episodes_of_full_length(envs: SyncVectorEnv, tiny: TrainConfig) -> None:
    demonstrations = Demonstrations.load(Path(__file__).parents[2] / "datasets" / "cartpole-v1.hdf5").choose(3)
    ended, cut = demonstrations.trajectories[0], demonstrations.trajectories[1]
    mixed = Demonstrations((dataclasses.replace(ended, terminated=True), dataclasses.replace(cut, terminated=False)))
    tail = 1 / (1 - tiny.gamma)
    expected = tail / (len(ended) + len(cut) + tail)
    for kept in (mixed, mixed.subsample(20)):
        assert build(envs, kept, tiny).learner.expert_mass == pytest.approx(expected)


def test_the_encoder_has_seen_what_the_expert_shows_and_no_more(
    envs: SyncVectorEnv, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    shown = cartpole.subsample(3)
    trainer = build(envs, shown, tiny)
    normalizer = trainer.generator.actor_critic.encoder.normalizer
    assert normalizer is not None
    assert int(normalizer.count) == shown.num_kept
    torch.testing.assert_close(normalizer.mean, shown.transitions().obs.double().mean(0))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"generator": "ppo-clp"},
            "no generator is called 'ppo-clp'; did you mean 'ppo-clip'? "
            "known are ppo-clip and package.module:attribute",
        ),
        (
            {"loss": "BCE"},
            "no discriminator loss is called 'BCE'; known are adversarial, bce and package.module:attribute",
        ),
        (
            {"reward": "log_dd"},
            "no reward form is called 'log_dd'; did you mean 'log_d'? "
            "known are log_d, neg_log_one_minus_d, log_odds and package.module:attribute",
        ),
        (
            {"discriminator": {"network": "mpl"}},
            "no discriminator network is called 'mpl'; did you mean 'mlp'? "
            "known are mlp, spectral and package.module:attribute",
        ),
        (
            {"discriminator": {"kind": "state-acton"}},
            "no discriminator is called 'state-acton'; did you mean 'state-action'? "
            "known are state-action and package.module:attribute",
        ),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_those_that_are(
    envs: SyncVectorEnv, cartpole: Demonstrations, tiny: TrainConfig, values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as refused:
        build(envs, cartpole, config_from_dict(values, tiny))
    said = str(refused.value)
    head, _, known = sentence.partition("known are ")
    assert said.startswith(head)
    assert all(name in said.removeprefix(head) for name in known.replace(" and ", ", ").split(", "))


@pytest.mark.usefixtures("own_parts")
def test_parts_of_ones_own_go_by_module_and_attribute(
    envs: SyncVectorEnv, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    values = {
        "reward": "own_parts:reward",
        "loss": "own_parts:loss",
        "discriminator": {"network": "own_parts:network", "gradient_penalty": 0, "logit_penalty": 0.5},
    }
    trainer = build(envs, cartpole, config_from_dict(values, tiny))
    assert trainer.learner.reward_form(torch.zeros(2)).tolist() == [7.0, 7.0]
    assert trainer.learner.loss == AdversarialLoss(2.0)
    penalised = config_from_dict({"loss": "own_parts:loss", "discriminator": {"gradient_penalty": 3}}, tiny)
    assert build(envs, cartpole, penalised).learner.loss == with_gradient_penalty(AdversarialLoss(2.0), 3.0)
    assert [tuple(p.shape) for p in trainer.learner.discriminator.parameters()] == [(5, 4), (5,), (2, 5), (2,)]
    metrics = trainer.iterate()
    assert metrics["reward/std"] == 0.0


@pytest.mark.usefixtures("own_parts")
def test_a_class_that_serves_as_a_part_serves_by_its_name_too(
    envs: SyncVectorEnv, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    values = {"generator": "own_parts:Improver", "discriminator": {"kind": "own_parts:Judge"}}
    named = build(envs, cartpole, config_from_dict(values, tiny))
    assert (type(named.generator).__name__, type(named.learner.discriminator).__name__) == ("Improver", "Judge")
    classes = Parts(discriminator=type(named.learner.discriminator), generator=type(named.generator))
    as_parts = build(envs, cartpole, tiny, classes)
    assert type(as_parts.generator) is type(named.generator)
    weights = [next(trainer.learner.discriminator.parameters()) for trainer in (named, as_parts)]
    assert torch.equal(*weights)  # drawn from the same random numbers


@pytest.mark.usefixtures("own_parts")
def test_a_loss_must_know_where_its_minimum_lies(
    envs: SyncVectorEnv, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    with pytest.raises(InputError, match=r"the discriminator loss failed when it was tried out"):
        build(envs, cartpole, dataclasses.replace(tiny, loss="own_parts:reward"))


@pytest.mark.usefixtures("own_parts")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere_at_all:reward", "no module 'nowhere_at_all'"),
        ("own_parts:rewrad", "own_parts has no attribute 'rewrad'; it has: reward"),
        ("own_parts:not_callable", "'own_parts:not_callable' must be callable; found int"),
        ("breaks:reward", r"breaks cannot be imported: ZeroDivisionError: division by zero \(breaks.py, line 1\)"),
        ("own_parts:", "own_parts has no attribute ''"),
        (":reward", "cannot be imported"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_the_reason(
    envs: SyncVectorEnv, cartpole: Demonstrations, tiny: TrainConfig, name: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        build(envs, cartpole, dataclasses.replace(tiny, reward=name))


def test_parts_take_the_place_of_what_the_settings_name(
    envs: SyncVectorEnv, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    made: dict[str, Any] = {}

    def discriminator(encoder: ObservationEncoder, action_space: Any) -> DiscreteActionDiscriminator:
        made["encoder"], made["action_space"] = encoder, action_space
        made["discriminator"] = DiscreteActionDiscriminator(encoder, action_space, torch.nn.Linear)
        return made["discriminator"]

    def generator(actor_critic: ActorCritic) -> PPOClip:
        made["generator"] = PPOClip(actor_critic, epochs=1)
        return made["generator"]

    def reward(logits: torch.Tensor) -> torch.Tensor:
        return logits

    loss = CrossEntropyLoss()
    trainer = build(envs, cartpole, tiny, Parts(discriminator, loss, reward, generator))
    assert trainer.learner.discriminator is made["discriminator"]
    assert trainer.learner.loss is loss
    assert trainer.learner.reward_form is reward
    assert trainer.generator is made["generator"]
    assert made["encoder"] is trainer.generator.actor_critic.encoder
    assert made["action_space"] == Discrete(2)
    trainer.iterate()
