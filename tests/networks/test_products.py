"""Distributions of actions of several parts against their parts, torch and what their samples do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.errors import InputError
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import Categorical, DiagonalGaussian
from gailkit.networks.encoders import ActionEncoder, ObservationEncoder
from gailkit.networks.products import Bits, Choices, Product
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium, unflatten_values

ROWS = 20_000
SEEN = Box(-1, 1, (3,))
SPACES = {
    "choices": MultiDiscrete([3, 2], start=[-1, 4]),
    "choices in a square": MultiDiscrete([[3, 2], [2, 4]]),
    "bits": MultiBinary((2, 2)),
    "all": Dict(
        {"z": Box(-2, 4, (2,), np.float32), "a": Discrete(3, start=5), "m": Tuple([MultiBinary(2), MultiDiscrete([2])])}
    ),
    "numbers": Tuple([Box(-1, 1, (2,), np.float32), Box(0, 9, (), np.float32)]),
}
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())


def actor(space: Space, **head: str) -> ActorCritic:
    torch.manual_seed(0)
    model = ActorCritic(ObservationEncoder(SEEN), flattened_space(space), (8,), **head)
    torch.nn.init.normal_(model.policy[-1].weight)
    return model


def test_choices_are_independent_categoricals() -> None:
    distribution = Choices(torch.randn(5, 6), (2, 4))
    first, second = (Categorical(logits) for logits in distribution.logits.split((2, 4), -1))
    one, other = torch.tensor([0, 1, 0, 1, 1]), torch.tensor([3, 2, 1, 0, 3])
    act = torch.cat([torch.nn.functional.one_hot(one, 2), torch.nn.functional.one_hot(other, 4)], -1).float()
    torch.testing.assert_close(distribution.log_prob(act), first.log_prob(one) + second.log_prob(other))
    torch.testing.assert_close(distribution.entropy(), first.entropy() + second.entropy())


def test_bits_by_hand() -> None:
    distribution = Bits(torch.tensor([[math.log(3.0), 0.0]]))  # odds of 3 to 1, and a fair coin
    assert distribution.log_prob(torch.tensor([[1.0, 0.0]])).exp().item() == pytest.approx(0.75 * 0.5)
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25) + math.log(2)
    assert distribution.entropy().item() == pytest.approx(entropy)
    assert distribution.mode().tolist() == [[1.0, 0.0]]


def test_bits_and_choices_come_as_often_as_their_probabilities_say() -> None:
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0, 0.5])
    chosen = Choices(logits.expand(ROWS, 5), (2, 3)).sample(torch.Generator().manual_seed(0)).mean(0)
    expected = torch.cat([part.softmax(-1) for part in logits.split((2, 3))])
    error = (expected * (1 - expected) / ROWS).sqrt()
    assert ((chosen - expected).abs() < 4 * error).all()
    shares = Bits(logits.expand(ROWS, 5)).sample(torch.Generator().manual_seed(0)).mean(0)
    assert ((shares - logits.sigmoid()).abs() < 4 * (logits.sigmoid() * (1 - logits.sigmoid()) / ROWS).sqrt()).all()


def test_a_product_is_the_sum_of_its_parts_wherever_their_columns_lie() -> None:
    numbers, bit = DiagonalGaussian(torch.randn(4, 2), torch.randn(2)), Bits(torch.randn(4, 1))
    distribution = Product((numbers, bit), (torch.tensor([2, 0]), torch.tensor([1])))
    act = torch.tensor([[0.5, 1.0, -0.3]]).expand(4, 3)
    separate = numbers.log_prob(act[:, [2, 0]]) + bit.log_prob(act[:, [1]])
    torch.testing.assert_close(distribution.log_prob(act), separate)
    torch.testing.assert_close(distribution.mode()[:, [2, 0]], numbers.mean)


@every_space
def test_a_policy_acts_in_the_space_and_its_probabilities_are_of_what_it_does(space: Space) -> None:
    policy, flat = actor(space), flattened_space(space)
    distribution = policy(torch.randn(64, 3))
    acts = distribution.sample().numpy()
    values = unflatten_values(flat, np.clip(acts, flat.low, flat.high))
    assert np.array_equal(flatten_values(flat, values), np.clip(acts, flat.low, flat.high).astype(flat.dtype))
    assert distribution.log_prob(torch.from_numpy(acts)).shape == (64,)


def test_the_probabilities_of_all_actions_of_several_choices_sum_to_1() -> None:
    space = Tuple([MultiDiscrete([3, 2]), MultiBinary(2), Discrete(2)])
    every = [
        ([a, b], [c, d], e) for a in range(3) for b in range(2) for c in range(2) for d in range(2) for e in range(2)
    ]
    acts = torch.from_numpy(flatten_values(space, from_gymnasium(space, every))).float()
    policy = actor(space)(torch.randn(1, 3).expand(len(every), 3)).detach()
    probabilities = policy.log_prob(acts).exp()
    assert float(probabilities.sum()) == pytest.approx(1.0, rel=1e-5)
    assert float((-probabilities * probabilities.log()).sum()) == pytest.approx(float(policy.entropy()[0]), rel=1e-4)


def test_deviations_and_bounds_are_those_of_the_numbers_alone() -> None:
    space = SPACES["all"]
    policy = actor(space, std="state", bounds="tanh")
    assert policy.action_center.tolist() == [1.0, 1.0] and policy.action_scale.tolist() == [3.0, 3.0]
    policy.set_log_std(torch.tensor([-1.0, -2.0]))
    *_, log_std = policy(torch.randn(4, 3)).parameters()
    torch.testing.assert_close(log_std, torch.tensor([-1.0, -2.0]).expand(4, 2), atol=1e-5, rtol=0)
    for wrong in ({"std": "state"}, {"bounds": "tanh"}):
        with pytest.raises(InputError, match="is for Box actions"):
            actor(SPACES["bits"], **wrong)


def test_what_is_chosen_stays_0_and_1_for_a_discriminator_and_numbers_cover_minus_1_to_1() -> None:
    space = SPACES["all"]  # sorted: a, m, z
    values = flatten_values(space, from_gymnasium(space, [{"z": [4, 1], "a": 6, "m": ([1, 0], [1])}]))
    encoded = ActionEncoder(flattened_space(space))(torch.from_numpy(values))
    assert encoded.tolist() == [[0, 1, 0, 1, 0, 0, 1, 1.0, 0.0]]
