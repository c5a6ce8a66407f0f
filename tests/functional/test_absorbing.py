"""The absorbing state: its mass, its logit, and that it is worth what an endless sum of its rewards is worth."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gailkit.functional.absorbing import (
    absorbing_mass,
    cross_entropy_optimal_logit,
    expert_share,
    penalised_optimal_logit,
)
from gailkit.functional.returns import Values, generalized_advantages
from gailkit.types import Rollout

shares = st.floats(0.0, 1.0)
penalties = st.floats(0.2501, 5.0)


def sigmoid(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z))


def test_the_mass_by_hand() -> None:
    # two endings weigh 2 / (1 - 0.9) = 20 steps beside the 60 that were taken: 20 / 80
    assert absorbing_mass(terminations=2, steps=60, gamma=0.9) == pytest.approx(0.25)
    assert absorbing_mass(terminations=0, steps=60, gamma=0.9) == 0.0
    # without foresight the tail is one step: 1 / (3 + 1)
    assert absorbing_mass(terminations=1, steps=3, gamma=0.0) == 0.25


def test_the_experts_share_of_the_mass() -> None:
    assert expert_share(0.3, 0.1) == pytest.approx(0.75)
    assert expert_share(0.0, 0.1) == 0.0
    assert expert_share(0.3, 0.0) == 1.0
    assert expert_share(0.0, 0.0) is None


@given(shares, penalties)
def test_the_penalised_optimum_solves_its_equation(share: float, kappa: float) -> None:
    z = penalised_optimal_logit(share, kappa)
    assert kappa * z + sigmoid(-z) == pytest.approx(share, abs=1e-12)
    assert abs(z) < 1 / kappa


@given(shares, penalties)
def test_the_penalised_optimum_is_odd_around_equal_shares(share: float, kappa: float) -> None:
    slope = kappa - 0.25  # of the equation at its flattest: an error of its right side is divided by it
    mirrored = -penalised_optimal_logit(1.0 - share, kappa)
    assert penalised_optimal_logit(share, kappa) == pytest.approx(mirrored, abs=1e-5 if slope < 1e-3 else 1e-9)


@pytest.mark.parametrize("kappa", [0.3, 0.5, 2.0])
def test_the_penalised_optimum_rises_with_the_experts_share(kappa: float) -> None:
    logits = [penalised_optimal_logit(share / 100, kappa) for share in range(101)]
    assert all(low < high for low, high in pairwise(logits))


def test_the_optimal_logit_at_the_default_penalty_stays_within_1_69() -> None:
    # at w = 1: z / 2 = sigmoid(z); sigmoid(1.69) = 0.8442 < 0.845 = 1.69 / 2, sigmoid(1.68) = 0.8429 > 0.84
    assert 1.68 < penalised_optimal_logit(1.0, 0.5) < 1.69
    assert -1.69 < penalised_optimal_logit(0.0, 0.5) < -1.68


@pytest.mark.parametrize("kappa", [0.25, 0.2, 0.0, -1.0])
def test_a_penalty_that_leaves_the_optimum_undecided_is_refused_and_named(kappa: float) -> None:
    with pytest.raises(ValueError, match=rf"above 0\.25.*found {kappa}"):
        penalised_optimal_logit(0.5, kappa)


def test_the_optimum_of_the_cross_entropy_is_the_logit_of_the_share() -> None:
    for share in (0.01, 0.2, 0.5, 0.9):
        assert sigmoid(cross_entropy_optimal_logit(share)) == pytest.approx(share)
    assert cross_entropy_optimal_logit(1.0) == pytest.approx(math.log(99))
    assert cross_entropy_optimal_logit(0.0) == pytest.approx(-math.log(99))
    assert sigmoid(cross_entropy_optimal_logit(1.0, least=1e-4)) == pytest.approx(0.9999)


@pytest.mark.parametrize("absorbing_reward", [-1.9, 0.0, 2.5])
def test_an_episode_that_ends_is_worth_its_endless_absorbing_sum_up_to_a_constant(absorbing_reward: float) -> None:
    gamma, steps = 0.9, 6
    random = torch.Generator().manual_seed(2)
    rewards, value = torch.randn(2, steps, 1, generator=random, dtype=torch.float64)
    next_value = value.roll(-1, dims=0)  # the last one is not zero, and must not count
    last = torch.arange(steps).unsqueeze(-1) == steps - 1
    nothing = torch.zeros(steps, 1, 1)
    rollout = Rollout(nothing, nothing, nothing, last, torch.zeros_like(last))
    values = Values(value, next_value)
    returns = generalized_advantages(rollout, values, rewards - absorbing_reward, gamma, lam=1.0).returns[:, 0]

    endless = torch.cat((rewards[:, 0], torch.full((400,), absorbing_reward, dtype=torch.float64)))  # 0.9^400 = 5e-19
    discounts = gamma ** torch.arange(len(endless), dtype=torch.float64)
    sums = torch.stack([(discounts[: len(endless) - t] * endless[t:]).sum() for t in range(steps)])
    torch.testing.assert_close(returns + absorbing_reward / (1 - gamma), sums, rtol=1e-6, atol=1e-6)
