"""Losses of a discriminator, on toys whose logits and gradients are known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from gailkit.discriminator import (
    AdversarialLoss,
    CrossEntropyLoss,
    Discriminator,
    DiscriminatorLoss,
    GradientPenalisedLoss,
    Weights,
    with_gradient_penalty,
)
from gailkit.discriminator.losses import optimal_logit, weighted
from gailkit.errors import InputError
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Transitions

BOX = Box(-1, 1, (2,))
DISCRETE = Discrete(2)


class Linear(Discriminator):
    """z = w_obs . obs + w_act . act: its gradient is (w_obs, w_act) everywhere."""

    def __init__(self, w_obs: list[float], w_act: list[float], action_space: Space[object] = BOX) -> None:
        super().__init__(ObservationEncoder(Box(-np.inf, np.inf, (len(w_obs),))), action_space)
        self.w_obs, self.w_act = nn.Parameter(torch.tensor(w_obs)), nn.Parameter(torch.tensor(w_act))

    def logits(self, encoded: Transitions) -> Tensor:
        return encoded.obs @ self.w_obs + encoded.act @ self.w_act


class Parabola(Discriminator):
    """z = x^2 / 2: the slope at x is x."""

    def __init__(self) -> None:
        super().__init__(ObservationEncoder(Box(-np.inf, np.inf, (1,))), DISCRETE)

    def logits(self, encoded: Transitions) -> Tensor:
        return encoded.obs.square().sum(-1) / 2


def batch(size: int, obs: float | None = None, features: int = 2) -> Transitions:
    """Encoded transitions, at random or all at ``obs``."""
    o = torch.randn(size, features) if obs is None else torch.full((size, features), obs)
    return Transitions(o, torch.randn(size, 2), o + 1, torch.zeros(size, dtype=torch.bool))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def penalty(discriminator: Discriminator, expert: Transitions, policy: Transitions, weight: float) -> float:
    """What the gradient penalty adds to a loss."""
    plain = CrossEntropyLoss()
    wrapped = with_gradient_penalty(plain, weight)
    return (wrapped(discriminator, expert, policy) - plain(discriminator, expert, policy)).item()


def test_the_losses_by_hand() -> None:
    # real logits 2 and 0, fake logits -1: D = 0.8808, 0.5 and 0.2689
    model = Linear([1.0], [0.0, 0.0])
    expert, policy = batch(2, 2.0, features=1), batch(1, -1.0, features=1)
    expert.obs[1] = 0.0
    real = (math.log(1 - 0.880797) + math.log(0.5)) / 2
    adversarial = real + math.log(0.268941)
    assert AdversarialLoss(1.0)(model, expert, policy).item() == pytest.approx(adversarial + 1.5, abs=1e-4)
    # kappa / 2 (mean(4, 0) + 1) = 3 kappa / 2
    assert AdversarialLoss(0.5)(model, expert, policy).item() == pytest.approx(adversarial + 0.75, abs=1e-4)
    cross_entropy = -(math.log(0.880797) + math.log(0.5)) / 2 - math.log(1 - 0.268941)
    assert CrossEntropyLoss()(model, expert, policy).item() == pytest.approx(cross_entropy, abs=1e-4)


@pytest.mark.parametrize("loss", [AdversarialLoss(), CrossEntropyLoss(), with_gradient_penalty(AdversarialLoss(), 1.0)])
def test_descending_a_loss_raises_the_experts_logit_and_lowers_the_policys(loss: DiscriminatorLoss) -> None:
    model = Linear([0.0], [0.0, 0.0])
    loss(model, batch(4, 1.0, features=1), batch(4, -1.0, features=1)).backward()
    assert model.w_obs.grad is not None
    assert model.w_obs.grad.item() < 0.0  # w grows: +1, the expert's place, gets the higher logit


every_loss = pytest.mark.parametrize("loss", [AdversarialLoss(0.3), AdversarialLoss(1.0), CrossEntropyLoss()])


def in_one_place(loss: DiscriminatorLoss, z: float, share: float, weights: Weights) -> float:
    """The loss of logit z there, where ten transitions of the two sides are, ``share`` of them the expert's.

    F weighs the sides by their means, so each side is filled up to ten with transitions of logit 0.
    """
    model = Linear([1.0], [0.0, 0.0])
    here, elsewhere = torch.tensor([[z]]), torch.tensor([[0.0]])
    expert, policy = round(10 * share), 10 - round(10 * share)
    sides = [torch.cat((here.expand(n, 1), elsewhere.expand(10 - n, 1))) for n in (expert, policy)]
    act, ended = torch.zeros(10, 2), torch.zeros(10, dtype=torch.bool)
    real, fake = (Transitions(obs, act, obs, ended) for obs in sides)
    return weighted(loss, model.double(), _double(real), _double(fake), weights).item()


@every_loss
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("weights", [Weights(), Weights(1.6, 0.4), Weights(0.3, 1.7)])
def test_the_optimal_logit_is_where_the_loss_is_stationary(
    loss: DiscriminatorLoss, share: float, weights: Weights
) -> None:
    ours, theirs = weights.expert * share, weights.policy * (1 - share)
    optimum = loss.optimal_logit(ours / (ours + theirs))

    def at(z: float) -> float:
        return in_one_place(loss, z, share, weights)

    assert (at(optimum + 1e-3) - at(optimum - 1e-3)) / 2e-3 == pytest.approx(0.0, abs=1e-5)
    assert at(optimum) < min(at(optimum + 0.1), at(optimum - 0.1))


def _double(steps: Transitions) -> Transitions:
    return Transitions(steps.obs.double(), steps.act.double(), steps.next_obs.double(), steps.terminated)


@every_loss
def test_equal_weights_leave_a_loss_as_it_is(loss: DiscriminatorLoss) -> None:
    model, expert, policy = Linear([1.0, -0.3], [0.5, 0.2]), batch(6), batch(4)
    assert torch.equal(weighted(loss, model, expert, policy, Weights()), loss(model, expert, policy))


@every_loss
def test_weights_pass_through_wrappers_and_leave_the_gradient_penalty_alone(loss: DiscriminatorLoss) -> None:
    # |w| = 3: the penalty is 0.7 (3 - 1)^2 for each of the two, whatever the weights
    model, expert, policy = Linear([2.0, 1.0], [2.0, 0.0]), batch(8), batch(8)
    twice = with_gradient_penalty(with_gradient_penalty(loss, 0.7), 0.7)
    weights = Weights(1.8, 0.2)
    added = weighted(twice, model, expert, policy, weights) - weighted(loss, model, expert, policy, weights)
    assert added.item() == pytest.approx(2 * 0.7 * 4, rel=1e-4)
    assert weighted(loss, model, expert, policy, weights) != loss(model, expert, policy)


class Plain:
    """A loss of somebody's own, who knows nothing of weights: the gap of the mean logits."""

    def __call__(self, discriminator: Discriminator, expert: Transitions, policy: Transitions) -> Tensor:
        return discriminator.logits(policy).mean() - discriminator.logits(expert).mean()

    def optimal_logit(self, share: float) -> float:
        return 0.0


