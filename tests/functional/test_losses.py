"""The discriminator's losses: what they are identically, how they bend, and where they are least."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gailkit.functional.losses import adversarial_loss, cross_entropy, logit_penalty

Loss = Callable[[Tensor, Tensor], Tensor]

# Two distributions over four states, each state drawn as often as its probability says, in tenths.
EXPERT_STATES = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2, 3])  # p_E  = 0.4, 0.3, 0.2, 0.1
POLICY_STATES = torch.tensor([0, 1, 1, 2, 2, 2, 2, 2, 3, 3])  # p_pi = 0.1, 0.2, 0.5, 0.2
P_EXPERT = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
P_POLICY = torch.tensor([0.1, 0.2, 0.5, 0.2], dtype=torch.float64)
SHARE = P_EXPERT / (P_EXPERT + P_POLICY)


def penalised(kappa: float) -> Loss:
    """F_kappa."""
    return lambda real, fake: adversarial_loss(real, fake) + kappa * logit_penalty(real, fake)


def minimiser(loss: Loss) -> Tensor:
    """The logits of the four states after descending ``loss`` on the exact distributions."""
    z = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    for _ in range(1500):
        (gradient,) = torch.autograd.grad(loss(z[EXPERT_STATES], z[POLICY_STATES]), z)
        z = (z - gradient).detach().requires_grad_()
    return z.detach()


@pytest.mark.parametrize("scale", [0.1, 3.0, 500.0])
def test_f_is_minus_the_cross_entropy_minus_the_gap_of_the_means_for_any_logits(scale: float) -> None:
    random = torch.Generator().manual_seed(0)
    real = scale * torch.randn(7, generator=random, dtype=torch.float64) + 1
    fake = scale * torch.randn(11, generator=random, dtype=torch.float64)
    torch.testing.assert_close(
        adversarial_loss(real, fake) + cross_entropy(real, fake), -(real.mean() - fake.mean()), rtol=1e-9, atol=1e-12
    )


def test_the_losses_are_their_definitions_in_d() -> None:
    random = torch.Generator().manual_seed(1)
    real, fake = torch.randn(2, 9, generator=random, dtype=torch.float64)
    d_real, d_fake = real.sigmoid(), fake.sigmoid()
    torch.testing.assert_close(adversarial_loss(real, fake), (1 - d_real).log().mean() + d_fake.log().mean())
    torch.testing.assert_close(cross_entropy(real, fake), -d_real.log().mean() - (1 - d_fake).log().mean())


def test_the_logit_penalty_is_half_the_mean_square_of_each_side() -> None:
    # (mean(1, 9) + mean(4)) / 2 = (5 + 4) / 2
    assert logit_penalty(torch.tensor([1.0, -3.0]), torch.tensor([2.0])) == 4.5


def test_f_of_a_constant_discriminator_falls_without_bound() -> None:
    for constant in (10.0, 1000.0, -10.0, -1000.0):
        z = torch.full((3,), constant)
        assert adversarial_loss(z, z) <= -abs(constant)


def test_the_penalised_loss_of_a_constant_discriminator_is_bounded_below() -> None:
    values = [penalised(0.26)(z, z) for z in torch.linspace(-1000, 1000, 2001).unsqueeze(-1)]
    assert min(values) > -2.0  # F(0) = -2 ln 2 = -1.39, and little is to be gained beside it
    assert values[0] > values[500] > values[900]


def second_derivatives(kappa: float, z: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences of F_kappa in the real logit and in the fake one, at each of ``z``."""
    step = 1e-3
    loss = penalised(kappa)
    other = torch.tensor([0.3], dtype=torch.float64)

    def bend(along: Callable[[Tensor], Tensor]) -> Tensor:
        rows = [along(x - step) - 2 * along(x) + along(x + step) for x in z.unsqueeze(-1)]
        return torch.stack(rows) / step**2

    return bend(lambda x: loss(x, other)), bend(lambda x: loss(other, x))


