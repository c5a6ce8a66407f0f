"""Who rewards the policy: the discriminator as it is after its update, or the environment, number by number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.functional.rewards import log_d
from gailkit.generator import Generator
from gailkit.rollouts.vector import make_vector_env
from gailkit.training.build import build_expert_trainer
from gailkit.training.config import ExpertConfig, TrainConfig
from gailkit.training.expert import train_expert
from gailkit.training.loop import Trainer
from gailkit.training.teachers import TrueReward
from gailkit.training.train import train
from gailkit.types import Experience, Replayed, Reward, Rollout

Build = Callable[..., Trainer]

CLOCK = {"seconds", "steps_per_second"}


class Counting(gymnasium.Env[np.ndarray, np.int64]):
    """The n-th step in this copy of it earns n, and its successor shows n and nothing else; every 5th terminates."""

    observation_space = Box(0, 1000, (1,), np.float32)
    action_space = Discrete(2)

    def __init__(self) -> None:
        self.steps = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        return np.zeros(1, np.float32), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return np.full(1, self.steps, np.float32), float(self.steps), self.steps % 5 == 0, False, {}


@pytest.fixture(autouse=True)
def counting() -> Iterator[None]:
    """Counting-v0, which also cuts off after 3 steps what does not terminate before."""
    gymnasium.register("Counting-v0", entry_point=Counting, max_episode_steps=3)
    yield
    gymnasium.registry.pop("Counting-v0")


def test_rewards_come_from_the_updated_discriminator_on_the_same_rollout_and_train_the_policy(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = build(cartpole, tiny)
    calls: list[tuple[str, Rollout]] = []
    collector, learner, generator = trainer.collector, trainer.teacher.learner, trainer.generator
    collect, update, reward, improve = collector.collect, learner.update, learner.rewards, generator.update
    before: dict[str, Tensor] = {}

    def recorded_collect(policy: Generator) -> Rollout:
        rollout = collect(policy)
        calls.append(("roll out", rollout))
        before["logits"] = learner.discriminator(rollout.transitions()).detach()
        return rollout

    def recorded_update(draw_expert: Any, rollout: Rollout, experience: Experience) -> dict[str, float]:
        calls.append(("update D", rollout))
        assert torch.equal(experience.steps.obs, rollout.obs.flatten(0, 1))
        return update(draw_expert, rollout, experience)

    def recorded_rewards(rollout: Rollout) -> Tensor:
        calls.append(("reward", rollout))
        return reward(rollout)

    def recorded_improve(rollout: Rollout, reward: Reward, progress: float) -> dict[str, float]:
        calls.append(("improve pi", rollout))
        rewards = reward(rollout)
        after = learner.discriminator(rollout.transitions()).detach()
        judge, absorbing = learner.endings, learner.absorbing_reward()
        ended = 0.0 if judge is None else judge.rewards(rollout.transitions(), log_d, absorbing)
        expected = log_d(after) - learner.absorbing_reward() + ended
        torch.testing.assert_close(rewards.flatten(), expected)
        outdated = log_d(before["logits"]) - learner.absorbing_reward() + ended
        assert (rewards.flatten() - outdated).abs().max() > 1e-5
        return improve(rollout, reward, progress)

    monkeypatch.setattr(collector, "collect", recorded_collect)
    monkeypatch.setattr(learner, "update", recorded_update)
    monkeypatch.setattr(learner, "rewards", recorded_rewards)
    monkeypatch.setattr(generator, "update", recorded_improve)
    trainer.iterate()
    assert [name for name, _ in calls] == ["roll out", "update D", "reward", "improve pi"]
    assert len({id(rollout) for _, rollout in calls}) == 1


def test_the_environments_own_reward_changes_nothing_but_the_report(
    cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    """A return of -5 a step in place of 1: whoever trained on it would go the other way."""
    kind = train("CartPole-v1", cartpole, tiny)
    cruel = train("NegatedCartPole-v0", cartpole, tiny)
    for row, twin in zip(kind.metrics, cruel.metrics, strict=True):
        assert twin["episode/true_return"] == pytest.approx(-5 * row["episode/true_return"])
        unequal = {name for name in row if name not in CLOCK and row[name] != twin[name]}
        assert unequal == {"episode/true_return"}
    parameters, twins = (dict(result.policy.actor_critic.named_parameters()) for result in (kind, cruel))
    assert all(torch.equal(parameter, twins[name]) for name, parameter in parameters.items())


def test_expert_transitions_are_drawn_from_what_is_shown(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig
) -> None:
    shown = cartpole.subsample(7)
    drawn = build(shown, tiny).teacher.draw_expert(200)
    known = {tuple(row) for row in shown.transitions().obs.tolist()}
    assert {tuple(row) for row in drawn.obs.tolist()} == known


def test_an_expert_is_taught_exactly_the_environments_rewards_step_by_step(
    tiny_expert: ExpertConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through episodes that terminate, that are truncated, and that go on into the next rollout."""
    envs = make_vector_env("Counting-v0", 2)
    trainer = build_expert_trainer(tiny_expert, envs, None)
    improve = trainer.generator.update
    seen: list[tuple[Rollout, Tensor]] = []

    def recorded(rollout: Rollout, reward: Reward, progress: float) -> dict[str, float]:
        seen.append((rollout, reward(rollout)))
        return improve(rollout, reward, progress)

    monkeypatch.setattr(trainer.generator, "update", recorded)
    metrics = [trainer.iterate() for _ in range(3)]
    envs.close()
    for k, (rollout, rewards) in enumerate(seen):
        assert torch.equal(rewards, rollout.next_obs[..., 0])
        assert rewards[:, 0].tolist() == [float(n) for n in range(32 * k + 1, 32 * k + 33)]
        assert rewards.dtype == torch.float32
        assert rollout.terminated.any() and rollout.truncated.any()
        assert metrics[k]["reward/mean"] == 32 * k + 16.5  # of 32k + 1, ..., 32k + 32


