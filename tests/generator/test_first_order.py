"""Optimisers that follow a gradient: with plain gradient descent in the place of Adam their steps are known exactly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.functional.schedules import constant, linear
from gailkit.generator import PolicyGradient, PPOClip, PPOPenalty
from gailkit.generator.first_order import FirstOrderGenerator

Make = Callable[..., FirstOrderGenerator]
ONE_PASS: dict[str, Make] = {
    "pg": PolicyGradient,
    "ppo-penalty": partial(PPOPenalty, epochs=1),
    "ppo-clip": partial(PPOClip, epochs=1),
}
SEVERAL_PASSES: dict[str, Make] = {"ppo-penalty": PPOPenalty, "ppo-clip": PPOClip}
one_pass = pytest.mark.parametrize("make", ONE_PASS.values(), ids=ONE_PASS.keys())
several_passes = pytest.mark.parametrize("make", SEVERAL_PASSES.values(), ids=SEVERAL_PASSES.keys())
every_action_space = pytest.mark.parametrize("action_space", [Discrete(3), Box(-1, 1, (2,))], ids=str)
WHOLE = 128  # steps of a rollout


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def descending(generator: FirstOrderGenerator) -> FirstOrderGenerator:
    """With theta <- theta - rate * gradient for Adam."""
    generator.optimizer = torch.optim.SGD([generator.trained.vector])
    return generator


@one_pass
@every_action_space
def test_the_first_step_is_the_plain_policy_gradient(
    make: Make, action_space: Space[Any], make_actor_critic: Any, roll_out: Any, gradient_of: Any, vector_of: Any
) -> None:
    model = make_actor_critic(action_space)
    generator = descending(make(model, learning_rate=0.1, batch_size=WHOLE, max_gradient_norm=1e6))
    steps = roll_out(generator)
    rewards = torch.randn(steps.shape)
    before, gradient = vector_of(generator), gradient_of(generator, steps, rewards)
    generator.update(steps, lambda _: rewards)
    torch.testing.assert_close(vector_of(generator) - before, 0.1 * gradient, rtol=1e-3, atol=1e-6)
    assert gradient.norm() > 0.01


@one_pass
def test_a_gradient_that_is_too_long_is_shortened(
    make: Make, make_actor_critic: Any, roll_out: Any, vector_of: Any
) -> None:
    generator = descending(make(make_actor_critic(), learning_rate=1.0, batch_size=WHOLE, max_gradient_norm=1e-3))
    steps = roll_out(generator)
    before = generator.trained.vector.detach().clone()
    learned = set(generator.trained.parameters)
    assert learned >= set(generator.actor_critic.policy_parameters())
    assert learned >= set(generator.actor_critic.critic.parameters())
    rewards = torch.randn(steps.shape)
    rewards = (rewards - rewards.mean()) / rewards.std(correction=0)  # the critic's last layer need not be corrected
    generator.update(steps, lambda _: rewards)
    moved = generator.trained.vector.detach() - before
    assert float(moved.norm()) == pytest.approx(1e-3, rel=0.01)


@one_pass
def test_the_entropy_bonus_adds_the_gradient_of_the_entropy(
    make: Make, make_actor_critic: Any, roll_out: Any, vector_of: Any
) -> None:
    moved = []
    for bonus in (0.0, 2.0):
        torch.manual_seed(0)
        model = make_actor_critic(Discrete(3))
        model.policy[-1].weight.data.normal_()  # at equal probabilities the entropy has no gradient
        generator = descending(
            make(model, learning_rate=0.1, batch_size=WHOLE, max_gradient_norm=1e6, entropy_bonus=bonus)
        )
        steps = roll_out(generator)
        entropy = model(steps.obs.flatten()).entropy().mean()
        slopes = torch.autograd.grad(entropy, model.policy_parameters())
        before = vector_of(generator)
        generator.update(steps, lambda steps: torch.randn(steps.shape))
        moved.append(vector_of(generator) - before)
    expected = 0.1 * 2.0 * torch.cat([slope.flatten() for slope in slopes])
    torch.testing.assert_close(moved[1] - moved[0], expected, rtol=1e-3, atol=1e-6)
    assert expected.norm() > 0.01


@one_pass
@pytest.mark.parametrize(("schedule", "share"), [(linear, 0.25), (constant, 1.0)])
def test_the_learning_rate_follows_its_schedule(
    make: Make,
    schedule: Callable[[float], float],
    share: float,
    make_actor_critic: Any,
    roll_out: Any,
    vector_of: Any,
) -> None:
    # the first step of Adam, as of descent, is proportional to its rate
    moved = []
    for progress in (0.0, 0.75):
        torch.manual_seed(0)
        generator = make(make_actor_critic(), batch_size=WHOLE, learning_rate_schedule=schedule)
        before, steps = vector_of(generator), roll_out(generator)
        generator.update(steps, lambda steps: torch.randn(steps.shape), progress)
        moved.append(vector_of(generator) - before)
    torch.testing.assert_close(moved[1], share * moved[0], rtol=1e-2, atol=1e-6)
    assert moved[0].abs().max() > 1e-4


@one_pass
def test_at_the_end_of_a_linear_schedule_an_update_changes_nothing(
    make: Make, make_actor_critic: Any, roll_out: Any, vector_of: Any
) -> None:
    generator = make(make_actor_critic(), learning_rate_schedule=linear)
    before, values = vector_of(generator), generator.value(torch.arange(3))
    steps = roll_out(generator)
    generator.update(steps, lambda steps: torch.randn(steps.shape), progress=1.0)
    assert torch.equal(vector_of(generator), before)
    torch.testing.assert_close(generator.value(torch.arange(3)), values)


def steps_taken(generator: FirstOrderGenerator) -> int:
    (state,) = generator.optimizer.state.values()
    return int(state["step"])


@several_passes
def test_every_pass_goes_over_the_whole_rollout_in_minibatches(
    make: Make, make_actor_critic: Any, roll_out: Any
) -> None:
    # 128 steps are minibatches of 50, 50 and 28; four passes
    generator = make(make_actor_critic(), epochs=4, batch_size=50)
    steps = roll_out(generator)
    report = generator.update(steps, lambda steps: torch.randn(steps.shape))
    assert steps_taken(generator) == 12
    assert report["epochs"] == 4.0


def passes(generator: FirstOrderGenerator, roll_out: Any) -> dict[str, float]:
    """What it reports of an update that gives it every reason to move."""
    steps = roll_out(generator)
    return generator.update(steps, lambda steps: (steps.act == 0).float())


@several_passes
def test_no_pass_follows_one_that_moved_too_far(make: Make, make_actor_critic: Any, roll_out: Any) -> None:
    settings = {"epochs": 20, "batch_size": WHOLE, "learning_rate": 3e-3, "max_gradient_norm": 10.0}
    generator = make(make_actor_critic(), target_kl=3e-3, **settings)
    report = passes(generator, roll_out)
    assert 1 < report["epochs"] < 20
    assert steps_taken(generator) == report["epochs"]
    assert report["kl"] > 3e-3
    torch.manual_seed(0)
    one_less = make(make_actor_critic(), **{**settings, "epochs": int(report["epochs"]) - 1})
    assert passes(one_less, roll_out)["kl"] <= 3e-3


@several_passes
def test_a_target_that_is_never_exceeded_and_no_target_stop_nothing(
    make: Make, make_actor_critic: Any, roll_out: Any
) -> None:
    reports = []
    for target in (0.0, 1e6):
        torch.manual_seed(0)
        generator = make(make_actor_critic(), target_kl=target, epochs=20, learning_rate=1e-2)
        reports.append(passes(generator, roll_out))
    assert reports[0]["epochs"] == reports[1]["epochs"] == 20.0
    assert reports[0] == reports[1]
    assert reports[0]["kl"] > 3e-3


@several_passes
def test_the_target_holds_for_every_update_anew(make: Make, make_actor_critic: Any, roll_out: Any) -> None:
    generator = make(make_actor_critic(), target_kl=1e-9, epochs=5, learning_rate=1e-2, batch_size=WHOLE)
    assert [passes(generator, roll_out)["epochs"] for _ in range(3)] == [1.0, 1.0, 1.0]


def test_a_new_one_needs_an_objective_and_what_follows_and_no_more(make_actor_critic: Any, roll_out: Any) -> None:
    class Deterrent(FirstOrderGenerator):
        """Makes all that it did rarer."""

        def objective(self, distribution: Any, batch: Any, progress: float) -> Tensor:
            return -distribution.log_prob(batch.act).mean()

        def conclude(self, batch: Any, told: Any, progress: float) -> dict[str, float]:
            return {"progress": progress, "kl again": told["kl"]}

    generator = Deterrent(
        make_actor_critic(),
        gamma=0.9,
        lam=0.9,
        epochs=3,
        batch_size=64,
        learning_rate=1e-2,
        learning_rate_schedule=constant,
        entropy_bonus=0.0,
        max_gradient_norm=1.0,
        target_kl=0.0,
    )
    steps = roll_out(generator, obs=torch.zeros(16, 8, dtype=torch.int64))
    before = generator.log_prob(steps.obs.flatten(), steps.act.flatten()).mean()
    report = generator.update(steps, lambda steps: torch.zeros(steps.shape), 0.4)
    assert generator.log_prob(steps.obs.flatten(), steps.act.flatten()).mean() < before
    assert report["progress"] == 0.4
    assert report["kl again"] == report["kl"]
