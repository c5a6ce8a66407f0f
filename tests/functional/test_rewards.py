"""Reward forms against their definitions in D, and far beyond the range in which D itself is a number."""

from __future__ import annotations

import pytest
import torch

from gailkit.functional.rewards import log_d, log_odds, neg_log_one_minus_d
from gailkit.types import RewardForm

MODERATE = torch.linspace(-10, 10, 401, dtype=torch.float64)
EXTREME = torch.tensor([-1000.0, -100.0, 0.0, 100.0, 1000.0])
FORMS = [log_d, neg_log_one_minus_d, log_odds]


def test_each_form_is_its_definition_in_d() -> None:
    d = MODERATE.sigmoid()
    torch.testing.assert_close(log_d(MODERATE), d.log(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(neg_log_one_minus_d(MODERATE), -(1 - d).log(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(log_odds(MODERATE), d.log() - (1 - d).log(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("logits", [MODERATE, EXTREME.double()], ids=["moderate", "extreme"])
def test_the_three_forms_add_up_as_their_definitions_do(logits: torch.Tensor) -> None:
    # ln D - ln(1 - D) = (ln D) + (-ln(1 - D)), and swapping the classes (z -> -z) turns ln D into ln(1 - D)
    torch.testing.assert_close(log_odds(logits), log_d(logits) + neg_log_one_minus_d(logits))
    torch.testing.assert_close(log_d(-logits), -neg_log_one_minus_d(logits))


def test_where_d_rounds_to_0_or_1_the_forms_reach_their_limits() -> None:
    # D -> 0: ln D -> z, -ln(1 - D) -> 0; D -> 1: ln D -> 0, -ln(1 - D) -> z; in the middle D = 1/2
    half = 0.6931472  # ln 2
    torch.testing.assert_close(log_d(EXTREME), torch.tensor([-1000.0, -100.0, -half, 0.0, 0.0]))
    torch.testing.assert_close(neg_log_one_minus_d(EXTREME), torch.tensor([0.0, 0.0, half, 100.0, 1000.0]))


@pytest.mark.parametrize("form", FORMS)
def test_values_and_gradients_are_finite_at_any_logit(form: RewardForm) -> None:
    logits = EXTREME.clone().requires_grad_()
    rewards = form(logits)
    (gradient,) = torch.autograd.grad(rewards.sum(), logits)
    assert torch.isfinite(rewards).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("form", FORMS)
def test_more_like_the_expert_is_never_less_reward(form: RewardForm) -> None:
    assert (form(MODERATE).diff() > 0).all()
    assert (form(torch.linspace(-1000, 1000, 2001)).diff() >= 0).all()


@pytest.mark.parametrize("form", FORMS)
def test_a_form_acts_on_each_element_by_itself(form: RewardForm) -> None:
    grid = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(form(grid).flatten(), torch.stack([form(z) for z in grid.flatten()]))


def test_the_signs_of_the_forms() -> None:
    assert (log_d(MODERATE) < 0).all()
    assert (neg_log_one_minus_d(MODERATE) > 0).all()
    assert torch.equal(log_odds(MODERATE).sign(), MODERATE.sign())
