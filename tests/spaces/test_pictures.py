"""What is taken for a picture, and that it is the same one however it lies in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Tuple

from gailkit.spaces import (
    Flat,
    flat_bytes,
    flatten_values,
    flattened_space,
    from_gymnasium,
    misfit,
    picture_of,
    space_from_json,
    space_to_json,
    unflatten_values,
)


def pictures(*shape: int) -> Box:
    return Box(0, 255, shape, np.uint8)


@pytest.mark.parametrize(
    ("shape", "channels", "sides"),
    [
        ((20, 24), 1, (20, 24)),
        ((20, 24, 3), 3, (20, 24)),
        ((4, 20, 24), 4, (20, 24)),
        ((84, 84, 84), 84, (84, 84)),  # the last of equals
        ((4, 20, 24, 3), 12, (20, 24)),  # frames first
        ((4, 3, 20, 24), 12, (20, 24)),
    ],
)
def test_pictures_are_told_by_their_shape(shape: tuple[int, ...], channels: int, sides: tuple[int, int]) -> None:
    found = picture_of(pictures(*shape))
    assert found is not None and (found.channels, found.height, found.width) == (channels, *sides)
    assert found.size == np.prod(shape)


@pytest.mark.parametrize(
    "space",
    [
        pictures(7, 7, 3),  # MiniGrid's, which are symbols
        pictures(4096),
        pictures(2, 3, 4, 20, 24),
        Box(0, 15, (20, 24), np.uint8),
        Box(0, 255, (20, 24), np.float32),
        Discrete(3),
    ],
)
def test_what_else_may_look_like_one_is_none(space: Box) -> None:
    assert picture_of(space) is None


def test_colours_first_or_last_and_frames_are_one_and_the_same_picture() -> None:
    last = torch.arange(2 * 16 * 17 * 3, dtype=torch.int64).remainder(251).to(torch.uint8).reshape(2, 16, 17, 3)
    first = last.permute(0, 3, 1, 2).contiguous()
    one, other = picture_of(pictures(16, 17, 3)), picture_of(pictures(3, 16, 17))
    assert one is not None and other is not None
    assert torch.equal(one.in_channels(last), first)
    assert torch.equal(other.in_channels(first), first)
    frames = picture_of(pictures(2, 16, 17, 3))  # the two of them as frames of one
    assert frames is not None
    assert torch.equal(frames.in_channels(last[None])[0], first.flatten(0, 1))


ROOM = Dict(
    {
        "arm": Box(-9, 9, (2,), np.float64),
        "left": pictures(16, 18, 3),
        "mode": MultiDiscrete([2, 3], start=[1, 0]),
        "right": Tuple([pictures(17, 16)]),
    }
)


def samples(space: Dict, count: int = 3) -> np.ndarray:
    space.seed(0)
    return from_gymnasium(space, [space.sample() for _ in range(count)])


def test_a_space_with_pictures_is_flattened_to_bytes_and_comes_back_as_it_was() -> None:
    values, flat = samples(ROOM), flattened_space(ROOM)
    assert isinstance(flat, Flat)
    assert flat.dtype == np.uint8 and flat.shape == (16 * 18 * 3 + 17 * 16 + 7 * 8,)  # 2 + 5 numbers in float64
    held = flatten_values(flat, values)
    assert misfit(flat, held) is None
    again = unflatten_values(flat, held)
    assert again.dtype == values.dtype and np.array_equal(again, values)
    assert np.array_equal(flat.vector_of(held)[:, :2], values["arm"])
    assert np.array_equal(held[:, : 16 * 18 * 3].reshape(-1, 16, 18, 3), values["left"])


def test_bytes_of_a_flat_element_count_its_numbers_in_float32() -> None:
    assert flat_bytes(ROOM) == 16 * 18 * 3 + 17 * 16 + 7 * 4


@pytest.mark.parametrize("space", [ROOM, Dict({"only": pictures(16, 16)}), MultiDiscrete([2, 3])])
def test_a_flat_space_comes_back_from_its_text(space: Dict) -> None:
    again = space_from_json(space_to_json(flattened_space(space)))
    assert again == flattened_space(space) and isinstance(again, Flat) and again.stated == space


def test_samples_of_a_flat_space_are_elements_of_what_it_was_made_of() -> None:
    flat = flattened_space(ROOM)
    flat.seed(3)
    drawn = np.stack([flat.sample() for _ in range(4)])
    flat.seed(3)
    assert np.array_equal(drawn, np.stack([flat.sample() for _ in range(4)]))
    assert misfit(ROOM, unflatten_values(flat, drawn)) is None
