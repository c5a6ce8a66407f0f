"""A rollout as a batch: every step once, with its own advantage, target and distribution."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from gymnasium.spaces import Box
from hypothesis import given, settings
from hypothesis import strategies as st

from gailkit.generator import Generator
from gailkit.generator.learning import Batch, describe_update, learning_batch, value_loss
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import DiagonalGaussian
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Reward, Rollout


class Untaught(Generator):
    """It acts, and nothing else."""

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def numbered(count: int) -> Batch:
    """Every field of step i says i."""
    numbers = torch.arange(count)
    column = numbers.float().unsqueeze(-1)
    old = DiagonalGaussian(column, column)
    return Batch(
        column, column, numbers.float(), numbers.float(), numbers.float(), old, ObservationEncoder(Box(-1, 1, (1,)))
    )


@given(st.integers(1, 200), st.integers(1, 250))
@settings(max_examples=50, deadline=None)
def test_a_pass_of_minibatches_holds_every_step_once_with_its_own_fields(count: int, size: int) -> None:
    passed = list(numbered(count).minibatches(size))
    assert [len(minibatch) for minibatch in passed[:-1]] == [size] * (len(passed) - 1)
    assert 1 <= len(passed[-1]) <= size
    assert sorted(torch.cat([minibatch.targets for minibatch in passed]).tolist()) == list(range(count))
    for minibatch in passed:
        old = minibatch.old.parameters()
        columns = (minibatch.features, minibatch.act, *old)
        assert all(torch.equal(column.squeeze(-1), minibatch.targets) for column in columns)
        assert torch.equal(minibatch.log_prob, minibatch.targets)
        assert torch.equal(minibatch.advantages, minibatch.targets)


def test_every_pass_has_an_order_of_its_own_which_the_seed_decides() -> None:
    orders = []
    for seed in (1, 1, None):
        if seed is not None:
            torch.manual_seed(seed)
        orders.append(torch.cat([minibatch.targets for minibatch in numbered(50).minibatches(20)]))
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[1], orders[2])
    assert not torch.equal(orders[1], torch.arange(50.0))


def test_a_batch_is_the_rollout_in_the_order_of_its_steps(make_actor_critic: Any, roll_out: Any) -> None:
    model = make_actor_critic(Box(-1, 1, (2,)), Box(-1, 1, (3,)))
    steps = roll_out(Untaught(model), steps=4, environments=3)
    rewards = torch.randn(4, 3)
    values_before = model.critic(model.encoder(steps.obs.flatten(0, 1))).detach()
    value = values_before.reshape(4, 3).clone()
    batch, explained = learning_batch(model, steps, rewards, gamma=0.9, lam=0.5)
    assert len(batch) == 12
    assert torch.equal(batch.features, model.encoder(steps.obs.reshape(12, 3)))
    assert torch.equal(batch.act, steps.act.reshape(12, 2))
    torch.testing.assert_close(batch.old.log_prob(batch.act), batch.log_prob)
    advantages = (rewards - value).flatten()  # every step is an episode
    torch.testing.assert_close(batch.advantages, (advantages - advantages.mean()) / advantages.std())
    # the first rollout's returns are themselves the statistics: targets of mean 0 and variance 1
    torch.testing.assert_close(batch.targets, (rewards.flatten() - rewards.mean()) / rewards.std(correction=0))
    assert explained == pytest.approx(float(1 - (rewards - value).var() / rewards.var()))
    own = (batch.features, batch.act, batch.log_prob, batch.advantages, batch.targets)
    assert not any(t.requires_grad for t in (*own, *batch.old.parameters()))
    torch.testing.assert_close(model.critic(batch.features), values_before, rtol=1e-4, atol=1e-5)


def test_the_value_loss_is_half_the_mean_squared_error_by_hand(make_actor_critic: Any) -> None:
    model = make_actor_critic()
    for parameter in model.critic.parameters():
        parameter.data.zero_()
    model.critic.network[-1].bias.data.fill_(2.0)
    batch = replace(numbered(3), held=torch.eye(3))
    # V = 2 against 0, 1, 2: (4 + 1 + 0) / 3 / 2
    assert value_loss(model, batch).item() == pytest.approx(5 / 6)


def test_nothing_has_happened_before_an_update(make_actor_critic: Any, roll_out: Any) -> None:
    model = make_actor_critic()
    steps = roll_out(Untaught(model))
    batch, _ = learning_batch(model, steps, torch.randn(steps.shape), gamma=0.9, lam=0.5)
    told = describe_update(model, batch)
    assert told["kl"] == 0.0
    assert told["surrogate"] == pytest.approx(0.0, abs=1e-6)
    assert told["entropy"] == pytest.approx(float(batch.old.entropy().mean()))
    assert told["value_loss"] == pytest.approx(value_loss(model, batch).item())


@pytest.mark.parametrize("bounds", ["clip", "tanh"])
@pytest.mark.parametrize("std", ["free", "state"])
def test_the_old_distribution_stays_when_the_parameters_move(roll_out: Any, std: str, bounds: str) -> None:
    encoder = ObservationEncoder(Box(-1, 1, (2,)))
    generator = Untaught(ActorCritic(encoder, Box(-1, 1, (3,)), (8,), std=std, bounds=bounds))
    steps = roll_out(generator)
    batch, _ = learning_batch(generator.actor_critic, steps, torch.zeros(steps.shape), 0.99, 0.95)
    before = [parameter.clone() for parameter in batch.old.parameters()]
    with torch.no_grad():
        for parameter in generator.actor_critic.policy_parameters():
            parameter.add_(1.0)
    assert all(map(torch.equal, batch.old.parameters(), before))


@pytest.mark.parametrize("least", [0.0, 3.0, 50.0])
def test_a_batch_holds_advantages_divided_by_the_least_deviation_that_was_asked_for(
    make_actor_critic: Any, roll_out: Any, least: float
) -> None:
    # episodes of one step: the advantage is reward - value
    generator = Untaught(make_actor_critic())
    steps = roll_out(generator)
    rewards = 10 * torch.randn(steps.shape)
    advantages = rewards.flatten() - generator.value(steps.obs.flatten(0, 1))
    batch, _ = learning_batch(generator.actor_critic, steps, rewards, 0.9, 0.9, least)
    centered = advantages - advantages.mean()
    torch.testing.assert_close(batch.advantages, centered / max(least, float(advantages.std())), rtol=1e-4, atol=1e-5)
