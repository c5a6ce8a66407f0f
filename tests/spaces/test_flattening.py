"""Flat values by hand, and those that have no flat form. That they are Gymnasium's is in test_every_space."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium, unflatten_values

KEYS = MultiDiscrete([2, 3], start=[5, -1])  # {5, 6} and {-1, 0, 1}


def test_whole_numbers_become_one_hot() -> None:
    flat = flatten_values(KEYS, np.array([[5, -1], [6, 1]]))
    assert flat.tolist() == [[1, 0, 1, 0, 0], [0, 1, 0, 0, 1]]


def test_parts_are_joined_in_the_order_of_the_space() -> None:
    space = Dict({"b": MultiBinary(2), "a": Tuple([Discrete(2), Box(0, 9, (1, 2))])})  # a before b
    values = from_gymnasium(space, [{"a": (1, [[7, 8]]), "b": [0, 1]}])
    assert flatten_values(space, values).tolist() == [[0, 1, 7, 8, 0, 1]]


def test_images_alone_stay_bytes() -> None:
    cameras = Tuple([Box(0, 255, (2, 2), np.uint8), Box(0, 255, (3,), np.uint8)])
    assert flattened_space(cameras) == Box(0, 255, (7,), np.uint8)
    values = from_gymnasium(cameras, [(np.full((2, 2), 255), np.arange(3))])
    assert flatten_values(cameras, values).dtype == np.uint8


@pytest.mark.parametrize("wrong", [[4, 0], [7, 0], [5, 2], [5, -2], [5, 0.5]])
def test_a_number_outside_its_set_is_refused(wrong: list[float]) -> None:
    with pytest.raises(
        InputError, match=r"'keys' is .*, which MultiDiscrete\(\[2 3\], start=\[ 5 -1\]\) does not have"
    ):
        flatten_values(Dict({"keys": KEYS}), np.array([(wrong,)], [("keys", float, 2)]))


def test_where_nothing_is_marked_there_is_no_number() -> None:
    with pytest.raises(InputError, match="an element marks none of the numbers"):
        unflatten_values(KEYS, np.array([[1, 0, 0, 0, 0]]))


def test_flat_values_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match=r"have the shape \(N, 5\); found \(2, 4\)"):
        unflatten_values(KEYS, np.ones((2, 4)))


def test_a_set_too_large_to_be_one_hot_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(UnsupportedSpaceError, match="has 1000000000003 numbers"):
        flattened_space(Tuple([MultiDiscrete([10**12]), Discrete(3)]))
