"""Objectives of the policy: whose gradient they have, where they have none, and what they estimate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from gailkit.functional.policy_gradient import clip_fraction, clipped_surrogate, importance_weighted, standardized

CLIP = 0.2
Objective = Callable[[Tensor, Tensor, Tensor], Tensor]
clipped: Objective = partial(clipped_surrogate, clip=CLIP)
every_objective = pytest.mark.parametrize("objective", [importance_weighted, clipped], ids=["weighted", "clipped"])


def gradient(objective: Objective, ratio: Tensor, advantages: Tensor) -> Tensor:
    """In the log-probabilities, times B, where the probabilities are ``ratio`` times the old ones."""
    old = torch.full_like(ratio, -1.3)
    log_prob = (old + ratio.log()).requires_grad_()
    return torch.autograd.grad(objective(log_prob, old, advantages), log_prob)[0] * len(ratio)


@every_objective
def test_at_ratio_1_the_gradient_is_the_plain_policy_gradient(objective: Objective) -> None:
    advantages = torch.tensor([2.0, -1.0, 0.5, 0.0])
    torch.testing.assert_close(gradient(objective, torch.ones(4), advantages), advantages)  # d/d ln p of mean A ln p


@every_objective
def test_at_ratio_1_the_objective_is_the_mean_advantage(objective: Objective) -> None:
    log_prob = torch.tensor([-0.1, -2.0, -5.0])
    assert objective(log_prob, log_prob, torch.tensor([3.0, -1.0, 1.0])) == 1.0


def test_importance_weights_give_the_new_policys_mean_from_the_old_ones_actions() -> None:
    # old policy (1/4, 3/4): of four actions it takes the first once. A = (2, -1); the new one, (1/2, 1/2), earns 1/2
    act = torch.tensor([0, 1, 1, 1])
    old, new = torch.tensor([0.25, 0.75]).log(), torch.tensor([0.5, 0.5]).log()
    assert importance_weighted(new[act], old[act], torch.tensor([2.0, -1.0])[act]).item() == pytest.approx(0.5)


def test_without_a_clip_a_sample_keeps_its_gradient_wherever_it_is() -> None:
    # d/d ln p of r A = r A
    ratio, advantages = torch.tensor([1.3, 0.7, 5.0, 0.1]), torch.tensor([1.0, -1.0, 2.0, -2.0])
    torch.testing.assert_close(gradient(importance_weighted, ratio, advantages), ratio * advantages)


def test_a_sample_that_moved_far_enough_in_its_favour_has_no_gradient() -> None:
    # better actions made likelier, worse ones made rarer, both beyond the clip
    assert gradient(clipped, torch.tensor([1.3, 0.7]), torch.tensor([1.0, -1.0])).tolist() == [0.0, 0.0]


def test_a_sample_that_moved_against_its_favour_keeps_its_gradient_however_far() -> None:
    ratio = torch.tensor([0.7, 1.3, 0.1, 5.0])
    advantages = torch.tensor([1.0, -1.0, 2.0, -2.0])
    torch.testing.assert_close(gradient(clipped, ratio, advantages), ratio * advantages)


def test_a_sample_within_the_clip_keeps_its_gradient() -> None:
    ratio = torch.tensor([1.19, 0.81, 1.19, 0.81])
    advantages = torch.tensor([1.0, 1.0, -1.0, -1.0])
    torch.testing.assert_close(gradient(clipped, ratio, advantages), ratio * advantages)


def test_the_clipped_objective_and_the_clipped_fraction_by_hand() -> None:
    ratio, old = torch.tensor([1.5, 0.5, 1.5, 1.1]), torch.full((4,), -2.0)
    # min(1.5, 1.2), min(0.5, 0.8), min(-1.5, -1.2), 2.2: (1.2 + 0.5 - 1.5 + 2.2) / 4
    objective = clipped_surrogate(old + ratio.log(), old, torch.tensor([1.0, 1.0, -1.0, 2.0]), CLIP)
    assert objective.item() == pytest.approx(0.6)
    assert clip_fraction(old + ratio.log(), old, CLIP) == 0.75
    assert clip_fraction(old, old, CLIP) == 0.0


def test_the_clipped_objective_never_exceeds_the_unclipped_one() -> None:
    random = torch.Generator().manual_seed(0)
    for _ in range(50):
        log_ratio, advantages = torch.randn(2, 8, generator=random)
        unclipped = importance_weighted(log_ratio, torch.zeros(8), advantages)
        assert clipped(log_ratio, torch.zeros(8), advantages) <= unclipped + 1e-6


def test_standardized_advantages_have_mean_0_and_deviation_1_and_keep_their_order() -> None:
    advantages = 50 + 3 * torch.randn(4, 100, generator=torch.Generator().manual_seed(0))
    scaled = standardized(advantages)
    assert scaled.shape == (4, 100)
    assert scaled.mean().item() == pytest.approx(0.0, abs=1e-5)
    assert scaled.std().item() == pytest.approx(1.0, abs=1e-5)
    assert torch.equal(scaled.flatten().argsort(), advantages.flatten().argsort())


@pytest.mark.parametrize("constant", [0.0, 1.0, -4.0, 123.456, -69.3])
def test_advantages_that_do_not_differ_become_zero(constant: float) -> None:
    assert torch.equal(standardized(torch.full((8, 16), constant)), torch.zeros(8, 16))


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        # mean 3; the deviations are -2, 0, 0, 2, so that the standard deviation is sqrt(8 / 3) = 1.633
        (0.0, [-1.2247, 0.0, 0.0, 1.2247]),
        (1.6, [-1.2247, 0.0, 0.0, 1.2247]),
        (4.0, [-0.5, 0.0, 0.0, 0.5]),
        (20.0, [-0.1, 0.0, 0.0, 0.1]),
    ],
)
def test_advantages_are_divided_by_their_deviation_or_the_least_one(least: float, expected: list[float]) -> None:
    found = standardized(torch.tensor([1.0, 3.0, 3.0, 5.0]), least)
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-4)


def test_small_advantages_stay_in_proportion_and_large_ones_forget_their_size() -> None:
    advantages = torch.randn(200, generator=torch.Generator().manual_seed(3))
    small, large = 0.01 * advantages, 100 * advantages
    torch.testing.assert_close(2 * standardized(small, 1.0), standardized(2 * small, 1.0))
    assert standardized(small, 1.0).std().item() == pytest.approx(small.std().item(), rel=1e-5)
    torch.testing.assert_close(standardized(large, 1.0), standardized(2 * large, 1.0))
    assert torch.equal(standardized(torch.full((5,), 7.3), 1.0), torch.zeros(5))