def test_a_loss_that_knows_no_weights_is_called_without_them() -> None:
    model, expert, policy = Linear([2.0, 1.0], [2.0, 0.0]), batch(8), batch(8)
    gap = Plain()(model, expert, policy)
    assert torch.equal(weighted(Plain(), model, expert, policy, Weights(1.8, 0.2)), gap)
    wrapped = weighted(with_gradient_penalty(Plain(), 0.7), model, expert, policy, Weights(1.8, 0.2))
    assert (wrapped - gap).item() == pytest.approx(0.7 * 4, rel=1e-4)


def test_the_penalty_of_a_steep_linear_discriminator_is_its_excess_slope_squared() -> None:
    # |w| = sqrt(2^2 + 1 + 2^2) = 3: 0.7 (3 - 1)^2, whatever the points, and whatever the batch sizes
    model = Linear([2.0, 1.0], [2.0, 0.0])
    assert penalty(model, batch(8), batch(8), 0.7) == pytest.approx(0.7 * 4, rel=1e-5)
    assert penalty(model, batch(3), batch(8), 0.7) == pytest.approx(0.7 * 4, rel=1e-5)
    assert penalty(model, batch(8), batch(3), 0.7) == pytest.approx(0.7 * 4, rel=1e-5)


class Bright(Discriminator):
    """z = a x^2 / 2 summed over the pixels x of a picture: the slope is a |x|."""

    def __init__(self) -> None:
        super().__init__(ObservationEncoder(Box(0, 255, (16, 16), np.uint8)), DISCRETE)

    def logits(self, encoded: Transitions) -> Tensor:
        return encoded.obs.square().sum(-1) / 2


def test_of_pictures_a_part_stands_for_all() -> None:
    """Pairs of equal pictures k / 16 everywhere have the slope k: all of them give the mean of (k - 1)^2, 0 at k = 0,
    and a quarter gives that in the mean of many draws, its deviation as that of 2 of 8 without replacement."""
    slopes = torch.arange(8.0)
    obs = (slopes / 16)[:, None].expand(8, 256).contiguous()
    pairs = Transitions(obs, torch.zeros(8, 2), obs, torch.zeros(8, dtype=torch.bool))
    model, each = Bright(), (slopes - 1).clamp(min=0).square()
    draws, share = 3000, 2 / 8
    found = torch.tensor([penalty(model, pairs, pairs, 1.0) for _ in range(draws)])
    deviation = float(each.std() * ((1 - share) / 2) ** 0.5)
    assert float(found.mean()) == pytest.approx(float(each.mean()), abs=4 * deviation / draws**0.5)
    assert float(found.std()) == pytest.approx(deviation, rel=0.1)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_of_few_pictures_one_at_least_counts(size: int) -> None:
    obs = torch.full((size, 256), 3.0 / 16)
    pairs = Transitions(obs, torch.zeros(size, 2), obs, torch.zeros(size, dtype=torch.bool))
    assert penalty(Bright(), pairs, pairs, 1.0) == pytest.approx(4.0, rel=1e-5)


