"""From names to objects: the known names, one's own parts by module and attribute, and parts that take their place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium.spaces import Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import (
    AdversarialLoss,
    CrossEntropyLoss,
    DiscreteActionDiscriminator,
    with_gradient_penalty,
)
from gailkit.errors import InputError
from gailkit.functional import rewards
from gailkit.generator import PPOClip
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.training.config import TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.parts import Parts
from gailkit.training.settings import config_from_dict

Build = Callable[..., Trainer]

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


@pytest.fixture
def own_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module ``own_parts`` in the current folder, and one that breaks while it is imported."""
    (tmp_path / "own_parts.py").write_text(OWN_PARTS)
    (tmp_path / "breaks.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # the names are looked up in the current folder; this puts sys.path back afterwards
    monkeypatch.delitem(__import__("sys").modules, "own_parts", raising=False)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("log_d", rewards.log_d),
        ("neg_log_one_minus_d", rewards.neg_log_one_minus_d),
        ("log_odds", rewards.log_odds),
    ],
)
def test_a_reward_form_goes_by_its_name(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig, name: str, form: object
) -> None:
    assert build(cartpole, dataclasses.replace(tiny, reward=name)).teacher.learner.reward_form is form


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
    build: Build, cartpole: Demonstrations, values: dict[str, Any], loss: object
) -> None:
    assert build(cartpole, config_from_dict(values, TrainConfig)).teacher.learner.loss == loss


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"generator": "ppo-clp"},
            "no generator is called 'ppo-clp'; did you mean 'ppo-clip'? "
            "known are ppo-clip, ppo-penalty, trpo, pg and package.module:attribute",
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
            "known are auto, state-action, state, next-state and package.module:attribute",
        ),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_those_that_are(
    build: Build, cartpole: Demonstrations, values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as refused:
        build(cartpole, config_from_dict(values, TrainConfig))
    said = str(refused.value)
    head, _, known = sentence.partition("known are ")
    assert said.startswith(head)
    assert all(name in said.removeprefix(head) for name in known.replace(" and ", ", ").split(", "))


@pytest.mark.usefixtures("own_parts")
def test_parts_of_ones_own_go_by_module_and_attribute(build: Build, cartpole: Demonstrations) -> None:
    values = {
        "reward": "own_parts:reward",
        "loss": "own_parts:loss",
        "discriminator": {"network": "own_parts:network", "gradient_penalty": 0, "logit_penalty": 0.5},
    }
    trainer = build(cartpole, config_from_dict(values, TrainConfig))
    assert trainer.teacher.learner.reward_form(torch.zeros(2)).tolist() == [7.0, 7.0]
    assert trainer.teacher.learner.loss == AdversarialLoss(2.0)
    penalised = config_from_dict({"loss": "own_parts:loss", "discriminator": {"gradient_penalty": 3}}, TrainConfig)
    assert build(cartpole, penalised).teacher.learner.loss == with_gradient_penalty(AdversarialLoss(2.0), 3.0)
    assert [tuple(p.shape) for p in trainer.teacher.learner.discriminator.parameters()] == [(5, 4), (5,), (2, 5), (2,)]
    metrics = trainer.iterate()
    assert metrics["reward/std"] == 0.0


@pytest.mark.usefixtures("own_parts")
def test_a_class_that_serves_as_a_part_serves_by_its_name_too(build: Build, cartpole: Demonstrations) -> None:
    values = {"generator": "own_parts:Improver", "discriminator": {"kind": "own_parts:Judge"}}
    named = build(cartpole, config_from_dict(values, TrainConfig))
    assert (type(named.generator).__name__, type(named.teacher.learner.discriminator).__name__) == ("Improver", "Judge")
    classes = Parts(discriminator=type(named.teacher.learner.discriminator), generator=type(named.generator))
    as_parts = build(cartpole, TrainConfig(), classes)
    assert type(as_parts.generator) is type(named.generator)
    weights = [next(trainer.teacher.learner.discriminator.parameters()) for trainer in (named, as_parts)]
    assert torch.equal(*weights)  # drawn from the same random numbers


@pytest.mark.usefixtures("own_parts")
def test_a_loss_that_is_none_is_refused(build: Build, cartpole: Demonstrations, tiny: TrainConfig) -> None:
    with pytest.raises(InputError, match=r"the discriminator loss failed when it was tried out"):
        build(cartpole, dataclasses.replace(tiny, loss="own_parts:reward"))


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
    build: Build, cartpole: Demonstrations, tiny: TrainConfig, name: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        build(cartpole, dataclasses.replace(tiny, reward=name))


def test_parts_take_the_place_of_what_the_settings_name(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig
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
    trainer = build(cartpole, tiny, Parts(discriminator, loss, reward, generator))
    assert trainer.teacher.learner.discriminator is made["discriminator"]
    assert trainer.teacher.learner.loss is loss
    assert trainer.teacher.learner.reward_form is reward
    assert trainer.generator is made["generator"]
    assert made["encoder"] is trainer.generator.actor_critic.encoder
    assert made["action_space"] == Discrete(2)
    trainer.iterate()


def test_what_parts_draw_while_they_are_tried_out_is_not_missing_in_the_run(
    cartpole: Demonstrations, tiny: TrainConfig, build: Build
) -> None:
    def dithered(logits: torch.Tensor) -> torch.Tensor:
        return rewards.log_d(logits) + 1e-9 * torch.rand_like(logits)

    drawn = []
    for reward in (rewards.log_d, dithered):
        build(cartpole, tiny, Parts(reward=reward))
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
