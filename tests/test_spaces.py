"""Sizes, bounds and texts of spaces."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary

from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.spaces import (
    MAX_BOX_SIZE,
    box_center_and_scale,
    check_supported,
    clip_to_space,
    encoded_size,
    space_from_json,
    space_to_json,
    storage_dtype,
)

UNEVEN = Box(np.array([-2, 0, -np.inf], np.float32), np.array([2, 10, np.inf], np.float32))

SPACES = [
    UNEVEN,
    Box(-np.inf, np.inf, (2, 3)),
    Box(0, 255, (84, 84, 4), np.uint8),
    Box(np.iinfo(np.int64).min, np.iinfo(np.int64).max, (2,), np.int64),
    Box(np.array(0.1), np.array(0.7), dtype=np.float64),
    Box(0, 1, (3,), np.float16),
    Discrete(5),
    Discrete(3, start=-1),
    Discrete(4, dtype=np.int32),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_space_comes_back_from_its_text(space: Box | Discrete) -> None:
    again = space_from_json(space_to_json(space))
    assert again == space
    assert again.dtype == space.dtype


def test_the_text_of_an_image_space_is_short() -> None:
    assert len(space_to_json(Box(0, 255, (84, 84, 4), np.uint8))) < 200


DISCRETE = {"type": "Discrete", "n": 2, "start": 0, "dtype": "int64"}
BOX = {"type": "Box", "shape": [2], "dtype": "float32", "low": [0, 0], "high": [1, 1]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "{}",
        "[" * 100_000,
        json.dumps(DISCRETE | {"type": "MultiBinary"}),
        json.dumps(DISCRETE | {"n": 0}),
        json.dumps(DISCRETE | {"n": None}),
        '{"type": "Discrete", "n": 1e999, "start": 0, "dtype": "int64"}',
        json.dumps(DISCRETE | {"dtype": "object"}),
        json.dumps(DISCRETE | {"dtype": "float32"}),
        json.dumps(BOX | {"dtype": "object"}),
        json.dumps(BOX | {"dtype": "U9"}),
        json.dumps(BOX | {"shape": [3]}),
        json.dumps(BOX | {"shape": [MAX_BOX_SIZE + 1], "low": 0, "high": 1}),
        json.dumps(BOX | {"shape": [-1], "low": 0, "high": 1}),
        json.dumps(BOX | {"low": "x"}),
        json.dumps(BOX | {"dtype": "uint8", "high": [300, 300]}),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        space_from_json(text)


def test_an_unsupported_space_is_named() -> None:
    for call in (space_to_json, encoded_size, lambda space: check_supported(Discrete(2), space)):
        with pytest.raises(UnsupportedSpaceError, match=r"MultiBinary.*supported are Box"):
            call(MultiBinary(3))


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


def test_storage_is_float32_or_int64() -> None:
    assert storage_dtype(Discrete(2)) is np.int64
    assert storage_dtype(Box(0, 255, (2,), np.uint8)) is np.float32
