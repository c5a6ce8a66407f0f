"""What is observed of a layer is its Fisher information."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gailkit.functional.kronecker import homogeneous
from gailkit.networks.distributions import Categorical
from gailkit.networks.kronecker import KroneckerFisher


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def softmax_regression(state: Tensor) -> tuple[nn.Linear, Callable[[], Tensor], Tensor]:
    """A layer, ln p of targets that it samples for 50,000 equal inputs, and its exact Fisher information (O J, O J)."""
    layer = nn.Linear(2, 3)
    inputs = state.expand(50_000, 2)
    p = layer(state).softmax(-1).detach()
    exact = torch.kron(p.diag() - torch.outer(p, p), torch.outer(*homogeneous(state.expand(2, 2))))

    def log_likelihood() -> Tensor:
        distribution = Categorical(layer(inputs))
        return distribution.log_prob(distribution.sample())

    return layer, log_likelihood, exact


def test_what_is_observed_is_the_exact_fisher_information_of_a_layer_whose_inputs_are_equal() -> None:
    layer, log_likelihood, exact = softmax_regression(torch.tensor([0.5, -2.0]))
    fisher = KroneckerFisher([layer], (), damping=0.01, decay=0.9)
    fisher.observe(log_likelihood)
    (factors,) = fisher.factors
    torch.testing.assert_close(torch.kron(factors.outputs, factors.inputs), exact, rtol=0, atol=0.03)
    direction = [torch.randn(3, 2), torch.randn(3)]
    natural, curvature = fisher.natural(direction)
    flat = torch.cat((natural[0], natural[1].unsqueeze(1)), 1).flatten()
    assert curvature == pytest.approx(float(flat @ exact @ flat), rel=0.05)


def test_a_layer_without_bias_has_no_input_of_one() -> None:
    layer = nn.Linear(2, 3, bias=False)
    inputs = torch.randn(5, 2)
    fisher = KroneckerFisher([layer], (), damping=0.01, decay=0.9)
    fisher.observe(lambda: layer(inputs).sum(-1))
    torch.testing.assert_close(fisher.factors[0].inputs, inputs.T @ inputs / 5)
    natural, _ = fisher.natural([torch.randn(3, 2)])
    assert [part.shape for part in natural] == [(3, 2)]


def test_the_factors_are_averages_over_rollouts_with_the_past_weighed_by_its_decay() -> None:
    layer = nn.Linear(1, 1)
    fisher = KroneckerFisher([layer], (), damping=0.01, decay=0.5)
    for value in (1.0, 2.0, 4.0):
        fisher.observe(lambda value=value: value * layer(torch.ones(3, 1)).squeeze(-1))
    # squared gradients 1, 4, 16 weighed 1/4, 1/2, 1
    assert fisher.factors[0].outputs.item() == pytest.approx((0.25 * 1 + 0.5 * 4 + 16) / 1.75)
