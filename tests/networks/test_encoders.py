"""One preprocessing for both sides: what is equal to the environment is equal to the networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from gailkit.networks.encoders import ActionEncoder, ObservationEncoder

UNEVEN = Box(
    np.array([-2, 0, -np.inf, 0, -np.inf], np.float32), np.array([2, 10, np.inf, np.inf, 3], np.float32)
)  # bounded, bounded, free, bounded below, bounded above


@pytest.mark.parametrize("start", [0, 4, -2])
def test_discrete_actions_and_observations_become_one_hot_and_can_be_read_back(start: int) -> None:
    space = Discrete(5, start=start)
    values = torch.arange(start, start + 5)
    for encoder in (ActionEncoder(space), ObservationEncoder(space)):
        features = encoder(values)
        assert encoder.size == 5
        assert features.dtype == torch.float32
        assert torch.equal(features, torch.eye(5))
        assert torch.equal(features.argmax(-1) + start, values)


def test_the_bounds_of_a_box_become_minus_1_and_1_and_the_rest_stays_as_it_is() -> None:
    encoder = ActionEncoder(UNEVEN)
    low, middle, high = encoder(
        torch.tensor([[-2.0, 0.0, -7.0, 0.0, -7.0], [0.0, 5.0, 0.5, 0.5, 0.5], [2.0, 10.0, 7.0, 7.0, 3.0]])
    )
    assert low.tolist() == [-1, -1, -7, 0, -7]
    assert middle.tolist() == [0, 0, 0.5, 0.5, 0.5]
    assert high.tolist() == [1, 1, 7, 7, 3]


def test_actions_within_bounds_can_be_read_back() -> None:
    box = Box(np.array([-2, 0], np.float32), np.array([2, 10], np.float32))
    actions = torch.rand(20, 2) * torch.tensor([4.0, 10.0]) - torch.tensor([2.0, 0.0])
    decoded = ActionEncoder(box)(actions) * torch.tensor([2.0, 5.0]) + torch.tensor([0.0, 5.0])
    torch.testing.assert_close(decoded, actions)


def test_an_action_beyond_the_bounds_is_the_one_the_environment_sees() -> None:
    encoder = ActionEncoder(UNEVEN)
    unclipped = 20 * torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
    seen = torch.from_numpy(np.clip(unclipped.numpy(), UNEVEN.low, UNEVEN.high))
    assert not torch.equal(unclipped, seen)
    assert torch.equal(encoder(unclipped), encoder(seen))
    assert encoder(unclipped)[:, :2].abs().max() == 1.0


def test_the_shape_and_the_dtype_of_an_action_do_not_matter() -> None:
    box = Box(-1, 3, (2, 3))
    actions = np.random.default_rng(0).uniform(-2, 4, size=(7, 2, 3)).astype(np.float32)
    features = ActionEncoder(box)(torch.from_numpy(actions))
    assert features.shape == (7, 6)
    assert features.dtype == torch.float32
    assert torch.equal(ActionEncoder(box)(torch.from_numpy(actions.astype(np.float64))), features)


def test_box_observations_are_flattened_and_standardised() -> None:
    encoder = ObservationEncoder(Box(-np.inf, np.inf, (2, 2)))
    obs = torch.tensor([[[0.0, 1.0], [2.0, 9.0]], [[4.0, 3.0], [2.0, 5.0]]])  # means 2, 2, 2, 7; deviations 2, 1, 0, 2
    encoder.update(obs)
    assert encoder.size == 4
    assert encoder(obs).tolist() == [[-1, -1, 0, 1], [1, 1, 0, -1]]


def test_images_of_bytes_are_standardised_too() -> None:
    encoder = ObservationEncoder(Box(0, 255, (1, 2), np.uint8))
    images = torch.tensor([[[0, 200]], [[255, 200]]], dtype=torch.uint8)
    encoder.update(images)
    assert encoder(images).tolist() == [[-1, 0], [1, 0]]


def test_discrete_observations_have_no_statistics() -> None:
    encoder = ObservationEncoder(Discrete(3))
    before = encoder(torch.tensor([2]))
    encoder.update(torch.tensor([0, 1, 1]))
    assert torch.equal(encoder(torch.tensor([2])), before)


def test_float64_and_float32_observations_of_equal_content_have_equal_features() -> None:
    encoder = ObservationEncoder(Box(-np.inf, np.inf, (3,)))
    obs = np.random.default_rng(0).normal(1000, 5, size=(50, 3)).astype(np.float32)
    encoder.update(torch.from_numpy(obs))
    assert torch.equal(encoder(torch.from_numpy(obs.astype(np.float64))), encoder(torch.from_numpy(obs)))
    assert encoder(torch.from_numpy(obs)).dtype == torch.float32