def rollout_of(steps: int, first: int) -> Rollout:
    nothing, never = torch.zeros(steps, 2, 1), torch.zeros(steps, 2, dtype=torch.bool)
    return Rollout(nothing, nothing, nothing, never, never, first)


def test_rewards_are_kept_as_they_were_when_they_were_observed() -> None:
    teacher, rewards = TrueReward(), np.zeros(2)
    for step in range(3):
        rewards[:] = step, -step  # in the same memory, as some environments do
        teacher.observe(rewards)
    steps = rollout_of(3, first=0)
    assert teacher.learn(steps, Experience.of(steps)) == teacher.networks() == {}
    assert teacher.rewards(steps).tolist() == [[0.0, 0.0], [1.0, -1.0], [2.0, -2.0]]
    teacher.observe(np.array([7.0, 8.0]))
    following = rollout_of(1, first=6)
    teacher.learn(following, Experience.of(following))
    assert teacher.rewards(following).tolist() == [[7.0, 8.0]]


def test_true_rewards_are_looked_up_by_the_number_of_a_step_and_outlive_a_restart() -> None:
    teacher = TrueReward(remembered=7)  # a replay of 7 steps holds whole rows of these: 8
    for t in range(5):  # of two environments: 10 steps, of which the last 8 may be asked about
        teacher.observe(np.array([10.0 * t, 10.0 * t + 1]))
        steps = rollout_of(1, first=2 * t)
        teacher.learn(steps, Experience.of(steps))
    restored = TrueReward(remembered=7)
    restored.load_state_dict(deepcopy(teacher.state_dict()))
    asked = Replayed(
        *[torch.zeros(2, 2)] * 3, *[torch.zeros(2, 2, dtype=torch.bool)] * 2, torch.tensor([[2, 9], [5, 4]])
    )
    for each in (teacher, restored):
        assert each.rewards(asked).tolist() == [[10.0, 41.0], [21.0, 20.0]]


def test_an_expert_in_a_world_turned_upside_down_learns_something_else(tiny_expert: ExpertConfig) -> None:
    kind, cruel = (train_expert(name, tiny_expert).metrics for name in ("CartPole-v1", "NegatedCartPole-v0"))
    assert kind[0]["reward/mean"] == 1.0
    assert cruel[0]["reward/mean"] == -5.0
    assert kind[-1]["policy/entropy"] != pytest.approx(cruel[-1]["policy/entropy"], rel=1e-5)


def test_an_imitation_listens_to_no_reward_and_an_expert_has_no_discriminator(
    build: Build, cartpole: Demonstrations, tiny: TrainConfig, tiny_expert: ExpertConfig
) -> None:
    assert build(cartpole, tiny).collector.on_rewards is None
    row = train_expert("CartPole-v1", tiny_expert).metrics[-1]
    assert not [name for name in row if name.startswith("discriminator")]
    assert {"reward/mean", "policy/kl", "episode/true_return"} <= set(row)
