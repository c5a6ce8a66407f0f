"""The last observations as one: what stands where, whatever the observations are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.spaces import (
    Flat,
    Stacking,
    flatten_values,
    flattened_space,
    from_gymnasium,
    picture_of,
    rows_before,
    storage_dtype,
)

PIXELS = Box(0, 255, (16, 20, 3), np.uint8)
MANY = Dict(
    {
        "see": PIXELS,
        "door": Discrete(3, start=1),
        "in": Tuple([MultiDiscrete([[2, 3], [3, 2]]), MultiBinary(3), Box(-1, 1, (2, 2), np.float32)]),
        "few bytes": Box(0, 255, (3,), np.uint8),
    }
)
SPACES = [
    Box(-2, 2, (3,), np.float32),
    Box(-2, 2, (), np.float64),
    Discrete(4, start=2),
    MultiDiscrete([3, 2]),
    Dict({"z": Box(-1, 1, (2,), np.float32), "a": Discrete(2)}),
    Dict({"see": PIXELS, "far": Box(0, 255, (2, 3, 18, 16), np.uint8)}),
    MANY,
]


def some(space: Space[Any], count: int) -> np.ndarray:
    """Elements (count, *obs) of it, flat, as an environment shows them."""
    space.seed(0)
    values = from_gymnasium(space, [space.sample() for _ in range(count)])
    return flatten_values(flattened_space(space), values)


def by_part(value: Any, space: Space[Any]) -> Any:
    """K elements of ``space`` as one whose parts are K of theirs, joined by hand."""
    if isinstance(space, Dict):
        return {name: by_part([each[name] for each in value], part) for name, part in space.spaces.items()}
    if isinstance(space, Tuple):
        return tuple(by_part([each[k] for each in value], part) for k, part in enumerate(space.spaces))
    if picture_of(space) is not None:
        frames = np.stack(value)
        return frames.reshape(-1, *frames.shape[-3:])
    return np.concatenate([np.ravel(each) for each in value])


@pytest.mark.parametrize("frames", [2, 5])
@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space)[:40])
def test_each_part_is_stacked_by_itself_the_oldest_first(space: Space[Any], frames: int) -> None:
    stacking = Stacking(flattened_space(space), frames)
    space.seed(0)
    sampled = [space.sample() for _ in range(frames)]
    found = stacking.stacked(some(space, frames)[np.newaxis])
    joined = by_part(sampled, space)
    if isinstance(stacking.space, Flat):
        expected = flatten_values(stacking.space, from_gymnasium(stacking.space.stated, [joined]))
    else:
        expected = np.asarray(joined).reshape(1, *(stacking.space.shape or ()))
    assert found.shape == (1, *(stacking.space.shape or ()))
    np.testing.assert_array_equal(found, expected)
    assert np.can_cast(found.dtype, storage_dtype(stacking.space), "same_kind")


@pytest.mark.parametrize("shape", [(16, 20), (16, 20, 3), (3, 16, 20), (4, 3, 16, 20), (2, 16, 20, 3)])
def test_pictures_stay_pictures_with_so_many_times_the_channels(shape: tuple[int, ...]) -> None:
    plain = Box(0, 255, shape, np.uint8)
    before, after = picture_of(plain), picture_of(Stacking(plain, 40).space)
    assert before is not None and after is not None
    assert (after.channels, after.height, after.width) == (40 * before.channels, 16, 20)


@pytest.mark.parametrize("shape", [(20,), (30, 10), (2, 8, 8)])
@pytest.mark.parametrize("frames", [2, 20])
def test_other_bytes_do_not_become_pictures(shape: tuple[int, ...], frames: int) -> None:
    assert picture_of(Stacking(Box(0, 255, shape, np.uint8), frames).space) is None


def test_the_channels_of_a_stack_are_the_same_wherever_the_colours_stand() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 20, 3), np.uint8)
    seen = []
    for values in (pixels, pixels.transpose(0, 1, 4, 2, 3)):
        stacking = Stacking(Box(0, 255, values.shape[2:], np.uint8), 3)
        picture = picture_of(stacking.space)
        assert picture is not None
        seen.append(picture.in_channels(torch.from_numpy(np.ascontiguousarray(stacking.stacked(values)))))
    assert torch.equal(*seen)
    for frame in range(3):
        assert np.array_equal(seen[0][0, 3 * frame : 3 * frame + 3], pixels[0, frame].transpose(2, 0, 1))


def test_one_frame_changes_nothing() -> None:
    space = flattened_space(MANY)
    stacking, values = Stacking(space, 1), some(MANY, 4)
    assert stacking.space is space
    assert np.array_equal(stacking.stacked(stacking.begun(values)), values)


def test_before_the_first_observation_stands_the_first() -> None:
    """Row 7 begins an episode: of rows 7, 8 and 12 the last four are these."""
    rows = rows_before(np.array([7, 8, 12]), np.array([7, 7, 7]), 4)
    assert rows.tolist() == [[7, 7, 7, 7], [7, 7, 7, 8], [9, 10, 11, 12]]


def test_observations_come_in_at_the_end_and_go_out_at_the_beginning() -> None:
    stacking = Stacking(Box(-9, 9, (1,)), 3)
    last = stacking.begun(np.array([[1.0]]))
    seen = [stacking.stacked(last)[0].tolist()]
    for number in (2.0, 3.0, 4.0):
        last = stacking.followed(last, np.array([[number]]))
        seen.append(stacking.stacked(last)[0].tolist())
    assert seen == [[1, 1, 1], [1, 1, 2], [1, 2, 3], [2, 3, 4]]
