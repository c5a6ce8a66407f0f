"""Soft values against sums and integrals, the sign of alpha, and how much entropy it is to keep."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from gymnasium.spaces import Box, Discrete

from gailkit.functional.q_learning import Ahead
from gailkit.generator import SAC, Guidance
from gailkit.generator.off_policy import Batch
from gailkit.types import Transitions

ALPHA = torch.tensor(0.3)


def made(make_actor_critic: Any, space: Any, learning_rate: float = 3e-4, **head: str) -> SAC:
    torch.manual_seed(0)
    model = make_actor_critic(space, Box(-1, 1, (3,)), **head)
    return SAC(model, critic_hidden=(8,), warm_up=16, batch_size=16, learning_rate=learning_rate)


def test_discrete_targets_are_a_sum_over_the_actions(make_actor_critic: Any) -> None:
    generator = made(make_actor_critic, Discrete(4, start=2))
    following, rewards = torch.randn(5, 3), torch.randn(5)
    ahead = Ahead(rewards, torch.zeros(5, dtype=torch.int64), torch.tensor([0.9, 0.9, 0.0, 0.9, 0.9]))
    found = generator.targets(Batch(following, torch.zeros(5, 4), ahead, following), ALPHA)
    with torch.no_grad():
        p = generator.actor_critic.distribution(following).logits.softmax(-1)
        q = generator.target_critic(following).min(0).values
    by_hand = [
        sum(float(p[i, a]) * (float(q[i, a]) - 0.3 * math.log(float(p[i, a]))) for a in range(4)) for i in range(5)
    ]
    expected = [float(rewards[i]) + (0.0 if i == 2 else 0.9) * by_hand[i] for i in range(5)]
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("head", [{"bounds": "clip"}, {"bounds": "tanh"}, {"bounds": "tanh", "std": "state"}])
def test_box_targets_are_on_average_the_value_of_what_the_policy_does_and_its_entropy(
    make_actor_critic: Any, head: dict[str, str]
) -> None:
    generator = made(make_actor_critic, Box(-3, 1, (1,)), **head)
    features = torch.randn(1, 3).expand(20_000, 3)
    with torch.no_grad():
        soft = generator.soft(generator.critic, features, ALPHA)
        distribution = generator.actor_critic.distribution(features)
        act = generator.action_encoder(distribution.sample())  # as the environment sees it
        values = generator.critic(torch.cat((features, act), -1)).squeeze(-1).min(0).values
        exact = float(distribution[:1].entropy())
    assert float(soft.entropy.mean()) == pytest.approx(exact, abs=0.03)
    assert float(soft.value.mean()) == pytest.approx(float(values.mean()) + 0.3 * exact, abs=0.03)


def test_alpha_rises_below_the_target_entropy_and_falls_above(make_actor_critic: Any) -> None:
    generator = made(make_actor_critic, Discrete(4))
    for away, sign in ((-0.5, 1), (0.5, -1)):
        before = float(generator.log_temperature.detach())
        generator.adapt_temperature(torch.tensor(2.0 + away), torch.tensor(2.0))
        assert (float(generator.log_temperature.detach()) - before) * sign > 0


def test_the_target_is_one_nat_less_a_dimension_than_a_box_of_half_width_1_has_as_its_unit(
    make_actor_critic: Any,
) -> None:
    wide = made(make_actor_critic, Box(-10, 10, (3,)))  # densities are a tenth as high a dimension
    for progress in (0.0, 0.5, 1.0):
        assert float(made(make_actor_critic, Box(-1, 1, (3,))).target_entropy(progress)) == -3.0
        assert float(wide.target_entropy(progress)) == pytest.approx(-3.0 + 3 * math.log(10.0))
        assert 0 < float(made(make_actor_critic, Discrete(4)).target_entropy(progress)) < math.log(4)


@pytest.mark.parametrize(("space", "certain"), [(Discrete(4), 5000.0), (Box(-1, 1, (2,)), -3.0)])
def test_one_that_began_as_a_clone_goes_from_its_entropy_where_the_expert_was_to_the_usual_one_if_that_is_less(
    make_actor_critic: Any, space: Any, certain: float
) -> None:
    generator, obs = made(make_actor_critic, space), torch.randn(50, 3)
    pairs = Transitions(obs, generator.act(obs), obs, torch.zeros(50, dtype=torch.bool))
    usual, own = float(generator.target_entropy(0.0)), float(generator.actor_critic(obs).entropy().mean().detach())
    generator.guide(Guidance(lambda count: pairs))
    assert own > usual
    found = [float(generator.target_entropy(progress)) for progress in (0.0, 0.25, 1.0)]
    assert found == pytest.approx([own, 0.75 * own + 0.25 * usual, usual], rel=1e-5)
    with torch.no_grad():
        generator.actor_critic.policy[-1].weight.mul_(certain)
        generator.actor_critic.set_log_std(certain)
    generator.guide(Guidance(lambda count: pairs))
    expected = float(generator.actor_critic(obs).entropy().mean().detach())
    assert expected < usual
    assert [float(generator.target_entropy(progress)) for progress in (0.0, 1.0)] == pytest.approx([expected] * 2)
    assert generator.guidance is not None


@pytest.mark.parametrize("space", [Discrete(4), Box(-1, 1, (2,))])
def test_the_policy_goes_uphill_and_leaves_the_values_alone(make_actor_critic: Any, space: Any) -> None:
    generator, features = made(make_actor_critic, space, learning_rate=3e-3), torch.randn(500, 3)
    values = generator.trained_critic.vector.detach().clone()
    rising = []
    for _ in range(60):
        soft = generator.soft(generator.critic, features, ALPHA)
        generator.improve(generator.trained_policy, generator.policy_optimizer, soft.value, 0.0)
        rising.append(float(soft.value.detach().mean()))
    assert sum(rising[-5:]) > sum(rising[:5]) + 0.01
    assert torch.equal(generator.trained_critic.vector, values)
