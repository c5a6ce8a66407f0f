"""The clipped surrogate: whose gradient it has, where it has none, and what it says of the step."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gailkit.functional.policy_gradient import clipped_surrogate, standardized

CLIP = 0.2


def gradient(log_ratio: Tensor, advantages: Tensor) -> Tensor:
    """Of the objective in the log-probabilities, times B, where they differ from the old ones by ``log_ratio``."""
    old = torch.full_like(log_ratio, -1.3)
    log_prob = (old + log_ratio).requires_grad_()
    objective = clipped_surrogate(log_prob, old, advantages, CLIP).objective
    return torch.autograd.grad(objective, log_prob)[0] * len(log_ratio)


def test_at_ratio_1_the_gradient_is_the_plain_policy_gradient() -> None:
    advantages = torch.tensor([2.0, -1.0, 0.5, 0.0])
    torch.testing.assert_close(gradient(torch.zeros(4), advantages), advantages)  # d/d ln p of mean A ln p


def test_at_ratio_1_the_objective_is_the_mean_advantage_and_nothing_is_clipped() -> None:
    log_prob = torch.tensor([-0.1, -2.0, -5.0])
    surrogate = clipped_surrogate(log_prob, log_prob, torch.tensor([3.0, -1.0, 1.0]), CLIP)
    assert surrogate.objective == 1.0
    assert surrogate.approx_kl == 0.0
    assert surrogate.clip_fraction == 0.0


def test_a_sample_that_moved_far_enough_in_its_favour_has_no_gradient() -> None:
    # better actions made likelier, worse ones made rarer, both beyond the clip
    log_ratio = torch.tensor([1.3, 0.7]).log()
    assert gradient(log_ratio, torch.tensor([1.0, -1.0])).tolist() == [0.0, 0.0]


def test_a_sample_that_moved_against_its_favour_keeps_its_gradient_however_far() -> None:
    # d/d ln p of r A = r A
    ratio = torch.tensor([0.7, 1.3, 0.1, 5.0])
    advantages = torch.tensor([1.0, -1.0, 2.0, -2.0])
    torch.testing.assert_close(gradient(ratio.log(), advantages), ratio * advantages)


def test_a_sample_within_the_clip_keeps_its_gradient() -> None:
    ratio = torch.tensor([1.19, 0.81, 1.19, 0.81])
    advantages = torch.tensor([1.0, 1.0, -1.0, -1.0])
    torch.testing.assert_close(gradient(ratio.log(), advantages), ratio * advantages)


def test_the_objective_and_the_clipped_fraction_by_hand() -> None:
    ratio = torch.tensor([1.5, 0.5, 1.5, 1.1])
    surrogate = clipped_surrogate(ratio.log(), torch.zeros(4), torch.tensor([1.0, 1.0, -1.0, 2.0]), CLIP)
    # min(1.5, 1.2), min(0.5, 0.8), min(-1.5, -1.2), 2.2: (1.2 + 0.5 - 1.5 + 2.2) / 4
    assert surrogate.objective.item() == pytest.approx(0.6)
    assert surrogate.clip_fraction == 0.75


def test_the_objective_never_exceeds_the_unclipped_one() -> None:
    random = torch.Generator().manual_seed(0)
    for _ in range(50):
        log_ratio, advantages = torch.randn(2, 8, generator=random)
        surrogate = clipped_surrogate(log_ratio, torch.zeros(8), advantages, CLIP)
        assert surrogate.objective <= (log_ratio.exp() * advantages).mean() + 1e-6


def test_the_kl_estimate_is_never_negative() -> None:
    for log_ratio in torch.linspace(-5, 5, 201):
        surrogate = clipped_surrogate(log_ratio.reshape(1), torch.zeros(1), torch.ones(1), CLIP)
        assert surrogate.approx_kl >= 0.0


def test_the_kl_estimate_is_the_kl_from_old_to_new_in_expectation() -> None:
    # KL(N(0, 1), N(m, s)) = ln s + (1 + m^2) / (2 s^2) - 1/2; the other direction would be far from it
    shift, spread = 0.5, 1.5
    expected = math.log(spread) + (1 + shift**2) / (2 * spread**2) - 0.5
    old, new = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(shift, spread)
    samples = torch.randn(400_000, generator=torch.Generator().manual_seed(0))
    surrogate = clipped_surrogate(new.log_prob(samples), old.log_prob(samples), samples, CLIP)
    assert surrogate.approx_kl.item() == pytest.approx(expected, rel=0.02)


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
