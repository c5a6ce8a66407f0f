"""Networks that see: which layers they have, that they look at what they should, and that gradients reach them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete
from torch import nn

from gailkit.discriminator import BoxActionDiscriminator, DiscreteActionDiscriminator
from gailkit.errors import InputError
from gailkit.generator import ACKTR
from gailkit.networks.action_values import action_values
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.convolutions import ImageEncoder, impala, nature, seeing
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium
from gailkit.types import Transitions

PICTURE = Box(0, 255, (16, 18, 3), np.uint8)
ROOM = Dict({"eye": PICTURE, "speed": Box(-1, 1, (2,), np.float32)})


def tiny(channels: int, height: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 2, 5, 4), nn.Tanh(), nn.Flatten())


def numbers(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_nature_has_the_layers_of_the_paper() -> None:
    network = nature(4, 84, 84)
    shapes = [tuple(each.weight.shape) for each in network if isinstance(each, nn.Conv2d | nn.Linear)]
    assert shapes == [(32, 4, 8, 8), (64, 32, 4, 4), (64, 64, 3, 3), (512, 64 * 7 * 7)]
    assert network(torch.zeros(2, 4, 84, 84)).shape == (2, 512)


def test_impala_has_fifteen_convolutions_and_a_layer_of_256_units() -> None:
    network = impala(3, 72, 96)  # the size of the paper: 9 x 12 after three halvings
    assert sum(isinstance(each, nn.Conv2d) for each in network.modules()) == 15
    assert [tuple(each.weight.shape) for each in network if isinstance(each, nn.Linear)] == [(256, 32 * 9 * 12)]
    assert network(torch.zeros(2, 3, 72, 96)).shape == (2, 256)


@pytest.mark.parametrize("make", [nature, impala])
@pytest.mark.parametrize("sides", [(16, 16), (20, 50), (37, 84)])
def test_pictures_of_any_size_are_seen_wherever_something_is(make: ImageEncoder, sides: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network, dark = make(1, *sides), torch.zeros(1, 1, *sides)
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    for row, column in corners:
        lit = dark.clone()
        lit[..., row, column] = 5.0
        assert not torch.equal(network(lit), network(dark))


@pytest.mark.parametrize("make", [nature, impala])
def test_how_pictures_lie_in_memory_makes_no_difference(make: ImageEncoder) -> None:
    """Neither to what is seen nor to what is learned: the layers one by one, of pictures with their channels apart."""
    torch.manual_seed(0)
    network, pictures = make(3, 40, 36).double(), torch.randn(5, 3, 40, 36).double()
    apart = pictures
    for layer in network:
        apart = layer(apart.contiguous())
    found = network(pictures)
    torch.testing.assert_close(found, apart)
    kernels = list(network.parameters())
    slopes = [torch.autograd.grad(each.square().mean(), kernels) for each in (found, apart)]
    torch.testing.assert_close(*slopes)


def encoder_of(space: Box | Dict) -> ObservationEncoder:
    return ObservationEncoder(flattened_space(space), tiny)


def some(space: Box | Dict, count: int = 6) -> torch.Tensor:
    space.seed(0)
    return torch.from_numpy(flatten_values(space, from_gymnasium(space, [space.sample() for _ in range(count)])))


@pytest.mark.parametrize("space", [PICTURE, ROOM], ids=["picture", "room"])
def test_policy_values_and_discriminator_have_convolutions_of_their_own_that_learn(space: Box | Dict) -> None:
    encoder, obs = encoder_of(space), some(space)
    encoder.update(obs)
    actor_critic = ActorCritic(encoder, Discrete(3), (8,))
    judge = DiscreteActionDiscriminator(encoder, Discrete(3), partial(mlp, hidden=(8,)))
    sides = Transitions(obs, torch.zeros(6, dtype=torch.int64), obs, torch.zeros(6, dtype=torch.bool))
    found = {
        "policy": (actor_critic.policy, actor_critic(obs).log_prob(torch.zeros(6)).sum()),
        "critic": (actor_critic.critic, actor_critic.critic(encoder(obs)).sum()),
        "discriminator": (judge, judge(sides).sum()),
    }
    assert not list(encoder.parameters())
    for name, (network, output) in found.items():
        kernels = [each.weight for each in network.modules() if isinstance(each, nn.Conv2d)]
        (slope,) = torch.autograd.grad(output, kernels)
        assert slope.abs().max() > 0, name


def test_what_comes_behind_the_features_is_passed_on() -> None:
    encoder = encoder_of(ROOM)
    network = seeing(encoder, mlp)(encoder.size + 1, 2, hidden=())  # with a number more, as an encoded action is
    features = torch.randn(4, encoder.size + 1)
    moved = features.clone()
    moved[:, -1] += 1.0
    change = network(moved) - network(features)
    torch.testing.assert_close(change, network[-1].weight[:, -1].expand(4, 2), atol=1e-5, rtol=0)


def test_without_pictures_the_network_is_the_one_that_was_given() -> None:
    assert seeing(ObservationEncoder(Box(-1, 1, (3,))), mlp) is mlp


def test_action_values_see_by_the_same_layers() -> None:
    encoder = encoder_of(PICTURE)
    values = action_values(encoder, Box(-1, 1, (2,)), (8,), 2)
    assert values(torch.zeros(5, encoder.size + 2)).shape == (2, 5, 1)
    assert sum(isinstance(each, nn.Conv2d) for each in values.modules()) == 1


def test_acktr_says_which_generators_see() -> None:
    with pytest.raises(InputError, match=r"ACKTR does not learn from pictures.*ppo-clip, ppo-penalty, trpo and pg do"):
        ACKTR(ActorCritic(encoder_of(PICTURE), Discrete(2), (8,)))


def test_an_image_encoder_that_returns_something_else_is_refused() -> None:
    encoder = ObservationEncoder(PICTURE, lambda channels, height, width: nn.Conv2d(channels, 2, 3))
    with pytest.raises(InputError, match=r"must map \(2, 3, 16, 18\) to \(2, features\); found \(2, 2, 14, 16\)"):
        ActorCritic(encoder, Discrete(2), (8,))


def test_expert_and_policy_of_equal_content_are_judged_alike_whatever_way_they_came() -> None:
    """From a file with its parts in another order, and from bytes of a rollout; colours last, and colours first."""
    torch.manual_seed(0)
    shuffled = Dict(list(reversed(ROOM.spaces.items())))
    ROOM.seed(5)
    elements = [ROOM.sample() for _ in range(4)]
    flat = flattened_space(ROOM)
    encoder = ObservationEncoder(flat, tiny)
    judge = BoxActionDiscriminator(encoder, Box(-1, 1, (1,)), partial(mlp, hidden=(8,)))
    rollout = flatten_values(flat, from_gymnasium(ROOM, elements))
    stored = flatten_values(flat, from_gymnasium(shuffled, elements))  # as the file has it
    encoder.update(torch.from_numpy(rollout))
    logits = [
        judge(Transitions(obs, torch.zeros(4, 1), obs, torch.zeros(4, dtype=torch.bool)))
        for obs in map(torch.from_numpy, (rollout, stored))
    ]
    assert torch.equal(*logits) and logits[0].std() > 0
