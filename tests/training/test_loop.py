"""One iteration of the algorithm: its order, its state, what it depends on, and what stops it."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import DiscreteActionDiscriminator, Discriminator
from gailkit.errors import DivergenceError, InputError
from gailkit.functional.rewards import log_d
from gailkit.generator import Generator, PPOClip
from gailkit.networks.encoders import ObservationEncoder
from gailkit.rollouts.envs import SeedStream, make_env, make_vector_env
from gailkit.training.build import build_trainer
from gailkit.training.checkpoint import load_checkpoint, save_checkpoint
from gailkit.training.config import TrainConfig
from gailkit.training.loop import EPISODES_REMEMBERED, Trainer, episode_metrics
from gailkit.training.parts import Parts
from gailkit.training.train import TrainingResult, train
from gailkit.types import EpisodeSummary, Rollout

CLOCK = {"seconds", "steps_per_second"}


@contextmanager
def fresh_trainer(
    config: TrainConfig, demonstrations: Demonstrations, parts: Parts | None = None, torch_seed: int | None = None
) -> Iterator[Trainer]:
    """A trainer in CartPole-v1, its networks drawn from ``torch_seed`` (the configuration's when None)."""
    envs = make_vector_env("CartPole-v1", config.num_envs)
    fitted = demonstrations.fitted_to(envs.single_observation_space, envs.single_action_space)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed if torch_seed is None else torch_seed)
        yield build_trainer(config, envs, fitted, parts)
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


