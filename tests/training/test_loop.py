"""One iteration of the algorithm: its state and what it depends on."""

from __future__ import annotations

import copy
import dataclasses
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.generator import WarmStart
from gailkit.generator.cloning import CloningResult
from gailkit.networks.actor_critic import ActorCritic
from gailkit.rollouts.environments import SeedStream, make_env
from gailkit.rollouts.vector import make_vector_env
from gailkit.training import build
from gailkit.training.build import build_expert_trainer, build_trainer
from gailkit.training.build_policy import GENERATORS
from gailkit.training.checkpoint import load_checkpoint, save_checkpoint
from gailkit.training.config import ExpertConfig, RunConfig, TrainConfig
from gailkit.training.loop import EPISODES_REMEMBERED, Trainer, episode_metrics
from gailkit.training.policy_config import OFF_POLICY, PolicyConfig
from gailkit.training.train import train
from gailkit.types import EpisodeSummary, Rollout, Transitions

CLOCK = {"seconds", "steps_per_second"}


@contextmanager
def fresh_trainer(
    config: RunConfig, demonstrations: Demonstrations | None, torch_seed: int | None = None
) -> Iterator[Trainer]:
    """A trainer in CartPole-v1, on the true reward without demonstrations; networks are drawn from ``torch_seed``."""
    envs = make_vector_env("CartPole-v1", config.num_envs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed if torch_seed is None else torch_seed)
        if demonstrations is None:
            yield build_expert_trainer(config, envs, None)
        else:
            fitted = demonstrations.fitted_to(envs.single_observation_space, envs.single_action_space)
            yield build_trainer(config, envs, fitted)
    envs.close()


def timeless(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in CLOCK}


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a tree of state with its path, tensors as lists."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from leaves(value, f"{path}/{key}")
    elif isinstance(tree, list | tuple):
        for index, value in enumerate(tree):
            yield from leaves(value, f"{path}/{index}")
    else:
        yield path, tree.tolist() if isinstance(tree, Tensor) else tree


@pytest.mark.parametrize("cloned", [False, True])
def test_discriminator_and_policy_share_one_normaliser_that_takes_in_each_rollout_unless_the_policy_is_a_clone(
    cartpole: Demonstrations, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch, cloned: bool
) -> None:
    monkeypatch.setattr(build, "warm_start", partial(begun, cloned))
    with fresh_trainer(tiny, cartpole) as trainer:
        encoder = trainer.generator.actor_critic.encoder
        assert trainer.teacher.learner.discriminator.encoder is encoder
        assert encoder.normalizer is not None
        for iteration in range(3):
            assert int(encoder.normalizer.count) == cartpole.num_kept + (not cloned) * 64 * iteration
            trainer.iterate()


def begun(cloned: bool, actor_critic: ActorCritic, shown: Transitions, *_: Any) -> WarmStart:
    """A warm start that says, without having cloned, that it did or did not."""
    if cloned:
        actor_critic.encoder.freeze()
    return WarmStart(CloningResult(0, 0.0, 0.0, 0.25, None), cloned)


