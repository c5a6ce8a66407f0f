"""Several networks at once are several networks; a copy follows as fast as it is told."""

from __future__ import annotations

import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch.nn.functional import layer_norm, linear, relu

from gailkit.networks.action_values import ActionValues, Target, action_values
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.flat import FlatParameters


def test_each_estimate_is_that_of_its_own_plain_network() -> None:
    torch.manual_seed(0)
    model, inputs = ActionValues(5, 3, (8, 7), estimates=2), torch.randn(4, 5)
    found = model(inputs)
    assert found.shape == (2, 4, 3)
    for estimate in range(2):
        values = inputs
        for weight, bias in zip(model.weights[:-1], model.biases[:-1], strict=True):
            values = linear(values, weight[estimate].T, bias[estimate, 0])
            values = relu(layer_norm(values, values.shape[-1:]))
        expected = linear(values, model.weights[-1][estimate].T, model.biases[-1][estimate, 0])
        torch.testing.assert_close(found[estimate], expected)
    assert (found[0] - found[1]).abs().min() > 0


def test_estimates_learn_apart() -> None:
    torch.manual_seed(0)
    model = ActionValues(5, 1, (8,), estimates=2)
    model(torch.randn(4, 5))[0].sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(gradient is not None and not gradient[1].any() for gradient in gradients)
    assert gradients[0] is not None and gradients[0][0].any()


def test_box_actions_go_in_and_discrete_ones_come_out() -> None:
    seen = ObservationEncoder(Box(-1, 1, (4,)))
    assert action_values(seen, Box(-1, 1, (3,)), (8,), 2)(torch.zeros(6, 7)).shape == (2, 6, 1)
    assert action_values(seen, Discrete(5), (8,), 1)(torch.zeros(6, 4)).shape == (1, 6, 5)


@pytest.mark.parametrize("rate", [0.005, 0.3, 1.0])
def test_a_copy_comes_nearer_by_its_rate_at_every_step(rate: float) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    trained = FlatParameters(model.parameters())
    target = Target(model, trained, rate)
    start = trained.vector.detach().clone()
    trained.vector.data += 1.0
    assert torch.equal(target.following.vector, start)  # a copy, not the same
    for _ in range(3):
        target.follow()
    # the distance shrinks by 1 - tau every time
    torch.testing.assert_close(trained.vector - target.following.vector, torch.full_like(start, (1 - rate) ** 3))
    assert not any(parameter.requires_grad for parameter in target.network.parameters())
