"""The Fisher-vector product is the Hessian of the mean KL, by double differentiation."""

from __future__ import annotations

from inspect import isabstract
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from torch import Tensor

from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.fisher import FisherProduct
from gailkit.networks.flat import FlatParameters
from gailkit.spaces import flattened_space

BOX = Box(0, 5, (2,))
ACTORS = [  # action space, what its deviation depends on, how it keeps to the Box
    (Discrete(4), "free", "clip"),
    (Discrete(2, start=7), "free", "clip"),
    (Box(-np.inf, np.inf, (3,)), "free", "clip"),
    (Box(0, 5, (2, 2)), "free", "clip"),
    (BOX, "state", "clip"),
    (BOX, "free", "tanh"),
    (BOX, "state", "tanh"),
    (flattened_space(MultiDiscrete([2, 4, 2])), "free", "clip"),
    (flattened_space(MultiBinary(3)), "free", "clip"),
    (flattened_space(Dict({"a": Discrete(3), "b": MultiBinary(2), "c": BOX})), "state", "clip"),
    (flattened_space(Tuple([BOX, MultiDiscrete([3, 2])])), "free", "tanh"),
]
FEATURES = torch.randn(9, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
every_actor = pytest.mark.parametrize("actor", ACTORS, ids=str)

Actor = tuple[Space[Any], str, str]


def policy(actor: Actor) -> tuple[ActorCritic, FlatParameters]:
    """In float64, with parameters far from where they start."""
    torch.manual_seed(0)
    action_space, std, bounds = actor
    model = ActorCritic(ObservationEncoder(Box(-1, 1, (3,))), action_space, (4,), std=std, bounds=bounds).double()
    flat = FlatParameters(model.policy_parameters())
    flat.vector.data.normal_(std=0.7)
    return model, flat


def hessian_of_mean_kl(model: ActorCritic, flat: FlatParameters) -> Tensor:
    """(P, P), at theta = theta_old."""
    distribution = model.distribution(FEATURES)
    kl = distribution.detach().kl(distribution).mean()
    slopes = torch.autograd.grad(kl, flat.parameters, create_graph=True)
    gradient = torch.cat([slope.flatten() for slope in slopes])
    rows = [torch.autograd.grad(slope, flat.parameters, retain_graph=True) for slope in gradient]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])


@every_actor
def test_the_product_is_the_hessian_of_the_mean_kl(actor: Actor) -> None:
    model, flat = policy(actor)
    product = FisherProduct(model.distribution(FEATURES), flat, damping=0.0)
    columns = torch.stack([product(unit) for unit in torch.eye(len(flat.vector), dtype=torch.float64)], 1)
    hessian = hessian_of_mean_kl(model, flat)
    torch.testing.assert_close(columns, hessian, rtol=1e-9, atol=1e-11)
    assert hessian.abs().max() > 0.1


def test_every_kind_of_distribution_was_among_them() -> None:
    kinds = {type(policy(actor)[0].distribution(FEATURES)) for actor in ACTORS}
    below = list(ActionDistribution.__subclasses__())
    for kind in below:
        below += kind.__subclasses__()
    assert kinds == {kind for kind in below if not isabstract(kind)}


@every_actor
def test_half_of_the_quadratic_form_is_the_kl_of_a_small_step(actor: Actor) -> None:
    model, flat = policy(actor)
    old = model.distribution(FEATURES).detach()
    step = 1e-4 * torch.randn(len(flat.vector), dtype=torch.float64)
    product = FisherProduct(model.distribution(FEATURES), flat, damping=0.0)
    foreseen = float(step.dot(product(step))) / 2
    with torch.no_grad():
        flat.vector.add_(step)
        assert float(old.kl(model.distribution(FEATURES)).mean()) == pytest.approx(foreseen, rel=0.01)


def test_damping_adds_a_multiple_of_the_identity() -> None:
    model, flat = policy(ACTORS[2])
    vector = torch.randn(len(flat.vector), dtype=torch.float64)
    plain, damped = (FisherProduct(model.distribution(FEATURES), flat, damping)(vector) for damping in (0.0, 0.3))
    torch.testing.assert_close(damped - plain, 0.3 * vector)


def test_a_product_leaves_parameters_and_their_gradient_alone() -> None:
    model, flat = policy(ACTORS[2])
    flat.backward(model.distribution(FEATURES).entropy().mean())
    before = flat.vector.detach().clone(), flat.gradient.clone()
    FisherProduct(model.distribution(FEATURES), flat, damping=0.1)(torch.ones_like(flat.vector))
    assert torch.equal(flat.vector, before[0])
    assert torch.equal(flat.gradient, before[1])