def test_the_clone_and_the_guidance_are_told_as_they_are(
    cartpole: Demonstrations, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cloned in (False, True):
        monkeypatch.setattr(build, "warm_start", partial(begun, cloned))
        with fresh_trainer(tiny, cartpole) as trainer:
            rows = [trainer.iterate() for _ in range(3)]
            assert [row["clone/gain"] for row in rows] == [0.25] * 3
            weight = trainer.generator.guidance.weight if trainer.generator.guidance else 0.0
            assert (weight > 0) is cloned
            assert [row["clone/guidance"] for row in rows] == pytest.approx([weight * 2 / 3, weight / 3, 0.0])
            assert trainer.candidates is not None
            assert ("clone" in trainer.candidates.states()) is cloned


@pytest.mark.parametrize("teacher", ["adversary", "true reward"])
@pytest.mark.parametrize("generator", [name for name, kind in GENERATORS.items() if Discrete in kind.acts_in])
def test_the_state_of_a_trainer_is_all_that_another_one_needs(
    cartpole: Demonstrations,
    tiny: TrainConfig,
    tiny_expert: ExpertConfig,
    tmp_path: Path,
    generator: str,
    teacher: str,
) -> None:
    path = tmp_path / "state.safetensors"
    base, shown = {"adversary": (tiny, cartpole), "true reward": (tiny_expert, None)}[teacher]
    policy = PolicyConfig(hidden=(8,))
    if generator in OFF_POLICY:  # that learns in every iteration, and whose replay is overwritten
        policy = PolicyConfig(hidden=(8,), batch_size=8, warm_up=16, updates_per_step=0.25, replay_size=100)
    config = dataclasses.replace(base, generator=generator, policy=policy)
    with fresh_trainer(config, shown) as trainer:
        trainer.iterate()
        trainer.iterate()
        save_checkpoint(path, trainer.state_dict())
        expected = list(leaves(trainer.state_dict()))
        trainer.load_state_dict(load_checkpoint(path))
        continued = [(timeless(trainer.iterate()), list(leaves(trainer.generator.state_dict())))]
    for torch_seed in (1, 2):
        with fresh_trainer(config, shown, torch_seed) as other:
            assert list(leaves(other.state_dict())) != expected
            other.load_state_dict(load_checkpoint(path))
            assert list(leaves(other.state_dict())) == expected
            continued.append((timeless(other.iterate()), list(leaves(other.generator.state_dict()))))
    assert continued[0] == continued[1] == continued[2]
    assert continued[0][0]["steps"] == 192
    names = {name for name, _ in expected}
    assert {"/random/torch", "/random/numpy/state/key", "/random/python/1/0", "/iteration"} <= names
    of_teacher = {name for name in names if name.startswith("/teacher")}
    assert ({"/teacher/learner/policy_mass", "/teacher/learner/optimizer/state/0/exp_avg"} <= of_teacher) is (
        teacher == "adversary"
    )


@pytest.mark.parametrize("teacher", ["adversary", "true reward"])
def test_a_trainer_that_is_put_back_goes_on_as_one_that_is_new(
    cartpole: Demonstrations, tiny: TrainConfig, tiny_expert: ExpertConfig, teacher: str
) -> None:
    config, shown = {"adversary": (tiny, cartpole), "true reward": (tiny_expert, None)}[teacher]
    with fresh_trainer(config, shown) as used, fresh_trainer(config, shown) as unused:
        used.iterate()
        state = copy.deepcopy(used.state_dict())
        used.collector.collect(used.generator)  # a rollout that nobody will be taught by
        used.load_state_dict(copy.deepcopy(state))
        first = timeless(used.iterate())
        unused.load_state_dict(state)
        assert timeless(unused.iterate()) == first


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others(
    cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    def run(seed: int) -> list[dict[str, float]]:
        result = train("CartPole-v1", cartpole, dataclasses.replace(tiny, seed=seed))
        return [timeless(row) for row in result.metrics]

    first = run(3)
    assert len(first) == 3
    assert run(3) == first
    other = run(4)
    assert all(row["discriminator/loss"] != twin["discriminator/loss"] for row, twin in zip(first, other, strict=True))
    assert first[0]["reward/mean"] != other[0]["reward/mean"]


def test_the_seed_decides_how_episodes_start_and_they_are_not_those_of_evaluation(
    cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    env = make_env("CartPole-v1")
    starts = {}
    for seed in (1, 2):
        with fresh_trainer(dataclasses.replace(tiny, seed=seed), cartpole, torch_seed=0) as trainer:
            starts[seed] = trainer.collector.collect(trainer.generator).obs[0].tolist()
    evaluated = [env.reset(seed=number)[0].tolist() for number in SeedStream(1, "evaluation").take(2)]
    assert starts[1] != starts[2]
    assert not any(start in evaluated for start in starts[1])


def test_progress_goes_from_nothing_to_all_and_the_policy_is_told(
    cartpole: Demonstrations, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_trainer(tiny, cartpole) as trainer:
        told: list[float] = []
        improve = trainer.generator.update

        def recorded(rollout: Rollout, rewards: Tensor, progress: float) -> dict[str, float]:
            told.append(progress)
            return improve(rollout, rewards, progress)

        monkeypatch.setattr(trainer.generator, "update", recorded)
        for _ in range(3):
            trainer.iterate()
        assert told == [0.0, 1 / 3, 2 / 3]
        assert trainer.progress == 1.0
        assert (trainer.iteration, trainer.steps) == (3, 192)


def test_episodes_are_reported_by_their_means() -> None:
    episodes = [EpisodeSummary(10, 4.0, True), EpisodeSummary(20, -1.0, False), EpisodeSummary(30, 3.0, True)]
    assert episode_metrics(deque(episodes)) == {
        "episode/true_return": 2.0,
        "episode/length": 20.0,
        "episode/terminated": pytest.approx(2 / 3),
    }
    assert episode_metrics(deque()) == {}


def test_only_the_last_episodes_are_remembered(moody: Demonstrations, tiny: TrainConfig) -> None:
    result = train("Moody-v0", moody, tiny, env_kwargs={"moods": [1.0, 2.0, 3.0]})
    assert [row["episode/true_return"] for row in result.metrics] == [1.0, 2.0, 3.0]  # 64 a rollout, 50 remembered
    assert EPISODES_REMEMBERED == 50
    assert len(result.trainer.recent) == 50
