"""Dicts and tuples in structured arrays: what they look like, and which spaces have none."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, Graph, MultiBinary, MultiDiscrete, OneOf, Sequence, Text, Tuple

from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.spaces import (
    array_dtype,
    assemble,
    brief,
    flattened_space,
    is_composite,
    leaf,
    leaves,
    misfit,
    space_to_json,
)

CAMERA, JOINTS = Box(0, 255, (4, 5, 3), np.uint8), Box(-1, 1, (2,))
ROBOT = Dict({"see": CAMERA, "feel": Tuple([JOINTS, Discrete(3)])})


def robot_arrays(count: int = 2) -> dict[tuple[str, ...], np.ndarray]:
    return {
        ("feel", "0"): np.arange(2.0 * count, dtype=np.float32).reshape(count, 2),
        ("feel", "1"): np.arange(count),
        ("see",): np.full((count, 4, 5, 3), 7, np.uint8),
    }


def test_fields_are_nested_and_ordered_as_the_space_is() -> None:
    # Gymnasium sorts the parts of a Dict that is made from a dict; pairs stay in their order
    feel = [("0", "<f4", (2,)), ("1", "<i8")]
    assert array_dtype(ROBOT) == np.dtype([("feel", feel), ("see", "u1", (4, 5, 3))])
    unsorted = Dict([("see", CAMERA), ("feel", JOINTS)])
    assert array_dtype(unsorted).names == ("see", "feel")


def test_leaves_without_fields_keep_dtype_and_shape() -> None:
    expected: list[tuple[Space[Any], tuple[int, ...], type]] = [
        (CAMERA, (4, 5, 3), np.uint8),
        (Discrete(3, dtype=np.int32), (), np.int32),
        (MultiDiscrete([[2, 3]], dtype=np.int8), (1, 2), np.int8),
        (MultiBinary([2, 2]), (2, 2), np.int8),
    ]
    for space, shape, dtype in expected:
        values = np.empty(6, array_dtype(space))
        assert values.shape == (6, *shape) and values.dtype == dtype
        assert leaves(space) == [((), space)] and not is_composite(space)


def test_an_image_in_a_dict_is_held_as_bytes() -> None:
    assert array_dtype(ROBOT).itemsize == 4 * 5 * 3 + 2 * 4 + 8


def test_a_leaf_is_a_view() -> None:
    values = np.zeros(3, array_dtype(ROBOT))
    leaf(values, ("feel", "0"))[1] = [5, 6]
    assert values["feel"]["0"].tolist() == [[0, 0], [5, 6], [0, 0]]


def test_slices_and_concatenations_of_structured_values_are_those_of_their_leaves() -> None:
    values = assemble(ROBOT, robot_arrays(3))
    joined = np.concatenate([values[2:], values[:2]])
    assert joined.dtype == values.dtype
    assert leaf(joined, ("feel", "1")).tolist() == [2, 0, 1]
    assert joined.tobytes() == values[[2, 0, 1]].tobytes()


def test_arrays_are_not_rounded_to_the_dtype_of_the_space() -> None:
    precise = robot_arrays() | {("feel", "0"): np.full((2, 2), 0.1)}
    values = assemble(ROBOT, precise)
    assert leaf(values, ("feel", "0")).tolist() == [[0.1, 0.1]] * 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({("see",): np.zeros((2, 4, 5), np.uint8)}, r"'see' must have the shape (2, 4, 5, 3); found (2, 4, 5)"),
        ({("feel", "1"): np.zeros(1, int)}, r"'feel/1' must have the shape (2,); found (1,)"),
        ({("hear",): np.zeros(2)}, r"'feel/0', 'feel/1', 'see' is assembled from one array for each; found"),
    ],
)
def test_arrays_that_do_not_fit_are_named(changed: dict[tuple[str, ...], np.ndarray], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        assemble(ROBOT, robot_arrays() | changed)


def test_an_array_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match=r"found arrays of 'feel/0', 'feel/1'$"):
        assemble(ROBOT, {path: array for path, array in robot_arrays().items() if path != ("see",)})


@pytest.mark.parametrize(
    "space",
    [
        Text(3),
        Sequence(Discrete(2)),
        Graph(Discrete(2), None),
        OneOf([Discrete(2)]),
        Dict({"mission": Text(3)}),
        Tuple([Tuple([Text(3)])]),
        Dict(),
        Tuple([]),
        Dict({"": Discrete(2)}),
        Dict({"a\0": Discrete(2)}),
        Dict({1: Discrete(2)}),
    ],
    ids=repr,
)
def test_other_spaces_are_refused_by_whatever_meets_them(space: Space[Any]) -> None:
    for call in (leaves, array_dtype, space_to_json, flattened_space, lambda own: misfit(own, np.zeros(1))):
        with pytest.raises(UnsupportedSpaceError, match="not supported"):
            call(space)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (Sequence(Discrete(2)), r"^the space Sequence\(.*\) is not supported; supported are Box"),
        (Dict({"arm": Tuple([Discrete(2), Text(3)])}), r"^the space Text\(.*\) of 'arm/1' is not supported; supported"),
        (Dict({"arm": Dict({1: Discrete(2)})}), r"^the space Dict\(.*\) of 'arm' is not supported: it needs at least"),
    ],
)
def test_a_part_that_is_refused_is_named(space: Space[Any], said: str) -> None:
    with pytest.raises(UnsupportedSpaceError, match=said):
        leaves(space)


@pytest.mark.parametrize(
    ("space", "name"),
    [
        (Box(-1, 1, (0,)), "an element"),
        (Dict({"a": Discrete(2), "b": Tuple((Discrete(2), Box(0, 1, (3, 0))))}), "'b/1'"),
        (Dict({"a": MultiDiscrete([])}), "'a'"),
    ],
)
def test_a_part_without_a_number_is_refused(space: Space[Any], name: str) -> None:
    with pytest.raises(UnsupportedSpaceError, match=f"{name} holds no number, as its shape is"):
        leaves(space)


def test_what_a_message_names_is_cut_off_where_it_is_long() -> None:
    wide = Box(-np.arange(1.0, 501.0), np.arange(1.0, 501.0), dtype=np.float64)
    assert len(brief(wide)) == 200
    assert re.match(r"Box\(\[ *-1\. +-2\.", brief(wide))
    assert brief(Discrete(3)) == "Discrete(3)"
