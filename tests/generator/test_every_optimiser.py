"""What every optimiser owes, whatever its way: known optima, honest reports, and to stay where it should stay."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.errors import DivergenceError
from gailkit.generator import ACKTR, TRPO, Generator, PolicyGradient, PPOClip, PPOPenalty
from gailkit.types import Rollout

Make = Callable[..., Generator]
OPTIMISERS: dict[str, Make] = {
    "pg": partial(PolicyGradient, learning_rate=2e-2, batch_size=32),
    "ppo-penalty": partial(PPOPenalty, learning_rate=5e-3, batch_size=32),
    "ppo-clip": partial(PPOClip, learning_rate=5e-3, batch_size=32),
    "trpo": partial(TRPO, learning_rate=5e-3, batch_size=32, max_kl=0.05),
    "acktr": partial(ACKTR, batch_size=32, max_kl=0.01, max_value_kl=0.1),
}
SPACES = [
    (Discrete(3), Discrete(3)),
    (Discrete(3, start=-1), Discrete(4, start=5)),
    (Discrete(3), Box(-1, 1, (2,))),
    (Box(-np.inf, np.inf, (2,)), Discrete(2)),
    (Box(-1, 1, (2, 2)), Box(0, 5, (2, 3))),
]
every_optimiser = pytest.mark.parametrize("make", OPTIMISERS.values(), ids=OPTIMISERS.keys())
every_space = pytest.mark.parametrize(("observation_space", "action_space"), SPACES, ids=str)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def learn(generator: Generator, roll_out: Any, reward: Callable[[Rollout], Tensor], rollouts: int = 30) -> None:
    """``rollouts`` of 128 episodes of one step each."""
    for number in range(rollouts):
        steps = roll_out(generator)
        generator.update(steps, lambda steps: reward(steps), number / rollouts)


def probabilities(generator: Generator) -> Tensor:
    """pi(a|s) for all contexts and arms, (3, A)."""
    return generator.actor_critic(torch.arange(3)).logits.softmax(-1).detach()


@every_optimiser
def test_it_finds_the_best_arm_of_every_context(make: Make, make_actor_critic: Any, roll_out: Any) -> None:
    generator = make(make_actor_critic())
    learn(generator, roll_out, lambda steps: (steps.act == (steps.obs + 1) % 3).float())
    assert probabilities(generator)[[0, 1, 2], [1, 2, 0]].min() > 0.75


@every_optimiser
def test_the_size_and_the_place_of_the_rewards_do_not_matter(make: Make, make_actor_critic: Any, roll_out: Any) -> None:
    generator = make(make_actor_critic())
    learn(generator, roll_out, lambda steps: -500 - 20 * (steps.act != (steps.obs + 1) % 3).float())
    assert probabilities(generator)[[0, 1, 2], [1, 2, 0]].min() > 0.75


@every_optimiser
def test_it_finds_the_best_continuous_action_of_every_context(
    make: Make, make_actor_critic: Any, roll_out: Any
) -> None:
    generator = make(make_actor_critic(Box(-4, 8, (1,))))
    targets = torch.tensor([0.0, 2.0, 5.0])
    learn(generator, roll_out, lambda steps: -(steps.act.squeeze(-1) - targets[steps.obs]).square())
    distribution = generator.actor_critic(torch.arange(3))
    torch.testing.assert_close(distribution.mode().squeeze(-1).detach(), targets, rtol=0, atol=1.0)
    assert distribution.log_std.exp().item() < 5.0  # of the 6 it began with


@every_optimiser
def test_an_entropy_bonus_holds_the_policy_where_it_outweighs_the_advantages(
    make: Make, make_actor_critic: Any, roll_out: Any
) -> None:
    # Two arms, p of the one that earns 1: standardised advantages differ by 1 / sqrt(p q), the entropy's slope is
    # -c ln(p / q), both times p q in the logit. With c = 1 / (sqrt(p q) ln(p / q)) they balance at p.
    best = 0.7
    spread = math.sqrt(best * (1 - best))
    bonus = 1 / (spread * math.log(best / (1 - best)))
    generator = make(make_actor_critic(Discrete(2)), entropy_bonus=bonus, batch_size=128)
    learn(generator, partial(roll_out, environments=32), lambda steps: (steps.act == 1).float())
    torch.testing.assert_close(probabilities(generator)[:, 1], torch.full((3,), best), rtol=0, atol=0.08)


@every_optimiser
def test_an_action_is_credited_with_what_it_brings_a_step_later(
    make: Make, make_actor_critic: Any, roll_out: Any
) -> None:
    generator = make(make_actor_critic(), gamma=0.9)
    obs = torch.tensor([0, 1]).unsqueeze(-1).expand(2, 64)
    for _ in range(30):
        steps = roll_out(generator, obs=obs)
        steps.terminated[0] = False
        generator.update(steps, lambda steps: torch.stack((torch.zeros(64), (steps.act[0] == 2).float())))
    assert probabilities(generator)[0, 2] > 0.9


@every_optimiser
def test_an_update_climbs_the_policy_gradient(
    make: Make, make_actor_critic: Any, roll_out: Any, gradient_of: Any, vector_of: Any
) -> None:
    generator = make(make_actor_critic(Box(-1, 1, (2,)), Box(-1, 1, (2,))), batch_size=128)
    steps = roll_out(generator)
    rewards = torch.randn(steps.shape)
    gradient = gradient_of(generator, steps, rewards)
    before = vector_of(generator)
    report = generator.update(steps, lambda _: rewards)
    assert float((vector_of(generator) - before).dot(gradient)) > 0
    assert report["surrogate"] > 0


@every_optimiser
def test_the_critic_learns_the_value_of_every_context(make: Make, make_actor_critic: Any, roll_out: Any) -> None:
    generator = make(make_actor_critic())
    learn(generator, roll_out, lambda steps: 100.0 + 10 * steps.obs.float())
    torch.testing.assert_close(generator.value(torch.arange(3)), torch.tensor([100.0, 110.0, 120.0]), rtol=0, atol=2.0)
    steps = roll_out(generator)
    assert generator.update(steps, lambda steps: 100.0 + 10 * steps.obs.float())["explained_variance"] > 0.9


@every_optimiser
def test_where_no_action_has_an_advantage_the_policy_stays_and_the_critic_learns(
    make: Make, make_actor_critic: Any, roll_out: Any, vector_of: Any
) -> None:
    generator = make(make_actor_critic())
    steps = roll_out(generator)
    before, last = vector_of(generator), generator.actor_critic.critic.network[-1]
    last.weight.data.zero_()
    report = generator.update(steps, lambda steps: torch.ones(steps.shape))  # every advantage is 1 - 0
    # a penalty on the KL, 0 here, leaves what rounding makes of its gradient
    torch.testing.assert_close(vector_of(generator), before, rtol=0, atol=1e-8)
    assert report["kl"] == pytest.approx(0.0, abs=1e-7)
    assert last.weight.any()


@every_optimiser
@every_space
def test_what_it_reports_is_what_happened(
    make: Make,
    observation_space: Space[Any],
    action_space: Space[Any],
    make_actor_critic: Any,
    roll_out: Any,
    kl_of: Any,
) -> None:
    generator = make(make_actor_critic(action_space, observation_space))
    steps = roll_out(generator)
    obs, act = steps.obs.flatten(0, 1), steps.act.flatten(0, 1)
    old, value = generator.actor_critic(obs).detach(), generator.value(obs)
    rewards = torch.randn(steps.shape)
    report = generator.update(steps, lambda _: rewards)
    new = generator.actor_critic(obs).detach()
    advantages = rewards.flatten() - value
    advantages = (advantages - advantages.mean()) / advantages.std()
    assert report["kl"] == pytest.approx(float(kl_of(old, new)), rel=1e-3, abs=1e-7)
    assert report["kl"] > 1e-6
    weighted = ((new.log_prob(act) - old.log_prob(act)).exp() * advantages).mean()
    assert report["surrogate"] == pytest.approx(float(weighted), rel=1e-3, abs=1e-6)
    assert report["entropy"] == pytest.approx(float(new.entropy().mean()), rel=1e-5)
    values, returns = generator.value(obs).double(), rewards.flatten().double()
    error = (values - returns).square().mean() / 2 / generator.actor_critic.critic.variance
    assert report["value_loss"] == pytest.approx(float(error), rel=1e-3)
    residual = (rewards.flatten() - value).var() / rewards.var()
    assert report["explained_variance"] == pytest.approx(float(1 - residual), rel=1e-3, abs=1e-5)
    assert all(type(value) is float and math.isfinite(value) for value in report.values())


@every_optimiser
@every_space
def test_the_same_seed_gives_the_same_update(
    make: Make,
    observation_space: Space[Any],
    action_space: Space[Any],
    make_actor_critic: Any,
    roll_out: Any,
    vector_of: Any,
) -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        generator = make(make_actor_critic(action_space, observation_space))
        steps = roll_out(generator)
        report = generator.update(steps, lambda steps: torch.randn(steps.shape))
        results.append((vector_of(generator), generator.value(steps.obs.flatten(0, 1)), report))
    (one, its_values, its_report), (other, other_values, other_report) = results
    assert torch.equal(one, other)
    assert torch.equal(its_values, other_values)
    assert its_report == other_report


@every_optimiser
@pytest.mark.parametrize("action_space", [Discrete(3), Box(-1, 1, (2,))], ids=str)
def test_a_stored_generator_goes_on_as_if_it_had_never_stopped(
    make: Make, action_space: Space[Any], make_actor_critic: Any, roll_out: Any, vector_of: Any
) -> None:
    original = make(make_actor_critic(action_space))
    for _ in range(3):
        steps = roll_out(original)
        original.update(steps, lambda steps: torch.randn(steps.shape))
    restored = make(make_actor_critic(action_space))
    restored.load_state_dict(copy.deepcopy(original.state_dict()))
    results = []
    for generator in (original, restored):
        torch.manual_seed(1)
        reports = []
        for _ in range(2):
            steps = roll_out(generator)
            reports.append(generator.update(steps, lambda steps: torch.randn(steps.shape), 0.5))
        results.append((vector_of(generator), generator.value(torch.arange(3)), reports))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert results[0][2] == results[1][2]


@every_optimiser
def test_an_update_leaves_the_statistics_of_the_observations_alone(
    make: Make, make_actor_critic: Any, roll_out: Any
) -> None:
    generator = make(make_actor_critic(observation_space=Box(-np.inf, np.inf, (1,))))
    before = copy.deepcopy(generator.actor_critic.encoder.state_dict())
    steps = roll_out(generator)
    generator.update(steps, lambda steps: torch.randn(steps.shape))
    assert all(torch.equal(value, before[name]) for name, value in generator.actor_critic.encoder.state_dict().items())


@every_optimiser
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_reward_that_is_not_finite_does_not_go_unnoticed(
    make: Make, bad: float, make_actor_critic: Any, roll_out: Any
) -> None:
    generator = make(make_actor_critic())
    steps = roll_out(generator)
    rewards = torch.zeros(steps.shape)
    rewards[3, 2] = bad
    try:
        report = generator.update(steps, lambda _: rewards)
    except DivergenceError:
        return
    assert not all(math.isfinite(value) for value in report.values())


@every_optimiser
@pytest.mark.parametrize("bounds", ["clip", "tanh"])
@pytest.mark.parametrize("std", ["free", "state"])
def test_whatever_the_head_it_reports_how_far_the_policy_moved(
    make: Make, std: str, bounds: str, make_actor_critic: Any, roll_out: Any, kl_of: Any
) -> None:
    generator = make(make_actor_critic(Box(-1, 1, (2,)), Box(-np.inf, np.inf, (3,)), std=std, bounds=bounds))
    steps = roll_out(generator)
    obs = steps.obs.flatten(0, 1)
    old = copy.deepcopy(generator.actor_critic)(obs).detach()
    report = generator.update(steps, lambda steps: steps.act.square().sum(-1))
    exact = float(kl_of(old, generator.actor_critic(obs).detach()))
    assert report["kl"] == pytest.approx(exact, rel=1e-2)
    assert exact > 1e-4
