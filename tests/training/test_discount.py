"""The discount of a generator: short until an episode has terminated on either side, and never longer than was set."""

from __future__ import annotations

import pytest
import torch
from gymnasium.spaces import Discrete

from gailkit.generator import PPOClip
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.training.discount import Discount
from gailkit.types import Rollout


@pytest.fixture
def generator() -> PPOClip:
    return PPOClip(ActorCritic(ObservationEncoder(Discrete(2)), Discrete(2), ()), gamma=0.5)


def rollout(*terminated: bool) -> Rollout:
    """A rollout of so many steps, each of which terminated or not; all that do not are truncated."""
    ended = torch.tensor(terminated).unsqueeze(-1)
    places = torch.zeros(ended.shape, dtype=torch.int64)
    return Rollout(places, places, places, ended, ~ended)


def test_it_is_short_until_the_policy_terminates_and_long_from_then_on(generator: PPOClip) -> None:
    discount = Discount(generator, 0.99, 0.9, terminates=False)
    found = [generator.gamma]
    for steps in (rollout(False, False), rollout(False, True), rollout(False, False)):
        discount.observe(steps)
        found.append(generator.gamma)
    assert found == [0.9, 0.9, 0.99, 0.99]
    assert discount.value == 0.99


def test_it_is_long_from_the_start_where_the_expert_terminates(generator: PPOClip) -> None:
    Discount(generator, 0.99, 0.9, terminates=True)
    assert generator.gamma == 0.99


def test_it_is_never_longer_than_was_set(generator: PPOClip) -> None:
    Discount(generator, 0.8, 0.9, terminates=False)
    assert generator.gamma == 0.8


def test_a_stored_discount_goes_on_as_it_was(generator: PPOClip) -> None:
    stored = Discount(generator, 0.99, 0.9, terminates=True).state_dict()
    restored = Discount(generator, 0.99, 0.9, terminates=False)
    assert generator.gamma == 0.9
    restored.load_state_dict(stored)
    assert generator.gamma == 0.99


def test_a_generator_without_a_discount_is_left_alone(generator: PPOClip) -> None:
    del generator.gamma
    Discount(generator, 0.99, 0.9, terminates=False)
    assert not hasattr(generator, "gamma")
