"""Multilayer perceptrons: how they start, and how steep the spectral ones can be."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from gailkit.networks.mlp import mlp, spectral_mlp


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def linear_layers(network: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in network if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("make", [mlp, spectral_mlp])
@pytest.mark.parametrize("hidden", [(), (8,), (8, 5)], ids=str)
def test_the_layers_have_the_sizes_asked_for(make: type, hidden: tuple[int, ...]) -> None:
    network = make(3, 2, hidden)
    found = [(layer.in_features, layer.out_features) for layer in linear_layers(network)]
    assert found == list(pairwise([3, *hidden, 2]))
    assert network(torch.randn(7, 3)).shape == (7, 2)
    assert sum(isinstance(layer, nn.Tanh) for layer in network) == len(hidden)


def test_weights_start_orthogonal_and_biases_at_zero() -> None:
    first, second, last = linear_layers(mlp(6, 4, (32, 16), output_gain=0.01))
    torch.testing.assert_close(first.weight.T @ first.weight, 2 * torch.eye(6))  # tall: its columns
    torch.testing.assert_close(second.weight @ second.weight.T, 2 * torch.eye(16))  # wide: its rows
    torch.testing.assert_close(last.weight @ last.weight.T, 1e-4 * torch.eye(4))
    assert not any(layer.bias.any() for layer in (first, second, last))


def test_the_last_layer_is_linear_and_the_others_saturate() -> None:
    network = mlp(1, 1, (4,))
    far = network(torch.tensor([[1e6], [2e6]]))
    assert far[0] == far[1]
    with torch.no_grad():
        network[-1].bias += 100.0
    assert network(torch.zeros(1, 1)) == 100.0


def steepened() -> nn.Sequential:
    """A spectral network with large and uneven weights, after enough passes for its power iterations to settle."""
    network = spectral_mlp(5, 3, (16, 16), output_gain=20.0)
    for layer in linear_layers(network):
        original = layer.parametrizations["weight"].original
        with torch.no_grad():
            original.mul_(1 + 5 * torch.rand_like(original))
    with torch.no_grad():
        for _ in range(200):
            network(torch.zeros(1, 5))
    return network.eval()


def test_every_weight_of_a_spectral_network_has_largest_singular_value_1() -> None:
    for layer in linear_layers(steepened()):
        assert torch.linalg.matrix_norm(layer.weight, ord=2).item() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("distance", [1e-2, 1.0, 100.0])
def test_no_two_points_are_further_apart_after_a_spectral_network_than_before(distance: float) -> None:
    network = steepened()
    a = torch.randn(2000, 5)
    b = a + distance * torch.randn(2000, 5)
    with torch.no_grad():
        stretch = (network(a) - network(b)).norm(dim=-1) / (a - b).norm(dim=-1)
    assert stretch.max() <= 1.001


def test_a_plain_network_is_not_bounded_like_that() -> None:
    network = mlp(5, 3, (16, 16), output_gain=20.0)
    slope = torch.autograd.functional.jacobian(network, torch.zeros(5))
    assert torch.linalg.matrix_norm(slope, ord=2) > 10


def test_a_spectral_network_learns() -> None:
    network = spectral_mlp(5, 1, (16,))
    network(torch.randn(4, 5)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