def test_rewards_come_from_the_updated_discriminator_on_the_same_rollout_and_train_the_policy(
    cartpole: Demonstrations, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_trainer(tiny, cartpole) as trainer:
        calls: list[tuple[str, Rollout]] = []
        collector, learner, generator = trainer.collector, trainer.learner, trainer.generator
        collect, update, reward, improve = collector.collect, learner.update, learner.rewards, generator.update
        before: dict[str, Tensor] = {}

        def recorded_collect(policy: Generator) -> Rollout:
            rollout = collect(policy)
            calls.append(("roll out", rollout))
            before["logits"] = learner.discriminator(rollout.transitions()).detach()
            return rollout

        def recorded_update(draw_expert: Any, rollout: Rollout) -> dict[str, float]:
            calls.append(("update D", rollout))
            return update(draw_expert, rollout)

        def recorded_rewards(rollout: Rollout) -> Tensor:
            calls.append(("reward", rollout))
            return reward(rollout)

        def recorded_improve(rollout: Rollout, rewards: Tensor, progress: float) -> dict[str, float]:
            calls.append(("improve pi", rollout))
            after = learner.discriminator(rollout.transitions()).detach()
            expected = log_d(after) - learner.absorbing_reward()
            torch.testing.assert_close(rewards.flatten(), expected)
            outdated = log_d(before["logits"]) - learner.absorbing_reward()
            assert (rewards.flatten() - outdated).abs().max() > 1e-5
            return improve(rollout, rewards, progress)

        monkeypatch.setattr(collector, "collect", recorded_collect)
        monkeypatch.setattr(learner, "update", recorded_update)
        monkeypatch.setattr(learner, "rewards", recorded_rewards)
        monkeypatch.setattr(generator, "update", recorded_improve)
        trainer.iterate()
    assert [name for name, _ in calls] == ["roll out", "update D", "reward", "improve pi"]
    assert len({id(rollout) for _, rollout in calls}) == 1


def test_discriminator_and_policy_share_one_normaliser_that_takes_in_each_rollout(
    cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    with fresh_trainer(tiny, cartpole) as trainer:
        encoder = trainer.generator.actor_critic.encoder
        assert trainer.learner.discriminator.encoder is encoder
        assert encoder.normalizer is not None
        for iteration in range(3):
            assert int(encoder.normalizer.count) == cartpole.num_kept + 64 * iteration
            trainer.iterate()


def test_the_state_of_a_trainer_is_all_that_another_one_needs(
    cartpole: Demonstrations, tiny: TrainConfig, tmp_path: Path
) -> None:
    path = tmp_path / "state.safetensors"
    with fresh_trainer(tiny, cartpole) as trainer:
        trainer.iterate()
        trainer.iterate()
        save_checkpoint(path, trainer.state_dict())
        expected = list(leaves(trainer.state_dict()))
        continued = []
        for torch_seed in (1, 2):
            with fresh_trainer(tiny, cartpole, torch_seed=torch_seed) as other:
                assert list(leaves(other.state_dict())) != expected
                other.load_state_dict(load_checkpoint(path))
                assert list(leaves(other.state_dict())) == expected
                continued.append((timeless(other.iterate()), list(leaves(other.generator.state_dict()))))
    assert continued[0] == continued[1]
    assert continued[0][0]["steps"] == 192
    names = {name for name, _ in expected}
    assert {"/learner/policy_mass", "/learner/optimizer/state/0/exp_avg", "/random", "/iteration"} <= names


def test_a_trainer_that_is_put_back_begins_new_episodes_from_nothing(
    cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    with fresh_trainer(tiny, cartpole) as used, fresh_trainer(tiny, cartpole) as unused:
        used.iterate()
        state = copy.deepcopy(used.state_dict())
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


def test_the_environments_own_reward_changes_nothing_but_the_report(
    cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    """A return of -5 a step in place of 1: whoever trained on it would go the other way."""
    kind: TrainingResult = train("CartPole-v1", cartpole, tiny)
    cruel = train("NegatedCartPole-v0", cartpole, tiny)
    for row, twin in zip(kind.metrics, cruel.metrics, strict=True):
        assert twin["episode/true_return"] == pytest.approx(-5 * row["episode/true_return"])
        unequal = {name for name in row if row[name] != twin[name]} - CLOCK
        assert unequal == {"episode/true_return"}
    kind_state, cruel_state = (result.trainer.generator.state_dict() for result in (kind, cruel))
    assert list(leaves(kind_state)) == list(leaves(cruel_state))


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


class Extended(DiscreteActionDiscriminator):
    """A discriminator with a parameter that takes no part, and is not a number."""

    def __init__(self, encoder: ObservationEncoder, action_space: Any) -> None:
        super().__init__(encoder, action_space, torch.nn.Linear)
        self.idle = torch.nn.Parameter(torch.tensor([1.0, math.nan]))


class Reporting(PPOClip):
    def update(self, rollout: Rollout, rewards: Tensor, progress: float = 0.0) -> dict[str, float]:
        return {"oddity": math.inf}


class Poisoned(PPOClip):
    def update(self, rollout: Rollout, rewards: Tensor, progress: float = 0.0) -> dict[str, float]:
        self.actor_critic.policy[-1].bias.data[0] = math.nan
        return {}


def broken_discriminator(encoder: ObservationEncoder, action_space: Any) -> Discriminator:
    return Extended(encoder, action_space)


def test_a_reward_that_is_not_a_number_stops_the_run_by_its_name(cartpole: Demonstrations, tiny: TrainConfig) -> None:
    calls = []

    def reward(logits: Tensor) -> Tensor:
        if logits.numel() > 2:  # neither the absorbing state nor the first try-out
            calls.append(logits)
        return logits / 0 if len(calls) == 2 else log_d(logits)

    with fresh_trainer(tiny, cartpole, Parts(reward=reward)) as trainer:
        trainer.iterate()
        weights = trainer.generator.actor_critic.policy[0].weight.clone()
        with pytest.raises(DivergenceError, match=r"^the rewards became NaN or infinite in iteration 2, step 128$"):
            trainer.iterate()
        assert torch.equal(trainer.generator.actor_critic.policy[0].weight, weights)  # it learned nothing from them


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        (Parts(discriminator=broken_discriminator), "the discriminator's parameter idle"),
        (Parts(generator=Poisoned), "the policy's parameter actor_critic.policy"),
        (Parts(generator=Reporting), "policy/oddity"),
    ],
    ids=["discriminator", "policy", "metric"],
)
def test_the_first_number_that_is_not_finite_is_named(
    cartpole: Demonstrations, tiny: TrainConfig, parts: Parts, named: str
) -> None:
    with fresh_trainer(tiny, cartpole, parts) as trainer, pytest.raises(DivergenceError) as stopped:
        trainer.iterate()
    assert str(stopped.value).startswith(named)
    assert str(stopped.value).endswith("became NaN or infinite in iteration 1, step 64")


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


def test_expert_transitions_are_drawn_from_what_is_shown(cartpole: Demonstrations, tiny: TrainConfig) -> None:
    shown = cartpole.subsample(7)
    with fresh_trainer(tiny, shown) as trainer:
        drawn = trainer.draw_expert(200)
        known = {tuple(row) for row in shown.transitions().obs.tolist()}
        assert {tuple(row) for row in drawn.obs.tolist()} == known


def test_a_generator_that_reports_nothing_is_named(cartpole: Demonstrations, tiny: TrainConfig) -> None:
    class Silent(PPOClip):
        def update(self, rollout: Rollout, rewards: Tensor, progress: float = 0.0) -> dict[str, float]:
            return None

    with (
        fresh_trainer(tiny, cartpole, Parts(generator=Silent)) as trainer,
        pytest.raises(InputError, match=r"Silent.update must return a dict of numbers by name; found NoneType"),
    ):
        trainer.iterate()
