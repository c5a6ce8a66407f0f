"""Spaces as texts: the one of gailkit is held to the letter, and what others write may be hostile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.spaces import MAX_BOX_SIZE, space_from_json, space_from_minari_json, space_to_json

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
    MultiDiscrete([[2, 3]], dtype=np.int32, start=[[-1, 9]]),
    MultiBinary(3),
    MultiBinary([3]),
    Dict([("b", Discrete(2)), ("a", Tuple([Box(0, 1, (2,)), Dict({"x": MultiBinary([2, 2])})]))]),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_space_comes_back_from_its_text(space: Space[Any]) -> None:
    again = space_from_json(space_to_json(space))
    assert again == space
    assert again.dtype == space.dtype
    assert repr(again) == repr(space)  # also the order of the parts, which == does not look at


def test_the_texts_are_those_that_stand_in_files() -> None:
    bounds = '"low": [-2.0, 0.0, -Infinity], "high": [2.0, 10.0, Infinity]'
    uneven = '{"type": "Box", "shape": [3], "dtype": "float32", ' + bounds + "}"
    assert space_to_json(UNEVEN) == uneven
    assert space_to_json(Discrete(3, start=-1)) == '{"type": "Discrete", "n": 3, "start": -1, "dtype": "int64"}'
    pair = Tuple([MultiBinary(3), MultiDiscrete([2, 3])])
    assert space_to_json(Dict({"a": pair})) == (
        '{"type": "Dict", "spaces": [["a", {"type": "Tuple", "spaces": [{"type": "MultiBinary", "n": 3}, '
        '{"type": "MultiDiscrete", "nvec": [2, 3], "start": [0, 0], "dtype": "int64"}]}]]}'
    )


def test_the_text_of_an_image_space_is_short() -> None:
    assert len(space_to_json(Box(0, 255, (84, 84, 4), np.uint8))) < 200


DISCRETE = {"type": "Discrete", "n": 2, "start": 0, "dtype": "int64"}
BOX = {"type": "Box", "shape": [2], "dtype": "float32", "low": [0, 0], "high": [1, 1]}


DISCRETES = {"type": "MultiDiscrete", "nvec": [2, 3], "start": [0, 0], "dtype": "int64"}


def nested(levels: int) -> dict[str, Any]:
    """A Tuple of a Tuple of ... of a Discrete."""
    space: dict[str, Any] = DISCRETE
    for _ in range(levels):
        space = {"type": "Tuple", "spaces": [space]}
    return space


def named(*parts: Any) -> dict[str, Any]:
    return {"type": "Dict", "spaces": list(parts)}


NOT_SPACES = [
    None,
    3,
    "Discrete",
    [],
    {},
    {"type": []},
    DISCRETE | {"type": "Text"},
    DISCRETE | {"n": 0},
    DISCRETE | {"n": None},
    DISCRETE | {"n": 2.5},
    DISCRETE | {"n": "2"},
    DISCRETE | {"n": True},
    DISCRETE | {"n": 2**70},
    DISCRETE | {"n": float("inf")},
    BOX | {"shape": [3]},
    BOX | {"shape": ["2"]},
    BOX | {"shape": [2.0]},
    BOX | {"shape": 2},
    BOX | {"shape": [MAX_BOX_SIZE + 1], "low": 0, "high": 1},
    BOX | {"shape": [2**40, 2**40], "low": 0, "high": 1},
    BOX | {"shape": [-1], "low": 0, "high": 1},
    BOX | {"shape": [1] * 100, "low": 0, "high": 1},
    BOX | {"dtype": "object"},
    BOX | {"dtype": "U9"},
    BOX | {"dtype": "float128"},
    BOX | {"dtype": "i4,i4"},
    BOX | {"low": "x"},
    BOX | {"low": ["0", "0"]},
    BOX | {"low": [None, 0]},
    BOX | {"low": [[0], [0, 0]]},
    BOX | {"low": {}},
    BOX | {"low": float("nan")},
    BOX | {"dtype": "uint8", "high": [300, 300]},
    BOX | {"dtype": "int64", "high": [0.5, 1]},
    DISCRETES | {"nvec": [2, 0]},
    DISCRETES | {"nvec": [2, 2.5]},
    DISCRETES | {"nvec": [2, 2**70]},
    DISCRETES | {"start": [0]},
    DISCRETES | {"dtype": "float32"},
    DISCRETES | {"dtype": "int8", "nvec": [200, 2]},
    {"type": "MultiBinary", "n": 0},
    {"type": "MultiBinary", "n": [2, -3]},
    {"type": "MultiBinary", "n": [2**20, 2**20]},
    {"type": "MultiBinary", "n": "3"},
    {"type": "MultiBinary", "n": True},
    {"type": "MultiBinary"},
]


@pytest.mark.parametrize("fields", NOT_SPACES, ids=str)
def test_what_is_no_space_is_refused_in_either_language(fields: Any) -> None:
    text = json.dumps(fields)
    for read in (space_from_json, space_from_minari_json):
        with pytest.raises(InputError):
            read(text)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"n": 1e999}', "\ud800"], ids=lambda text: text[:9])
def test_what_is_no_json_is_refused_in_either_language(text: str) -> None:
    for read in (space_from_json, space_from_minari_json):
        with pytest.raises(InputError):
            read(text)


@pytest.mark.parametrize("dtype", ["object", "float32"])
def test_a_discrete_space_of_other_things_is_refused(dtype: str) -> None:
    with pytest.raises(InputError):
        space_from_json(json.dumps(DISCRETE | {"dtype": dtype}))


@pytest.mark.parametrize(
    "fields",
    [
        named(),
        named(["a", DISCRETE], ["a", DISCRETE]),
        named(["", DISCRETE]),
        named(["a\0", DISCRETE]),
        named(["\ud800", DISCRETE]),
        named([1, DISCRETE]),
        named([[], DISCRETE]),
        named(["a"]),
        named(["a", None]),
        named(DISCRETE),
        {"type": "Dict", "spaces": {"a": DISCRETE}},
        {"type": "Dict"},
        {"type": "Tuple", "spaces": []},
        {"type": "Tuple", "spaces": "ab"},
        {"type": "Tuple", "spaces": [DISCRETE] * 20_000},
        {"type": "Tuple", "spaces": [BOX | {"shape": [2**25], "low": 0, "high": 1}] * 3},
        {"type": "Tuple", "spaces": [{"type": "MultiBinary", "n": 2**25}] * 3},
        nested(32),
        nested(400),
    ],
    ids=lambda fields: json.dumps(fields)[:60],
)
def test_parts_that_cannot_be_held_are_refused(fields: Any) -> None:
    with pytest.raises(InputError):
        space_from_json(json.dumps(fields))


def test_as_many_levels_as_are_allowed_are_read() -> None:
    assert space_to_json(space_from_json(json.dumps(nested(31)))) == json.dumps(nested(31))


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "Dict", "subspaces": [1]}',
        '{"type": "Dict", "subspaces": {"": {"type": "Discrete", "n": 2}}}',
        '{"type": "Tuple", "subspaces": {"a": 1}}',
        '{"type": "Tuple", "subspaces": 3}',
        '{"type": "Tuple", "subspaces": [' * 900 + "3" + "]}" * 900,
        '{"type": "Tuple", "subspaces": [' * 40 + '{"type": "Discrete", "n": 2}' + "]}" * 40,
        '{"type": "MultiDiscrete", "dtype": "int64", "nvec": ' + "[" * 900 + "]" * 900 + "}",
    ],
    ids=lambda text: text[:60],
)
def test_hostile_texts_in_the_manner_of_minari_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        space_from_minari_json(text)


def test_a_text_space_of_minari_is_named() -> None:
    text = '{"type": "Text", "max_length": 3, "min_length": 1, "charset": "ab"}'
    with pytest.raises(UnsupportedSpaceError, match="type 'Text' is not supported; supported are Box, Discrete, Multi"):
        space_from_minari_json('{"type": "Dict", "subspaces": {"mission": ' + text + "}}")


def test_older_versions_of_minari_left_out_where_sets_start() -> None:
    assert space_from_minari_json('{"type": "Discrete", "n": 3}') == Discrete(3)
    text = '{"type": "MultiDiscrete", "dtype": "int32", "nvec": [[2, 3]]}'
    assert space_from_minari_json(text) == MultiDiscrete([[2, 3]], dtype=np.int32)


@pytest.mark.parametrize(
    ("folder", "env_id"), [("CartPole/scripted-v0", "CartPole-v1"), ("Pendulum/random-v0", "Pendulum-v1")]
)
def test_the_spaces_of_data_sets_that_minari_wrote(experts_folder: Path, folder: str, env_id: str) -> None:
    text = (experts_folder / "minari" / folder / "data" / "metadata.json").read_text(encoding="utf-8")
    env, stated = gymnasium.make(env_id), json.loads(text)
    for name in ("observation_space", "action_space"):
        assert space_from_minari_json(stated[name]) == getattr(env, name)