@pytest.mark.parametrize("scale", [0.0, 0.1, 0.99])
def test_a_flat_discriminator_is_not_penalised(scale: float) -> None:
    assert penalty(Linear([scale, 0.0], [0.0, 0.0]), batch(8), batch(8), 10.0) == 0.0


def test_box_actions_count_in_the_slope_and_discrete_ones_do_not() -> None:
    # (3, 4) in the observation, (0, 12) in the action: |w| = 13 with it, 5 without
    for action_space, slope in ((BOX, 13.0), (DISCRETE, 5.0)):
        model = Linear([3.0, 4.0], [0.0, 12.0], action_space)
        assert penalty(model, batch(8), batch(8), 1.0) == pytest.approx((slope - 1) ** 2, rel=1e-5)


def test_descending_the_penalty_flattens_a_steep_discriminator_and_leaves_a_flat_one() -> None:
    # d/dw 0.5 (|w| - 1)^2 = (|w| - 1) w / |w|: 4 (0.6, 0.8) for w = (3, 4)
    for w, expected in (([3.0, 4.0], [2.4, 3.2]), ([0.3, 0.4], [0.0, 0.0])):
        model = Linear(w, [0.0, 0.0], DISCRETE)
        expert, policy = batch(8), batch(8)
        plain = torch.autograd.grad(AdversarialLoss()(model, expert, policy), model.w_obs)[0]
        wrapped = with_gradient_penalty(AdversarialLoss(), 0.5)(model, expert, policy)
        added = torch.autograd.grad(wrapped, model.w_obs)[0] - plain
        torch.testing.assert_close(added, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_the_points_of_the_penalty_lie_evenly_between_expert_and_policy() -> None:
    # slope x for x uniform in [3, 5]: mean (x - 1)^2 = (4^3 - 2^3) / (3 * 2) = 9.33, with a deviation of 3.5
    size = 10_000
    found = penalty(Parabola(), batch(size, 3.0, features=1), batch(size, 5.0, features=1), 1.0)
    assert found == pytest.approx(56 / 6, abs=4 * 3.5 / size**0.5)
    assert penalty(Parabola(), batch(4, 3.0, features=1), batch(4, 3.0, features=1), 1.0) == pytest.approx(4.0)


def test_the_penalty_leaves_its_transitions_without_gradient() -> None:
    expert, policy = batch(4), batch(4)
    with_gradient_penalty(AdversarialLoss(), 1.0)(Linear([2.0, 0.0], [0.0, 0.0]), expert, policy)
    assert not any(t.requires_grad for steps in (expert, policy) for t in (steps.obs, steps.act, steps.next_obs))


def test_a_penalty_of_weight_0_is_the_loss_itself() -> None:
    loss = AdversarialLoss()
    assert with_gradient_penalty(loss, 0.0) is loss
    assert isinstance(with_gradient_penalty(loss, 0.1), GradientPenalisedLoss)


@pytest.mark.parametrize("loss", [AdversarialLoss(0.5), AdversarialLoss(2.0), CrossEntropyLoss()])
def test_the_optimal_logit_passes_through_wrappers(loss: DiscriminatorLoss) -> None:
    twice = with_gradient_penalty(with_gradient_penalty(loss, 1.0), 10.0)
    assert twice.optimal_logit(0.8) == loss.optimal_logit(0.8) != 0.0


def test_the_default_penalty_has_a_unique_optimum() -> None:
    assert AdversarialLoss().optimal_logit(0.5) == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(InputError, match=r"above 0\.25; found 0\.2"):
        AdversarialLoss(0.2)


class Constant(Discriminator):
    """z = b whatever is seen."""

    def __init__(self) -> None:
        super().__init__(ObservationEncoder(Box(-np.inf, np.inf, (2,))), BOX)
        self.bias = nn.Parameter(torch.tensor(0.3))

    def logits(self, encoded: Transitions) -> Tensor:
        return self.bias.expand(len(encoded))


def test_a_discriminator_that_looks_at_nothing_has_no_slope_to_penalise() -> None:
    found = with_gradient_penalty(CrossEntropyLoss(), 5.0)(Constant(), batch(8), batch(8))
    torch.testing.assert_close(found, CrossEntropyLoss()(Constant(), batch(8), batch(8)))


def test_a_loss_may_not_know_where_its_minimum_lies() -> None:
    assert optimal_logit(Plain(), 0.3) == 0.0

    def unsolved(discriminator: Discriminator, expert: Transitions, policy: Transitions) -> Tensor:
        return discriminator.logits(policy).mean()

    assert optimal_logit(unsolved, 0.3) is None
    assert optimal_logit(with_gradient_penalty(unsolved, 1.0), 0.3) is None
