"""The two discriminators: what they look at, and that equal content is equal whatever route it took."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import BoxActionDiscriminator, DiscreteActionDiscriminator, Discriminator
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp
from gailkit.types import Rollout, Trajectory, Transitions

OBSERVATIONS = Box(-np.inf, np.inf, (3,))
BOX = Box(np.array([-1, 0], np.float32), np.array([1, 4], np.float32))
DISCRETE = Discrete(3, start=2)
STEPS = 40


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def discriminator(action_space: Space[object]) -> Discriminator:
    """An untrained one whose encoder has seen observations around 5 with deviations around 2."""
    encoder = ObservationEncoder(OBSERVATIONS)
    encoder.update(5 + 2 * torch.randn(100, 3))
    kind = DiscreteActionDiscriminator if isinstance(action_space, Discrete) else BoxActionDiscriminator
    return kind(encoder, action_space, partial(mlp, hidden=(16,)))


def transitions(obs: np.ndarray, act: np.ndarray) -> Transitions:
    """Steps of one episode with ``obs`` (B + 1, 3) and ``act`` (B, *act)."""
    o, a = torch.from_numpy(obs), torch.from_numpy(act)
    return Transitions(o[:-1], a, o[1:], torch.arange(len(a)) == len(a) - 1)


def episode(action_space: Space[object]) -> tuple[np.ndarray, np.ndarray]:
    """Observations in double precision, and actions of which some lie outside a Box."""
    random = np.random.default_rng(0)
    obs = random.normal(5, 2, size=(STEPS + 1, 3))
    if isinstance(action_space, Discrete):
        return obs, random.integers(2, 5, size=STEPS)
    return obs, random.normal(0, 3, size=(STEPS, 2)).astype(np.float32)


def test_forward_is_the_taken_actions_element_of_the_vector_of_all_actions() -> None:
    model = discriminator(DISCRETE)
    steps = transitions(*episode(DISCRETE))
    vector = model.action_logits(steps.obs)
    assert vector.shape == (STEPS, 3)
    torch.testing.assert_close(model(steps), vector.gather(1, (steps.act - 2).unsqueeze(-1)).squeeze(-1))
    assert vector.std(dim=1).min() > 0.0  # the actions do differ


def test_a_box_discriminator_looks_at_observation_and_action() -> None:
    model = discriminator(BOX)
    steps = transitions(*episode(BOX))
    logits = model(steps)
    assert logits.shape == (STEPS,)
    for changed in (
        Transitions(steps.obs + 0.1, steps.act, steps.next_obs, steps.terminated),
        Transitions(steps.obs, 0.9 * steps.act, steps.next_obs, steps.terminated),
    ):
        assert not torch.allclose(model(changed), logits)


@pytest.mark.parametrize("action_space", [BOX, DISCRETE], ids=str)
def test_neither_looks_at_the_successor_or_at_how_it_ended(action_space: Space[object]) -> None:
    model = discriminator(action_space)
    steps = transitions(*episode(action_space))
    changed = Transitions(steps.obs, steps.act, torch.zeros_like(steps.next_obs), ~steps.terminated)
    assert torch.equal(model(changed), model(steps))


@pytest.mark.parametrize("action_space", [BOX, DISCRETE], ids=str)
def test_encoding_first_is_the_same_as_forward(action_space: Space[object]) -> None:
    model = discriminator(action_space)
    steps = transitions(*episode(action_space))
    encoded = model.encode(steps)
    assert torch.equal(model.logits(encoded), model(steps))
    assert encoded.obs.dtype == encoded.act.dtype == encoded.next_obs.dtype == torch.float32
    assert encoded.obs.abs().mean() < 2.0  # standardised
    torch.testing.assert_close(encoded.obs[1:], encoded.next_obs[:-1])
    assert torch.equal(encoded.terminated, steps.terminated)


@pytest.mark.parametrize("action_space", [BOX, DISCRETE], ids=str)
def test_expert_and_policy_with_equal_content_have_equal_logits_whatever_route_they_took(
    action_space: Space[object],
) -> None:
    obs, act = episode(action_space)
    seen = np.clip(act, action_space.low, action_space.high) if isinstance(action_space, Box) else act
    # the policy: float32 from the collector, two environments side by side, actions as they were sampled
    o, a = torch.from_numpy(obs.astype(np.float32)), torch.from_numpy(act)
    flags = torch.zeros(STEPS // 2, 2, dtype=torch.bool)
    lead = (STEPS // 2, 2)
    rollout = Rollout(o[:-1].unflatten(0, lead), a.unflatten(0, lead), o[1:].unflatten(0, lead), flags, flags)
    # the expert: float64 as recorded, actions as the environment saw them
    trajectory = Trajectory(obs, seen, None, terminated=True)
    expert = Demonstrations((trajectory,), OBSERVATIONS, action_space).transitions()

    model = discriminator(action_space)
    logits = model(rollout.transitions())
    assert torch.equal(model(expert), logits)
    assert torch.equal(model(transitions(obs, seen)), logits)
    assert logits.std() > 0.0


def test_the_logit_of_a_row_does_not_depend_on_the_rest_of_the_batch() -> None:
    model = discriminator(BOX)
    steps = transitions(*episode(BOX))
    torch.testing.assert_close(model(steps[torch.tensor([7])]), model(steps)[7:8])


def test_the_encoder_is_shared_not_copied() -> None:
    encoder = ObservationEncoder(OBSERVATIONS)
    model = BoxActionDiscriminator(encoder, BOX, partial(mlp, hidden=()))
    steps = transitions(*episode(BOX))
    assert not model.encode(steps).obs.any()  # nothing has been taken in
    encoder.update(steps.obs)
    assert model.encode(steps).obs.any()
