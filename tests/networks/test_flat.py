"""Parameters laid end to end learn exactly as they would one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gailkit.errors import InputError
from gailkit.networks.flat import FlatParameters
from gailkit.networks.mlp import mlp, spectral_mlp

INPUTS = torch.randn(32, 5, generator=torch.Generator().manual_seed(1))


def loss_of(network: nn.Module) -> Tensor:
    return (network(INPUTS) - INPUTS.sum(1, keepdim=True)).square().mean()


def twins(factory: type = mlp) -> tuple[nn.Module, nn.Module]:
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        networks.append(factory(5, 1, (8,)))
    return networks[0], networks[1]


@pytest.mark.parametrize("factory", [mlp, spectral_mlp])
def test_adam_takes_the_same_steps_on_the_vector_as_on_its_parts(factory: type) -> None:
    flat_network, network = twins(factory)
    flat = FlatParameters(flat_network.parameters())
    on_vector = torch.optim.Adam([flat.vector], 0.01)
    on_parts = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(5):
        flat.backward(loss_of(flat_network))
        on_vector.step()
        on_parts.zero_grad()
        loss_of(network).backward()
        on_parts.step()
    for mine, theirs in zip(flat_network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_backward_replaces_the_last_gradient() -> None:
    network, _ = twins()
    flat = FlatParameters(network.parameters())
    flat.backward(loss_of(network))
    once = flat.gradient.clone()
    flat.backward(loss_of(network))
    torch.testing.assert_close(flat.gradient, once)


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_a_gradient_is_shortened_as_torch_shortens_it_and_never_lengthened(share: float) -> None:
    flat_network, network = twins()
    flat = FlatParameters(flat_network.parameters())
    flat.backward(loss_of(flat_network))
    loss_of(network).backward()
    limit = share * float(flat.gradient.norm())
    flat.clip_gradient(limit)
    nn.utils.clip_grad_norm_(network.parameters(), limit)
    theirs = torch.cat([parameter.grad.flatten() for parameter in network.parameters() if parameter.grad is not None])
    torch.testing.assert_close(flat.gradient, theirs)
    assert float(flat.gradient.norm()) <= limit * (1 + 1e-5)


def test_a_vector_falls_into_parts_of_the_parameters_shapes_that_are_views_of_it() -> None:
    network, _ = twins()  # weights (8, 5) and (1, 8), biases (8,) and (1,)
    flat = FlatParameters(network.parameters())
    vector = torch.arange(57.0)
    parts = flat.shaped(vector)
    assert [part.shape for part in parts] == [parameter.shape for parameter in network.parameters()]
    assert torch.equal(torch.cat([part.flatten() for part in parts]), vector)
    assert parts[0][1, 0] == 5.0  # row by row
    parts[-1].fill_(-1.0)
    assert vector[-1] == -1.0


def test_the_vector_itself_falls_into_the_parameters() -> None:
    network, _ = twins()
    flat = FlatParameters(network.parameters())
    assert all(map(torch.equal, flat.shaped(flat.vector), network.parameters()))


def test_a_loaded_state_reaches_the_vector() -> None:
    network, _ = twins()
    flat = FlatParameters(network.parameters())
    network.load_state_dict({name: torch.full_like(value, 3.0) for name, value in network.state_dict().items()})
    assert torch.equal(flat.vector, torch.full_like(flat.vector, 3.0))


def test_a_gradient_that_somebody_took_away_comes_back() -> None:
    network, _ = twins()
    flat = FlatParameters(network.parameters())
    flat.backward(loss_of(network))
    expected = flat.gradient.clone()
    network.zero_grad()
    flat.backward(loss_of(network))
    assert torch.equal(flat.gradient, expected)


def test_parameters_that_were_moved_away_are_noticed() -> None:
    network, _ = twins()
    flat = FlatParameters(network.parameters())
    network.double()
    with pytest.raises(RuntimeError, match="moved away"):
        flat.backward(loss_of(network.float()))


def test_there_must_be_something_to_train() -> None:
    with pytest.raises(InputError, match="no parameter"):
        FlatParameters([])