@pytest.mark.parametrize("kappa", [0.26, 0.5, 1.0])
def test_the_penalised_loss_bends_upwards_by_at_least_kappa_minus_a_quarter(kappa: float) -> None:
    z = torch.linspace(-12, 12, 97, dtype=torch.float64)
    for bend in second_derivatives(kappa, z):
        assert (bend >= kappa - 0.25 - 1e-6).all()
        assert bend.min() == pytest.approx(kappa - 0.25, abs=1e-6)  # reached at z = 0
        assert bend.max() <= kappa + 1e-6


def test_with_too_small_a_penalty_the_loss_bends_downwards_around_zero() -> None:
    for bend in second_derivatives(0.2, torch.zeros(1, dtype=torch.float64)):
        assert bend.item() == pytest.approx(0.2 - 0.25, abs=1e-6)


@pytest.mark.parametrize("kappa", [0.3, 0.5, 1.0])
def test_the_minimiser_of_the_penalised_loss_tells_the_experts_share_of_the_density(kappa: float) -> None:
    z = minimiser(penalised(kappa))
    torch.testing.assert_close(kappa * z + torch.sigmoid(-z), SHARE, rtol=0, atol=1e-9)


def test_the_minimiser_of_the_cross_entropy_is_the_experts_share_of_the_density() -> None:
    torch.testing.assert_close(minimiser(cross_entropy).sigmoid(), SHARE, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("real", "fake"), [(1.5, 0.5), (0.2, 1.8), (3.0, 1.0)])
def test_with_weights_the_minimiser_tells_the_share_of_the_weighted_densities(real: float, fake: float) -> None:
    share = real * P_EXPERT / (real * P_EXPERT + fake * P_POLICY)
    z = minimiser(lambda ours, theirs: cross_entropy(ours, theirs, real, fake))
    torch.testing.assert_close(z.sigmoid(), share, rtol=0, atol=1e-9)
    for kappa in (0.3, 1.0):

        def penalised_and_weighted(ours: Tensor, theirs: Tensor, kappa: float = kappa) -> Tensor:
            return adversarial_loss(ours, theirs, real, fake) + kappa * logit_penalty(ours, theirs, real, fake)

        z = minimiser(penalised_and_weighted)
        torch.testing.assert_close(kappa * z + torch.sigmoid(-z), share, rtol=0, atol=1e-9)


@pytest.mark.parametrize("loss", [adversarial_loss, logit_penalty, cross_entropy])
def test_equal_weights_multiply_a_loss_and_a_weight_of_0_takes_a_side_out(loss: Callable[..., Tensor]) -> None:
    random = torch.Generator().manual_seed(2)
    ours, theirs, others = torch.randn(3, 5, generator=random, dtype=torch.float64)
    plain = loss(ours, theirs)
    assert torch.equal(loss(ours, theirs, 1.0, 1.0), plain)
    torch.testing.assert_close(loss(ours, theirs, 2.5, 2.5), 2.5 * plain)
    assert torch.equal(loss(ours, theirs, 1.0, 0.0), loss(ours, others, 1.0, 0.0))
    assert torch.equal(loss(ours, theirs, 0.0, 1.0), loss(others, theirs, 0.0, 1.0))
    torch.testing.assert_close(loss(ours, theirs, 1.0, 0.0) + loss(ours, theirs, 0.0, 1.0), plain)


def test_the_least_cross_entropy_is_ln_4_minus_twice_the_jensen_shannon_divergence() -> None:
    z = minimiser(cross_entropy)
    mixture = (P_EXPERT + P_POLICY) / 2
    divergences = [(p * (p / mixture).log()).sum() for p in (P_EXPERT, P_POLICY)]
    expected = torch.tensor(4.0, dtype=torch.float64).log() - sum(divergences)  # JSD is half their sum
    torch.testing.assert_close(cross_entropy(z[EXPERT_STATES], z[POLICY_STATES]), expected)
