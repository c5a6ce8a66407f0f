"""Reinforcement learning on the true reward: the run folder and its policy are those of any training."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete

from gailkit.errors import EnvironmentFailure, InputError
from gailkit.generator import PPOClip
from gailkit.networks.actor_critic import ActorCritic
from gailkit.rollouts.stepping import Stepping
from gailkit.training.build_policy import GENERATORS
from gailkit.training.checkpoint import load_checkpoint
from gailkit.training.config import ExpertConfig
from gailkit.training.expert import train_expert
from gailkit.training.metrics import read_metrics
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.run import load_policy
from gailkit.training.settings import config_from_dict


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_run_folder_holds_what_a_policy_needs_and_what_was_done(
    tiny_expert: ExpertConfig, tmp_path: Path, generator: str
) -> None:
    config = dataclasses.replace(tiny_expert, generator=generator, policy=PolicyConfig(hidden=(8,)))
    env_id = "CartPole-v1" if Discrete in GENERATORS[generator].acts_in else "Pendulum-v1"
    result = train_expert(env_id, config, out=tmp_path / "run", command=f"gailkit expert {env_id}")
    assert [row["steps"] for row in result.metrics] == [64, 128, 192]
    assert read_metrics(tmp_path / "run") == result.metrics
    assert (tmp_path / "run" / "learning.svg").is_file()
    described = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (described["env_id"], described["demonstrations"]) == (env_id, None)
    assert described["command"] == f"gailkit expert {env_id}"
    assert set(described["parts"].values()) == {None}
    again = config_from_dict(described["config"], ExpertConfig)
    assert again.policy.of(generator) == config.policy.of(generator)
    assert dataclasses.replace(again, policy=config.policy) == config
    observations = np.random.default_rng(0).normal(size=(200, *result.policy.observation_space.shape))
    loaded = load_policy(tmp_path / "run")
    np.testing.assert_array_equal(loaded(observations), result.policy(observations))
    assert loaded.trained_on == frozenset()


def test_the_settings_that_a_run_wrote_down_give_the_same_run(tiny_expert: ExpertConfig, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_expert, generator="ppo-penalty", seed=4)
    first = train_expert("CartPole-v1", config, out=tmp_path)
    read = config_from_dict(json.loads((tmp_path / "config.json").read_text())["config"], ExpertConfig)
    again = train_expert("CartPole-v1", read)
    learned = [row["policy/value_loss"] for row in first.metrics]
    assert [row["policy/value_loss"] for row in again.metrics] == learned
    assert len(set(learned)) == 3


def test_the_seed_decides_and_the_callers_random_numbers_are_left_alone(tiny_expert: ExpertConfig) -> None:
    losses = {}
    for name, seed, callers in (("a", 3, 1), ("b", 3, 2), ("c", 4, 2)):
        torch.manual_seed(callers)
        state = torch.get_rng_state()
        result = train_expert("CartPole-v1", dataclasses.replace(tiny_expert, seed=seed))
        assert torch.equal(torch.get_rng_state(), state)
        losses[name] = [row["policy/value_loss"] for row in result.metrics]
    assert losses["a"] == losses["b"] != losses["c"]


def test_a_generator_of_ones_own_takes_the_place_of_the_named_one(tiny_expert: ExpertConfig, tmp_path: Path) -> None:
    made: list[PPOClip] = []

    def generator(actor_critic: ActorCritic) -> PPOClip:
        made.append(PPOClip(actor_critic, epochs=1))
        return made[-1]

    result = train_expert("CartPole-v1", tiny_expert, generator=generator, out=tmp_path)
    assert [result.trainer.generator] == made
    recorded = json.loads((tmp_path / "config.json").read_text())["parts"]["generator"]
    assert recorded.endswith("generator")
    with pytest.raises(InputError, match=r"^a Generator is needed; found ActorCritic$"):
        train_expert("CartPole-v1", tiny_expert, generator=lambda actor_critic: actor_critic)


def test_an_expert_that_is_interrupted_can_be_used(tiny_expert: ExpertConfig, tmp_path: Path) -> None:
    def stop(metrics: Mapping[str, float]) -> None:
        if metrics["steps"] == 128:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_expert("CartPole-v1", tiny_expert, out=tmp_path, on_iteration=stop)
    assert load_checkpoint(tmp_path / "checkpoints" / "last.safetensors")["iteration"] == 2
    assert load_policy(tmp_path)(np.zeros((5, 4))).shape == (5,)


def test_an_environment_that_breaks_ends_it_after_a_checkpoint(tiny_expert: ExpertConfig, tmp_path: Path) -> None:
    kwargs: dict[str, Any] = {"moods": [1.0, 2.0, None]}
    with pytest.raises(EnvironmentFailure, match=r"a fuse blew .*, after 128 steps; what was learned is kept$"):
        train_expert("Moody-v0", tiny_expert, out=tmp_path, env_kwargs=kwargs, stepping=Stepping(restarts=0))
    assert load_checkpoint(tmp_path / "checkpoints" / "best.safetensors")["true_return"] == 2.0


def test_what_is_no_name_of_an_environment_is_refused(tiny_expert: ExpertConfig) -> None:
    with pytest.raises(
        InputError,
        match=r"^train_expert takes the id of a registered environment, or a simulator of tensors; found int$",
    ):
        train_expert(3, tiny_expert)
    with pytest.raises(InputError, match=r"no environment is called 'CartPol-v1'; near matches: CartPole-v1"):
        train_expert("CartPol-v1", tiny_expert)
