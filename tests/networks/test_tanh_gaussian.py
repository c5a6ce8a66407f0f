"""The squashed Gaussian: its density, its bounds, and what a bijection does not change."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from torch import Tensor
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import AffineTransform, TanhTransform

from gailkit.networks.distributions import DiagonalGaussian, TanhGaussian

LOW, HIGH = torch.tensor([-2.0, 0.0]), torch.tensor([2.0, 10.0])
CENTER, SCALE = (LOW + HIGH) / 2, (HIGH - LOW) / 2


def squashed(mean: Tensor, log_std: Tensor) -> TanhGaussian:
    """Over the Box from LOW to HIGH, in the precision of ``mean``."""
    return TanhGaussian(DiagonalGaussian(mean, log_std), CENTER.to(mean.dtype), SCALE.to(mean.dtype))


def two_policies(states: int) -> tuple[TanhGaussian, TanhGaussian]:
    """Two in double precision, different in mean and deviation, the same in each of the states."""
    first = squashed(torch.tensor([0.3, -0.8]).double().expand(states, 2), torch.tensor([-0.5, 0.2]).double())
    second = squashed(torch.tensor([-0.1, 0.1]).double().expand(states, 2), torch.tensor([0.1, -0.3]).double())
    return first, second


def test_log_probability_is_that_of_torch() -> None:
    random = torch.Generator().manual_seed(0)
    mean, log_std = (torch.randn(50, 2, generator=random).double() for _ in range(2))
    ours = squashed(mean, log_std)
    steps = [TanhTransform(), AffineTransform(ours.center, ours.scale)]
    theirs = Independent(TransformedDistribution(Normal(mean, log_std.exp()), steps), 1)
    actions = CENTER + SCALE * (2 * torch.rand(50, 2, generator=random).double() - 1)
    torch.testing.assert_close(ours.log_prob(actions), theirs.log_prob(actions))


@given(mean=st.floats(-2, 2), log_std=st.floats(-2, 0.5))
def test_the_density_over_the_box_integrates_to_1(mean: float, log_std: float) -> None:
    one = TanhGaussian(
        DiagonalGaussian(torch.tensor([[mean]]).double(), torch.tensor([log_std]).double()),
        torch.tensor([5.0]).double(),
        torch.tensor([3.0]).double(),
    )
    # midpoints of equal steps in x would be the density's own variable: in the action's, the ends need small steps
    edges = 5 + 3 * torch.linspace(-12, 12, 20_001, dtype=torch.float64).tanh()
    densities = one.log_prob(((edges[1:] + edges[:-1]) / 2).unsqueeze(-1)).exp()
    assert (densities * edges.diff()).sum().item() == pytest.approx(1.0, abs=1e-4)


def test_kl_is_the_mean_log_ratio_of_the_densities_of_the_actions() -> None:
    first, second = two_policies(200_000)
    actions = first.sample(torch.Generator().manual_seed(0))
    ratios = first.log_prob(actions) - second.log_prob(actions)
    error = float(ratios.std()) / len(ratios) ** 0.5
    assert float(first.kl(second)[0]) == pytest.approx(float(ratios.mean()), abs=4 * error)
    assert error < 0.01 * float(first.kl(second)[0])


@pytest.mark.parametrize("mean", [0.0, 3.0, -50.0, 1000.0])
@pytest.mark.parametrize("log_std", [-5.0, 0.0, 2.0])
def test_samples_and_modes_lie_in_the_box_and_have_finite_densities(mean: float, log_std: float) -> None:
    distribution = squashed(torch.full((1000, 2), mean), torch.full((2,), log_std))
    for actions in (distribution.sample(torch.Generator().manual_seed(0)), distribution.mode()):
        assert ((actions >= LOW) & (actions <= HIGH)).all()
        assert torch.isfinite(distribution.log_prob(actions)).all()
    assert torch.isfinite(distribution.entropy()).all()


def test_actions_at_the_bounds_and_beyond_have_finite_densities_and_gradients() -> None:
    mean, log_std = torch.zeros(4, 2, requires_grad=True), torch.zeros(2, requires_grad=True)
    actions = torch.stack([LOW, HIGH, HIGH.nextafter(LOW), HIGH + 1])
    log_probs = squashed(mean, log_std).log_prob(actions)
    gradients = torch.autograd.grad(log_probs.sum(), [mean, log_std])
    assert torch.isfinite(log_probs).all()
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert log_probs[0].item() == pytest.approx(log_probs[1].item())  # the bounds are alike to a centred policy
    assert log_probs[3].item() == log_probs[1].item()
    assert gradients[0][0].lt(0).all() and gradients[0][1].gt(0).all()  # towards the bound that was chosen


def test_the_mode_is_the_median_action() -> None:
    mean = torch.tensor([0.4, -1.2])
    distribution = squashed(mean.expand(20_000, 2), torch.zeros(2))
    below = (distribution.sample(torch.Generator().manual_seed(0)) < distribution.mode()).float().mean(0)
    assert (below - 0.5).abs().max() < 4 * 0.5 / 20_000**0.5
    torch.testing.assert_close(distribution.mode()[0], CENTER + SCALE * mean.tanh())


def expected_log_slope(mean: float, deviation: float) -> float:
    """E[ln(1 - tanh^2 x)] of a normal x, by an adaptive quadrature that knows nothing of ours."""

    def integrand(z: float) -> float:
        x = abs(mean + deviation * z)
        log_slope = 2 * (math.log(2) - x - math.log1p(math.exp(-2 * x)))
        return log_slope * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    value, _ = quad(integrand, -10, 10, limit=200)
    return float(value)


@pytest.mark.parametrize("mean", [0.0, 1.3, -4.0])
@pytest.mark.parametrize("deviation", [0.01, 0.3, 1.0, 2.0, 4.0])
def test_the_entropy_is_that_of_the_gaussian_and_the_mean_log_slope(mean: float, deviation: float) -> None:
    one = squashed(torch.tensor([[mean, mean]]).double(), torch.tensor([deviation, 1.0]).double().log())
    exact = sum(
        math.log(width * spread) + 0.5 * math.log(2 * math.pi * math.e) + expected_log_slope(mean, spread)
        for width, spread in zip(SCALE.tolist(), (deviation, 1.0), strict=True)
    )
    assert float(one.entropy()) == pytest.approx(exact, abs=1e-4)


def test_the_entropy_is_a_function_of_the_policy_alone() -> None:
    first, _ = two_policies(10)
    state = torch.get_rng_state()
    assert torch.equal(first.entropy(), first.entropy())
    assert torch.equal(torch.get_rng_state(), state)


def test_deviation_1_is_nearly_uniform_over_the_box() -> None:
    # H(uniform) - H(squashed standard normal), in nats a dimension; 0.0233 by a sum over 4 million actions
    gap = (HIGH - LOW).log().sum() - squashed(torch.zeros(1, 2), torch.zeros(2)).entropy()
    assert gap.item() / 2 == pytest.approx(0.0233, abs=1e-4)


def test_the_entropy_has_the_gradient_of_its_expectation() -> None:
    def entropy(mean: Tensor, log_std: Tensor) -> Tensor:
        return squashed(mean.unsqueeze(0), log_std).entropy().sum()

    parameters = [torch.tensor([0.5, -1.0]).double(), torch.tensor([-0.3, 0.4]).double()]
    assert torch.autograd.gradcheck(entropy, [p.requires_grad_() for p in parameters])
    # widening a narrow policy raises its entropy by 1 nat for each of log_std, as that of a Gaussian
    narrow = torch.full((2,), -5.0).double().requires_grad_()
    (slope,) = torch.autograd.grad(entropy(torch.zeros(2).double(), narrow), narrow)
    torch.testing.assert_close(slope, torch.ones(2).double(), atol=1e-3, rtol=0)


def test_a_box_twice_as_wide_has_half_the_density() -> None:
    narrow, wide = (
        TanhGaussian(DiagonalGaussian(torch.zeros(1, 3), torch.zeros(3)), torch.zeros(3), torch.full((3,), scale))
        for scale in (1.0, 2.0)
    )
    actions = torch.tensor([[0.5, -0.2, 0.9]])
    difference = narrow.log_prob(actions) - wide.log_prob(2 * actions)
    assert difference.item() == pytest.approx(3 * math.log(2), rel=1e-5)
