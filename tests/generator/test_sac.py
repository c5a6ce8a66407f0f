"""Soft values against sums and integrals, the sign of alpha, and how much entropy it is to keep."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from gymnasium.spaces import Box, Discrete

from gailkit.functional.q_learning import Ahead
from gailkit.generator import SAC, Guidance
from gailkit.generator.guidance import ShownPairs, measured_apart
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


def pairs_of(generator: SAC, count: int) -> Transitions:
    """States, and what the policy itself does in them."""
    obs = torch.randn(count, 3)
    act = generator.actor_critic(obs).detach().sample()
    return Transitions(obs, act, obs, torch.zeros(count, dtype=torch.bool))


@pytest.mark.parametrize("space", [Discrete(4), Box(-10, 1, (2,))])
def test_the_target_goes_from_the_entropy_of_the_clone_to_that_of_the_expert(
    make_actor_critic: Any, space: Any
) -> None:
    generator = made(make_actor_critic, space)
    pairs = pairs_of(generator, 50)
    own = float(generator.actor_critic(pairs.obs).entropy().mean().detach())
    generator.guide(Guidance(lambda count: ShownPairs.of(pairs, generator.actor_critic.encoder)))
    assert [float(generator.target_entropy(progress)) for progress in (0.0, 1.0)] == pytest.approx([own, own])
    assert generator.guidance is not None
    generator.last_entropy.fill_(own - 2.0)
    found = [float(generator.target_entropy(progress)) for progress in (0.0, 0.25, 1.0)]
    assert found == pytest.approx([own, own - 0.5, own - 2.0], rel=1e-5)


@pytest.mark.parametrize("deviation", [0.03, 0.5])
def test_the_entropy_of_a_box_expert_is_that_of_its_deviation_whatever_the_policys(
    make_actor_critic: Any, deviation: float
) -> None:
    """A normal distribution in two dimensions, in a Box of half-width 5: d (ln 5 deviation + 1/2 ln 2 pi e)."""
    generator = made(make_actor_critic, Box(-5, 5, (2,)))
    with torch.no_grad():
        generator.actor_critic.policy[-1].weight.mul_(0.01)
    generator.actor_critic.set_log_std(-1.0)
    pairs = pairs_of(generator, 5000)
    acted = generator.actor_critic(pairs.obs).mode().detach()
    pairs = replace(pairs, act=acted + 5 * deviation * torch.randn_like(acted))
    expected = 2 * (math.log(5 * deviation) + 0.5 * math.log(2 * math.pi * math.e))
    assert float(generator.entropy_of(pairs)) == pytest.approx(expected, abs=0.15 if deviation == 0.5 else 0.05)


def test_the_entropy_of_a_discrete_expert_is_the_policys_own_where_it_acts_like_it_and_never_more_than_any(
    make_actor_critic: Any,
) -> None:
    generator = made(make_actor_critic, Discrete(4, start=2))
    with torch.no_grad():
        generator.actor_critic.policy[-1].weight.mul_(300.0)
    pairs = pairs_of(generator, 5000)
    own = float(generator.actor_critic(pairs.obs).entropy().mean().detach())
    assert own < 1.3
    assert float(generator.entropy_of(pairs)) == pytest.approx(own, abs=0.05)
    other = replace(pairs, act=2 + torch.randint(4, (5000,)))
    assert float(generator.entropy_of(other)) == pytest.approx(math.log(4))


def test_what_is_measured_on_takes_no_part_in_the_guidance() -> None:
    expert = Transitions(*(torch.arange(100.0).unsqueeze(-1) for _ in range(3)), torch.zeros(100, dtype=torch.bool))
    torch.manual_seed(0)
    measured, draw = measured_apart(expert, 3)
    seen, guiding = set(measured.obs.flatten().tolist()), set(draw(5000).obs.flatten().tolist())
    assert (len(seen), len(guiding), seen & guiding) == (30, 70, set())
    assert torch.equal(measured_apart(expert, 3)[0].obs, measured.obs)  # of a run that goes on
    alone, draw = measured_apart(expert[torch.tensor([7])], 3)
    assert alone.obs.tolist() == draw(1).obs.tolist() == [[7.0]]


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
