"""Steps as tensors: flat where they have several parts, bytes where they are images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.demonstrations.step_tensors import KeptSteps
from gailkit.errors import InputError
from gailkit.spaces import flatten_values, from_gymnasium
from gailkit.types import Trajectory, Transitions

IMAGE = Box(0, 255, (2, 3), np.uint8)


def kept(observed: np.ndarray, space: Space[Any] | None, acted: np.ndarray, actions: Space[Any] | None) -> Transitions:
    steps = KeptSteps.of([Trajectory(observed, acted, None, True)], 1, (0,), (space, actions))
    return steps[torch.arange(len(steps))]


@pytest.mark.parametrize(
    ("space", "drawn"),
    [
        (Dict({"image": IMAGE, "door": Discrete(3, start=1)}), torch.float32),
        (Tuple([IMAGE, Box(0, 255, (), np.uint8)]), torch.uint8),
        (MultiDiscrete([[2, 3]], start=[[5, 0]]), torch.float32),
        (MultiBinary(4), torch.float32),
    ],
)
def test_steps_in_other_spaces_are_drawn_flat(space: Space[Any], drawn: torch.dtype) -> None:
    space.seed(0)
    observed = from_gymnasium(space, [space.sample() for _ in range(4)])
    acted = from_gymnasium(space, [space.sample() for _ in range(3)])
    steps = kept(observed, space, acted, space)
    assert steps.obs.dtype == steps.next_obs.dtype == steps.act.dtype == drawn
    assert np.array_equal(steps.obs.numpy(), flatten_values(space, observed)[:-1])
    assert np.array_equal(steps.next_obs.numpy(), flatten_values(space, observed)[1:])
    assert np.array_equal(steps.act.numpy(), flatten_values(space, acted))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_images_are_drawn_as_bytes_whatever_holds_them(dtype: type) -> None:
    images = np.arange(12, dtype=dtype).reshape(2, 2, 3) + 244
    steps = kept(images, IMAGE, np.zeros(1, int), Discrete(1))
    assert steps.obs.dtype == steps.next_obs.dtype == torch.uint8
    assert steps.next_obs.flatten().tolist() == [250, 251, 252, 253, 254, 255]


def test_a_discrete_space_keeps_its_numbers() -> None:
    steps = kept(np.array([5, 6, 7]), Discrete(3, start=5), np.array([1, 0]), None)
    assert steps.obs.tolist() == [5, 6] and steps.obs.dtype == torch.int64


def test_parts_of_a_space_that_is_not_known_are_not_drawn() -> None:
    space = Dict({"door": Discrete(3), "at": Box(-1, 1)})
    observed = from_gymnasium(space, [space.sample() for _ in range(2)])
    with pytest.raises(InputError, match="steps with the parts at, door can be drawn where their space is known"):
        kept(observed, None, np.zeros(1, int), None)
