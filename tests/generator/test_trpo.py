"""TRPO: the natural gradient of a dense solve, within the trust region, or not a step at all."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gailkit.errors import DivergenceError
from gailkit.functional.schedules import linear
from gailkit.generator import TRPO
from gailkit.generator.trpo import SHRINK
from gailkit.networks.distributions import ActionDistribution

SHRINKS = {"backtracks": 1, "damping": 1e-6, "max_kl": 4.0}  # see rewards_for_precision
every_action_space = pytest.mark.parametrize("action_space", [Discrete(3), Box(-1, 1, (2,))], ids=str)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def dense_fisher(generator: TRPO, obs: Tensor) -> Tensor:
    """The Hessian of the mean KL in the policy's parameters, (P, P), by double differentiation."""
    parameters = generator.actor_critic.policy_parameters()
    distribution: ActionDistribution = generator.actor_critic(obs)
    slopes = torch.autograd.grad(distribution.detach().kl(distribution).mean(), parameters, create_graph=True)
    gradient = torch.cat([slope.flatten() for slope in slopes])
    rows = [torch.autograd.grad(slope, parameters, retain_graph=True) for slope in gradient]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])


@every_action_space
@pytest.mark.parametrize("stride", [1, 5])
def test_an_update_is_the_natural_gradient_of_a_dense_solve_scaled_to_the_trust_region(
    action_space: Space[Any], stride: int, make_actor_critic: Any, roll_out: Any, gradient_of: Any, vector_of: Any
) -> None:
    model = make_actor_critic(action_space, hidden=4)
    model.policy[-1].weight.data.normal_()
    generator = TRPO(model, max_kl=1e-3, damping=0.1, cg_iterations=60, fisher_stride=stride)
    steps = roll_out(generator)
    rewards = torch.randn(steps.shape)
    gradient = gradient_of(generator, steps, rewards).double()
    drawn = torch.get_rng_state()
    states = steps.obs.flatten(0, 1)[torch.randperm(128)[: -(-128 // stride)]]
    fisher = dense_fisher(generator, states).double()
    damped = fisher + 0.1 * torch.eye(len(fisher))
    direction = torch.linalg.solve(damped, gradient)
    longest = direction * (2 * 1e-3 / direction.dot(damped @ direction)).sqrt()
    before = vector_of(generator)
    torch.set_rng_state(drawn)
    share = generator.update(steps, lambda _: rewards)["step_share"]
    assert share > 0
    torch.testing.assert_close((vector_of(generator) - before).double(), share * longest, rtol=2e-3, atol=2e-5)


@given(
    st.integers(0, 2**31),
    st.floats(-5, 1).map(lambda exponent: 10.0**exponent),
    st.integers(1, 6),
    st.sampled_from([Discrete(2), Discrete(5), Box(-1, 1, (1,)), Box(0, 5, (2, 2))]),
    st.sampled_from(["clip", "tanh"]),
    st.sampled_from([0.0, 0.01, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_an_update_keeps_to_the_trust_region_and_does_not_lower_its_objective_or_changes_nothing(
    make_actor_critic: Any,
    roll_out: Any,
    kl_of: Any,
    vector_of: Any,
    seed: int,
    max_kl: float,
    backtracks: int,
    action_space: Space[Any],
    bounds: str,
    bonus: float,
) -> None:
    torch.manual_seed(seed)
    model = make_actor_critic(action_space, hidden=4, bounds=bounds if isinstance(action_space, Box) else "clip")
    generator = TRPO(model, max_kl=max_kl, damping=1e-3, backtracks=backtracks, epochs=1, entropy_bonus=bonus)
    for number in range(3):
        steps = roll_out(generator, steps=4)
        obs, before, old = steps.obs.flatten(0, 1), vector_of(generator), model(steps.obs.flatten(0, 1)).detach()
        failures = int(generator.failures)
        report = generator.update(steps, lambda steps, power=number + 1: torch.randn(steps.shape) ** power)
        new = model(obs).detach()
        if report["step_share"] == 0.0:
            assert torch.equal(vector_of(generator), before)
            assert int(generator.failures) == failures + 1
        else:
            assert int(generator.failures) == failures
            assert float(kl_of(old, new)) <= max_kl * (1 + 1e-3) + 1e-7
            gained = report["surrogate"] + bonus * float(new.entropy().mean() - old.entropy().mean())
            assert gained >= -1e-6 - 4e-6 * bonus  # the rounding of an entropy
            assert not torch.equal(vector_of(generator), before)


def rewards_for_precision(act: Tensor) -> Tensor:
    """The nearer to 0 the better: shrink the deviation by a factor e^-x, of which the KL, (e^2x - 1) / 2 - x, is larger
    than its second order, x^2. So a step that should reach the edge of the trust region goes beyond it."""
    return -act.squeeze(-1).square()


def focusing(make_actor_critic: Any, roll_out: Any, **options: float) -> tuple[TRPO, Any, Tensor]:
    generator = TRPO(make_actor_critic(Box(-1, 1, (1,))), **{**SHRINKS, **options})
    steps = roll_out(generator)
    return generator, steps, rewards_for_precision(steps.act)


def test_a_line_search_that_fails_leaves_the_policy_as_it_was_and_is_counted(
    make_actor_critic: Any, roll_out: Any, vector_of: Any
) -> None:
    generator, steps, rewards = focusing(make_actor_critic, roll_out)
    before, values = vector_of(generator), generator.value(torch.arange(3))
    reports = [generator.update(steps, lambda _: rewards) for _ in range(3)]
    assert torch.equal(vector_of(generator), before)
    assert [report["line_search_failures"] for report in reports] == [1.0, 2.0, 3.0]
    assert [report["step_share"] for report in reports] == [0.0, 0.0, 0.0]
    assert reports[0]["kl"] == 0.0
    assert not torch.equal(generator.value(torch.arange(3)), values)  # what the critic learns does not depend on it


def test_a_longer_search_finds_a_shorter_step(make_actor_critic: Any, roll_out: Any, vector_of: Any) -> None:
    generator, steps, rewards = focusing(make_actor_critic, roll_out, backtracks=10)
    before = vector_of(generator)
    report = generator.update(steps, lambda _: rewards)
    assert report["step_share"] in {SHRINK**k for k in range(1, 10)}
    assert report["line_search_failures"] == 0.0
    assert 0.0 < report["kl"] <= SHRINKS["max_kl"]
    assert not torch.equal(vector_of(generator), before)


def test_failures_are_part_of_what_is_stored(make_actor_critic: Any, roll_out: Any) -> None:
    original, steps, rewards = focusing(make_actor_critic, roll_out)
    original.update(steps, lambda _: rewards)
    restored, _, _ = focusing(make_actor_critic, roll_out)
    restored.load_state_dict(copy.deepcopy(original.state_dict()))
    assert restored.update(steps, lambda _: rewards)["line_search_failures"] == 2.0


def test_rewards_that_are_no_numbers_move_nothing(make_actor_critic: Any, roll_out: Any, vector_of: Any) -> None:
    generator = TRPO(make_actor_critic())
    steps, before = roll_out(generator), vector_of(generator)
    with pytest.raises(DivergenceError, match="the loss of the policy became NaN or infinite"):
        generator.update(steps, lambda steps: torch.full(steps.shape, math.nan))
    assert torch.equal(vector_of(generator), before)


def test_where_no_action_has_an_advantage_there_is_nothing_to_search(
    make_actor_critic: Any, roll_out: Any, vector_of: Any
) -> None:
    generator = TRPO(make_actor_critic())
    steps, before = roll_out(generator), vector_of(generator)
    generator.actor_critic.critic.network[-1].weight.data.zero_()  # V = 0, and every advantage is 1
    report = generator.update(steps, lambda steps: torch.ones(steps.shape))
    assert torch.equal(vector_of(generator), before)
    assert report["step_share"] == 0.0
    assert report["line_search_failures"] == 0.0


def test_a_larger_trust_region_is_used(make_actor_critic: Any, roll_out: Any) -> None:
    led = []
    for max_kl in (1e-4, 1e-2):
        torch.manual_seed(0)
        generator = TRPO(make_actor_critic(), max_kl=max_kl, damping=1e-4)
        steps = roll_out(generator)
        led.append(generator.update(steps, lambda steps: (steps.act == 0).float())["kl"])
        assert 0.1 * max_kl < led[-1] <= max_kl
    assert led[1] > 10 * led[0]


def test_the_value_function_follows_adam_in_minibatches_and_its_schedule(
    make_actor_critic: Any, roll_out: Any, vector_of: Any
) -> None:
    # 128 steps are minibatches of 50, 50 and 28; at the end of the schedule they change nothing
    generator = TRPO(make_actor_critic(), epochs=4, batch_size=50, learning_rate_schedule=linear)
    steps = roll_out(generator)
    values, policy = generator.value(torch.arange(3)), vector_of(generator)
    generator.update(steps, lambda steps: torch.randn(steps.shape), progress=1.0)
    (state,) = generator.optimizer.state.values()
    assert int(state["step"]) == 12
    torch.testing.assert_close(generator.value(torch.arange(3)), values)
    assert not torch.equal(vector_of(generator), policy)


def test_what_it_reports(make_actor_critic: Any, roll_out: Any) -> None:
    generator = TRPO(make_actor_critic())
    steps = roll_out(generator)
    report = generator.update(steps, lambda steps: torch.randn(steps.shape))
    own = {"step_share", "line_search_failures"}
    assert set(report) == {"surrogate", "kl", "entropy", "value_loss", "explained_variance"} | own
