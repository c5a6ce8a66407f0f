"""The expert's actions as a guide: whose gradient they give, how they fade, and that every optimiser follows them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gailkit.functional.schedules import constant
from gailkit.generator import ACKTR, TRPO, Generator, Guidance, PolicyGradient, PPOClip, PPOPenalty
from gailkit.generator.guidance import Shown, ShownPairs
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Transitions

Make = Callable[..., Generator]
OPTIMISERS: dict[str, Make] = {
    "pg": partial(PolicyGradient, batch_size=32),
    "ppo-penalty": partial(PPOPenalty, batch_size=32),
    "ppo-clip": partial(PPOClip, batch_size=32),
    "trpo": partial(TRPO, batch_size=32),
    "acktr": partial(ACKTR, batch_size=32),
}
every_optimiser = pytest.mark.parametrize("make", OPTIMISERS.values(), ids=OPTIMISERS.keys())
every_action_space = pytest.mark.parametrize("space", [Discrete(3), Box(-4, 8, (2,))], ids=str)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def expert_of(space: Space[Any], size: int = 6) -> Transitions:
    """In context i the expert takes action i, or the point (i, 2 i) of a Box."""
    obs = torch.arange(size) % 3
    act = obs if isinstance(space, Discrete) else torch.stack((obs, 2 * obs), 1).float()
    return Transitions(obs, act, obs, torch.zeros(size, dtype=torch.bool))


def guidance_of(space: Space[Any], **options: Any) -> Guidance:
    """It gives the same pairs every time."""
    return Guidance(lambda size: shown_of(space, size), **options)


def shown_of(space: Space[Any], size: int) -> ShownPairs:
    return ShownPairs.of(expert_of(space, size), ObservationEncoder(Discrete(3)))


def test_the_guidance_fades_in_proportion_to_what_is_left() -> None:
    guidance = guidance_of(Discrete(3), weight=0.4)
    assert [guidance.strength(progress) for progress in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([0.4, 0.3, 0.2, 0.0])
    assert guidance_of(Discrete(3), weight=0.4, schedule=constant).strength(0.9) == 0.4
    assert len(guidance_of(Discrete(3), batch_size=7).pairs().act) == 7


def test_its_gradient_is_that_of_the_likelihood_of_discrete_actions(make_actor_critic: Any) -> None:
    # d/d logits of -ln softmax(logits)[a] is p - 1_a: that of the last bias is its mean
    model, pairs = make_actor_critic(), expert_of(Discrete(3), 7)
    loss = guidance_of(Discrete(3), weight=0.4).loss(model, shown_of(Discrete(3), 7), 0.5)
    (found,) = torch.autograd.grad(loss, model.policy[-1].bias)
    p = model(pairs.obs).logits.softmax(-1).detach()
    torch.testing.assert_close(found, 0.4 * 0.5 * (p - torch.eye(3)[pairs.act]).mean(0))


def test_its_gradient_is_that_of_the_likelihood_of_means_and_none_of_deviations(make_actor_critic: Any) -> None:
    # d/d mean of -ln N(a; mean, std) is (mean - a) / std^2, with mean = 2 + 6 output and std = 6 e^log_std
    model, pairs = make_actor_critic(Box(-4, 8, (2,))), expert_of(Box(-4, 8, (2,)), 7)
    model.set_log_std(torch.tensor([-0.5, 0.3]))
    loss = guidance_of(Box(-4, 8, (2,)), weight=0.4).loss(model, shown_of(Box(-4, 8, (2,)), 7), 0.5)
    bias, log_std = torch.autograd.grad(loss, [model.policy[-1].bias, model.log_std], allow_unused=True)
    mean = model(pairs.obs).mode().detach()
    expected = (mean - pairs.act) / (36 * torch.tensor([-1.0, 0.6]).exp())
    torch.testing.assert_close(bias, 0.4 * 0.5 * 6 * expected.mean(0))
    assert log_std is None or not log_std.any()


@every_optimiser
def test_an_objective_without_guidance_is_left_as_it_is(make: Make, make_actor_critic: Any) -> None:
    generator, objective = make(make_actor_critic()), torch.tensor(3.0)
    assert generator.expert_pairs() is None
    assert generator.guided(objective, generator.expert_pairs(), 0.0) is objective
    generator.guidance = guidance_of(Discrete(3))
    pairs = generator.expert_pairs()
    assert pairs is not None
    loss = generator.guidance.loss(generator.actor_critic, pairs, 0.25)
    torch.testing.assert_close(generator.guided(objective, pairs, 0.25), objective - loss)
    assert loss > 0


def learn_nothing(generator: Generator, roll_out: Any, progress: float, rollouts: int = 15) -> None:
    """Rollouts in which every action is worth exactly what was expected: none has an advantage."""
    for _ in range(rollouts):
        steps = roll_out(generator)
        value = generator.value(steps.obs.flatten(0, 1)).reshape(steps.shape)
        generator.update(steps, lambda _, value=value: value, progress)


@every_optimiser
@every_action_space
def test_where_rewards_say_nothing_the_policy_moves_towards_the_experts_actions(
    make: Make, space: Space[Any], make_actor_critic: Any, roll_out: Any
) -> None:
    generator = make(make_actor_critic(space))
    generator.actor_critic.set_log_std(-1.0)
    generator.guidance = guidance_of(space)
    expert = expert_of(space)
    before = generator.log_prob(expert.obs, expert.act)
    learn_nothing(generator, roll_out, 0.0)
    assert float((generator.log_prob(expert.obs, expert.act) - before).mean()) > 0.1


@every_optimiser
def test_at_the_end_of_a_training_the_guidance_is_gone(
    make: Make, make_actor_critic: Any, roll_out: Any, vector_of: Any
) -> None:
    generator = make(make_actor_critic())
    generator.guidance = guidance_of(Discrete(3))
    before = vector_of(generator)
    learn_nothing(generator, roll_out, 1.0, rollouts=2)
    assert torch.equal(vector_of(generator), before)


def guided_objective(generator: Generator, surrogate: float, pairs: Shown, progress: float) -> float:
    assert generator.guidance is not None
    with torch.no_grad():
        loss: Tensor = generator.guidance.loss(generator.actor_critic, pairs, progress)
    return surrogate - float(loss)


@given(
    st.integers(0, 2**31),
    st.floats(-4, 0).map(lambda exponent: 10.0**exponent),
    st.sampled_from([Discrete(3), Box(-4, 8, (2,))]),
    st.floats(0.01, 10.0),
    st.floats(0.0, 1.0),
)
@settings(max_examples=30, deadline=None)
def test_the_line_search_of_trpo_never_accepts_a_worse_guided_objective(
    make_actor_critic: Any,
    roll_out: Any,
    vector_of: Any,
    seed: int,
    max_kl: float,
    space: Space[Any],
    weight: float,
    progress: float,
) -> None:
    torch.manual_seed(seed)
    generator = TRPO(make_actor_critic(space, hidden=4), max_kl=max_kl, damping=1e-3, backtracks=3, epochs=1)
    generator.guidance = guidance_of(space, weight=weight)
    pairs = generator.guidance.pairs()
    for _ in range(2):
        steps, old = roll_out(generator, steps=4), vector_of(generator)
        before = guided_objective(generator, 0.0, pairs, progress)
        report = generator.update(steps, lambda steps: torch.randn(steps.shape), progress)
        after = guided_objective(generator, report["surrogate"], pairs, progress)
        if report["step_share"] == 0.0:
            assert torch.equal(vector_of(generator), old)
        else:
            assert after >= before - 1e-5 * (1 + abs(before))
            assert report["kl"] <= max_kl * (1 + 1e-3) + 1e-7


@every_optimiser
def test_advantages_that_hardly_differ_are_not_blown_up_where_there_is_a_least_deviation(
    make: Make, make_actor_critic: Any, roll_out: Any
) -> None:
    found = {}
    for least in (0.0, 1e6):
        torch.manual_seed(0)
        generator = make(make_actor_critic())
        generator.least_deviation = least
        steps = roll_out(generator)
        found[least] = generator.update(steps, lambda steps: 1e-3 * torch.randn(steps.shape))["surrogate"]
    assert abs(found[0.0]) > 1e-5
    assert abs(found[1e6]) < 1e-7
