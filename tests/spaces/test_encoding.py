"""Sizes and bounds of the spaces that networks take."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, Tuple

from gailkit.errors import UnsupportedSpaceError
from gailkit.spaces import (
    box_center_and_scale,
    check_supported,
    clip_to_space,
    encoded_size,
    flattened_space,
    storage_dtype,
)

UNEVEN = Box(np.array([-2, 0, -np.inf], np.float32), np.array([2, 10, np.inf], np.float32))


def test_an_unsupported_space_is_named() -> None:
    for call in (encoded_size, lambda space: check_supported(Discrete(2), space)):
        with pytest.raises(UnsupportedSpaceError, match=r"MultiBinary\(3\) is not supported as it is"):
            call(MultiBinary(3))


def test_of_actions_the_part_is_named_that_is_not_supported() -> None:
    whole = Dict({"grip": Discrete(2), "arm": Tuple([Box(-1, 1, (2,), np.float32), Box(0, 9, (2,), np.int64)])})
    with pytest.raises(UnsupportedSpaceError, match=r"is not supported: 'arm/1' is a Box of whole numbers"):
        check_supported(Discrete(2), flattened_space(whole))


def test_sizes() -> None:
    assert [encoded_size(space) for space in (Discrete(3, start=-1), Box(0, 1, (3, 4)), Box(0, 1, ()))] == [3, 12, 1]


def test_center_and_half_width_of_bounded_dimensions_only() -> None:
    center, scale = box_center_and_scale(UNEVEN)  # [-2, 2], [0, 10], and no bounds
    assert center.tolist() == [0, 5, 0]
    assert scale.tolist() == [2, 5, 1]


def test_actions_are_clipped_to_the_box_and_its_dtype() -> None:
    seen = clip_to_space(UNEVEN, np.array([[-9.0, 3.0, 1e9], [1.0, 99.0, -1e9]]))
    assert seen.tolist() == [[-2, 3, 1e9], [1, 10, -1e9]]
    assert seen.dtype == np.float32


def test_clipping_leaves_discrete_actions_alone() -> None:
    actions = np.array([0, 1])
    assert clip_to_space(Discrete(2), actions) is actions


def test_storage_is_float32_or_int64_and_bytes_for_images() -> None:
    assert storage_dtype(Discrete(2)) is np.int64
    assert storage_dtype(Box(0, 255, (2,), np.float64)) is np.float32
    assert storage_dtype(Box(0, 255, (2,), np.int64)) is np.float32
    assert storage_dtype(Box(0, 255, (2,), np.uint8)) is np.uint8
