"""Runs on a card, which a pretended one stands for: everything lies there, and no update waits for the processor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

from gailkit.demonstrations.on_device import MovedSteps, SentSteps, steps_on
from gailkit.errors import InputError
from gailkit.evaluation.evaluate import evaluate
from gailkit.exporting import export
from gailkit.generator import WarmStart
from gailkit.generator.cloning import CloningResult
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import make_vector_env
from gailkit.simulators import Pendulum
from gailkit.training.build import build_expert_trainer, build_trainer
from gailkit.training.config import ExpertConfig, TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.policy_config import OFF_POLICY, PolicyConfig
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder, load_policy
from gailkit.training.settings import config_from_dict
from gailkit.training.surroundings import chosen_device
from gailkit.training.train import train
from tests.conftest import fewer_draws
from tests.pretended_card import CARD, PretendedCard, TwoPlaces, pretended_card
from tests.training.conftest import demonstrations_of

SEARCHING = ("trpo", "acktr")  # look how far a step went before they take it
EVERYWHERE = [
    ("ppo-clip", "CartPole-v1"), ("ppo-penalty", "Pendulum-v1"), ("pg", "CartPole-v1"), ("trpo", "CartPole-v1"),
    ("acktr", "Pendulum-v1"), ("dqn", "CartPole-v1"), ("sac", "CartPole-v1"), ("sac", "Pendulum-v1"),
    ("ddpg", "Pendulum-v1"), ("td3", "Pendulum-v1"),
]  # fmt: skip


class Stopped(Exception):
    """Raised by a test in the middle of a run."""


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedCard]:
    with pretended_card(monkeypatch) as made:
        yield made


def config_of(generator: str, work: int = 1) -> TrainConfig:
    """A few small steps, with ``work`` times as many gradient steps in an update."""
    off_policy = generator in OFF_POLICY
    given = {"warm_up": 32, "updates_per_step": work / 8} if off_policy else {"epochs": work}
    values = {
        **{"steps": 160, "num_envs": 2, "rollout_size": 32, "generator": generator},
        "discriminator": {"hidden": [8], "batch_size": 16, "updates": 2 * work},
        "policy": {"hidden": [8], "batch_size": 16, **({} if generator == "pg" else given)},
    }
    return config_from_dict(values, TrainConfig)


def begun(used: bool) -> WarmStart:
    """A run that began as a clone, or did not, whatever its networks are."""
    return WarmStart(CloningResult(0, 0.0, 0.0, 0.0, None), used)


def waits_of_an_update(card: PretendedCard, trainer: Trainer) -> Counter[str]:
    """For what the processor waited in the second of two iterations."""
    trainer.iterate()
    card.waits.clear()
    trainer.iterate()
    return Counter(card.waits)


@pytest.mark.parametrize(("generator", "env_id"), EVERYWHERE)
def test_all_of_a_run_is_on_the_card_and_more_gradient_steps_make_nobody_wait_more(
    generator: str, env_id: str, card: PretendedCard
) -> None:
    shown = demonstrations_of(env_id, 1)
    found = []
    for work in (1, 3):
        torch.manual_seed(0)
        envs = make_vector_env(env_id, 2)
        fitted = shown.fitted_to(envs.single_observation_space, envs.single_action_space)
        trainer = build_trainer(config_of(generator, work), envs, fitted, began=begun(used=False), device=CARD)
        found.append(waits_of_an_update(card, trainer))
    for module in (trainer.generator.actor_critic, *trainer.teacher.networks().values()):
        assert all(card.holds(tensor) for tensor in (*module.parameters(), *module.buffers()) if tensor.numel())
    assert generator in SEARCHING or found[0] == found[1]
    assert sum(found[0].values()) < 60


def test_a_clone_that_guides_is_on_the_card_too(card: PretendedCard) -> None:
    envs, shown = make_vector_env("CartPole-v1", 2), demonstrations_of("CartPole-v1", 1)
    fitted = shown.fitted_to(envs.single_observation_space, envs.single_action_space)
    trainer = build_trainer(config_of("ppo-clip"), envs, fitted, began=begun(used=True), device=CARD)
    assert trainer.generator.guidance is not None
    before = Counter(card.sent)
    trainer.iterate()
    sent = Counter(card.sent) - before
    assert not [place for place in sent if place.startswith(("demonstrations", "generator"))]


def test_a_run_on_a_card_is_loaded_gone_on_with_evaluated_and_exported_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, told = demonstrations_of("CartPole-v1", 2), []

    def stop(metrics: dict[str, float]) -> None:
        if metrics["steps"] >= 96:
            raise Stopped

    with pretended_card(monkeypatch) as card, pytest.raises(Stopped):
        train("CartPole-v1", shown, config_of("sac"), device="cuda", out=tmp_path / "run", on_iteration=stop)
    assert card.storages
    monkeypatch.undo()
    assert RunFolder.open(tmp_path / "run").description()["device"] == "cuda:0 (pretended)"
    result = resume(tmp_path / "run", shown, tell=told.append)
    assert result.trainer.device.type == "cpu" and result.trainer.iteration == result.trainer.config.total_iterations
    assert any("learned on cuda:0 (pretended) and goes on on cpu" in each for each in told)
    policy = load_policy(tmp_path / "run")
    assert policy.device.type == "cpu"
    assert evaluate(policy, shown, "CartPole-v1", episodes=2).episodes == 2
    with pretended_card(monkeypatch) as card:
        there = policy.to("cuda")
        np.testing.assert_array_equal(there(np.zeros((3, 4))), policy(np.zeros((3, 4))))
        assert card.sent and card.holds(next(there.actor_critic.parameters()))
        exported = there.to("cpu")
    assert export(exported, tmp_path / "policy.pt2").difference == 0.0


def test_a_run_goes_on_on_a_card_that_it_was_not_begun_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(metrics: dict[str, float]) -> None:
        if metrics["steps"] >= 64:
            raise Stopped

    shown = demonstrations_of("CartPole-v1", 2)
    with pytest.raises(Stopped):
        train("CartPole-v1", shown, config_of("dqn"), out=tmp_path / "run", on_iteration=stop)
    with pretended_card(monkeypatch) as card:
        result = resume(tmp_path / "run", shown, device="cuda", tell=lambda said: None)
        replay = result.trainer.generator.replay
        assert replay is not None
        tensors = (*result.trainer.generator.parameters(), replay.draw(4).obs)
        assert all(card.holds(tensor) for tensor in tensors if tensor.numel())


def test_the_environments_own_rewards_come_to_the_card(card: PretendedCard) -> None:
    envs = make_vector_env("CartPole-v1", 2)
    config = ExpertConfig(steps=64, num_envs=2, rollout_size=16, policy=PolicyConfig(hidden=(8,), batch_size=16))
    trainer = build_expert_trainer(config, envs, device=CARD)
    assert trainer.iterate()["reward/mean"] == 1.0


def test_demonstrations_are_sent_once_or_what_is_drawn_where_they_would_not_fit(
    card: PretendedCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = demonstrations_of("CartPole-v1", 2).steps()
    index = torch.tensor([3, 0, len(kept) - 1])
    wanted = kept[index]
    moved = steps_on(CARD, kept)
    assert isinstance(moved, MovedSteps)
    monkeypatch.setattr("gailkit.demonstrations.on_device.free_memory", lambda device: 1.9 * kept.num_bytes)
    sent = steps_on(CARD, kept)
    assert isinstance(sent, SentSteps)
    for steps in (moved, sent):
        found = steps[index.to(CARD)]
        for name, values in found.to_dict().items():
            assert card.holds(values) and torch.equal(values.cpu(), getattr(wanted, name))
        assert torch.equal(steps.observations_at(index.to(CARD)).cpu(), wanted.obs)
        assert torch.equal(steps.actions_at(index.to(CARD)).cpu(), wanted.act)
        assert torch.equal(torch.cat([*steps.in_blocks()]).cpu(), torch.cat([*kept.in_blocks()]))
    assert steps_on(torch.device("cpu"), kept) is kept


class Parts(gymnasium.Env[Any, Any]):
    """A picture, numbers, choices and bits; actions of a choice, bits and numbers."""

    observation_space = Dict(
        {
            "eye": Box(0, 255, (16, 16, 1), np.uint8),
            "at": Box(-1, 1, (2,)),
            "way": MultiDiscrete([2, 3]),
            "on": MultiBinary(2),
        }
    )
    action_space = Dict({"b": Discrete(3), "a": MultiBinary(2), "c": Box(-1, 1, (2,)), "d": MultiDiscrete([2, 3])})

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.observation_space.sample(), 0.0, False, False, {}


@pytest.fixture
def parts() -> Iterator[str]:
    gymnasium.register("PartsOnACard-v0", entry_point=Parts, max_episode_steps=8)
    yield "PartsOnACard-v0"
    gymnasium.registry.pop("PartsOnACard-v0")


@pytest.mark.parametrize("generator", ["ppo-clip", "trpo"])
def test_pictures_and_actions_of_several_parts_are_on_the_card(generator: str, parts: str, card: PretendedCard) -> None:
    envs, shown = make_vector_env(parts, 2), demonstrations_of(parts, 2)
    fitted = shown.fitted_to(envs.single_observation_space, envs.single_action_space)
    trainer = build_trainer(config_of(generator), envs, fitted, began=begun(used=generator == "trpo"), device=CARD)
    trainer.iterate()
    assert card.holds(trainer.generator.actor_critic.encoder.picture_normalizers[0].statistics.mean)


@pytest.mark.parametrize(
    "values",
    [
        {"policy": {"memory": "gru", "memory_length": 8}},
        {"policy": {"memory": "lstm", "memory_length": 8}, "generator": "trpo"},
        {"frame_stack": 3},
        {"discriminator": {"kind": "state"}},
        {"discriminator": {"kind": "next-state"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("simulated", [False, True], ids=["Gymnasium's", "a simulator's"])
def test_what_looks_back_or_ahead_is_on_the_card_too(
    values: dict[str, Any], simulated: bool, card: PretendedCard
) -> None:
    if simulated and "frame_stack" in values:
        return  # which is refused
    env: Any = Pendulum(2, CARD) if simulated else "Pendulum-v1"
    usual = config_of("ppo-clip").to_dict()
    policy = {"hidden": [8], "batch_size": 16, "epochs": 1, **values.get("policy", {})}
    discriminator = {**usual["discriminator"], **values.get("discriminator", {})}
    sections = {"policy": policy, "discriminator": discriminator}
    given = {name: value for name, value in usual.items() if name not in ("policy", "discriminator")}
    config = config_from_dict({**given, **values, **sections, "steps": 64}, TrainConfig)
    with fewer_draws():
        result = train(env, demonstrations_of("Pendulum-v1", 2), config, device="cuda")
    trainer = result.trainer
    for module in (trainer.generator.actor_critic, *trainer.teacher.networks().values()):
        assert all(card.holds(tensor) for tensor in (*module.parameters(), *module.buffers()) if tensor.numel())


def test_auto_takes_a_card_for_pictures_alone_and_says_so(parts: str, card: PretendedCard) -> None:
    told: list[str] = []
    stepping = Stepping(tell=told.append)
    for env_id, image_encoder, name, wanted in (
        (parts, "nature", "auto", "cuda:0"),
        ("CartPole-v1", "nature", "auto", "cpu"),
        ("CartPole-v1", "nature", "cuda", "cuda:0"),
        (parts, "nature", "cpu", "cpu"),
    ):
        config = TrainConfig(image_encoder=image_encoder)
        assert str(chosen_device(name, make_vector_env(env_id, 1), config, stepping)) == wanted
    assert told == [
        "runs on cuda:0: pictures and simulators of tensors are faster there (--device)",
        "runs on cpu: small networks are faster there (--device)",
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no card is here")
@pytest.mark.parametrize("env", ["Pendulum-v1", "gailkit.simulators:Pendulum"])
def test_a_run_on_a_real_card_ends_with_the_metrics_of_one_without(env: str, tmp_path: Path) -> None:
    """Of its first rollout, whose networks are those of the CPU: how many steps, and what is drawn nowhere."""
    shown = demonstrations_of("Pendulum-v1", 2)
    here, there = (train(env, shown, config_of("ppo-clip"), device=name).metrics for name in ("cpu", "cuda"))
    assert [row["steps"] for row in here] == [row["steps"] for row in there]
    assert here[0]["discriminator/absorbing_reward"] == pytest.approx(there[0]["discriminator/absorbing_reward"])


def test_a_device_that_is_not_there_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    shown = demonstrations_of("CartPole-v1", 1)
    for call in (
        lambda: train("CartPole-v1", shown, device="cuda:3", out=tmp_path / "run"),
        lambda: evaluate(load_policy, shown, "CartPole-v1", device="cuda:3"),
        lambda: resume(tmp_path / "run", shown, device="cuda:3"),
    ):
        with pytest.raises(InputError, match=r"there is no device cuda:3 here; there is cpu.*"):
            call()
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match=r"does not run on mps, which has no 64-bit numbers; accepted are auto, cpu"):
        train("CartPole-v1", shown, device="mps")
    with pytest.raises(InputError, match=r"'gpu' is no device; accepted are auto, cpu, cuda and cuda:0"):
        train("CartPole-v1", shown, device="gpu")


def test_the_pretended_card_sees_what_goes_wrong_on_a_card(card: PretendedCard) -> None:
    there = torch.zeros(3, device=CARD)
    with pytest.raises(TwoPlaces, match="add"):
        there + torch.zeros(3)
    with pytest.raises(TypeError, match="numpy"):
        there.numpy()
    assert (there + 1.0).device == CARD and there.cpu().device.type == "cpu"
    before = card.waits.total()
    there[there > 0], bool(there.any()), float(there.sum()), there.tolist()
    assert card.waits.total() == before + 4
