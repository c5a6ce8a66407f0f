"""What holds of every space that can be stored, tried on random ones nested at random; Gymnasium is the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple, flatten, flatten_space, unflatten
from hypothesis import given, settings
from hypothesis import strategies as st

from gailkit.spaces import (
    array_dtype,
    assemble,
    flatten_values,
    flattened_space,
    from_gymnasium,
    leaf,
    leaves,
    misfit,
    space_from_json,
    space_from_minari_json,
    space_to_json,
    space_to_minari_json,
    to_gymnasium,
    unflatten_values,
)

INTEGERS = st.sampled_from([np.int64, np.int32, np.int8])


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Of real and of whole numbers, unbounded or with bounds of its own in every dimension."""
    dtype = draw(st.sampled_from([np.float64, np.float32, np.float16, np.uint8, np.int64, np.int16]))
    shape = draw(st.sampled_from([(), (1,), (2,), (2, 3)]))
    if np.issubdtype(dtype, np.floating) and draw(st.booleans()):
        return Box(-np.inf, np.inf, shape, dtype)
    size = int(np.prod(shape))
    low = np.array(draw(st.lists(st.integers(0, 50), min_size=size, max_size=size)), dtype).reshape(shape)
    return Box(low, (low + draw(st.integers(1, 9))).astype(dtype), shape, dtype)


@st.composite
def discretes(draw: st.DrawFn) -> Discrete[Any]:
    return Discrete(draw(st.integers(1, 5)), start=draw(st.integers(-3, 3)), dtype=draw(INTEGERS))


@st.composite
def multi_discretes(draw: st.DrawFn) -> MultiDiscrete[Any]:
    shape = draw(st.sampled_from([(1,), (4,), (2, 2)]))
    size = int(np.prod(shape))
    nvec = np.array(draw(st.lists(st.integers(1, 4), min_size=size, max_size=size))).reshape(shape)
    start = np.array(draw(st.lists(st.integers(-3, 3), min_size=size, max_size=size))).reshape(shape)
    return MultiDiscrete(nvec, dtype=draw(INTEGERS), start=start)


def nested(parts: st.SearchStrategy[Space[Any]]) -> st.SearchStrategy[Space[Any]]:
    """Dicts, sorted and not, and Tuples of ``parts``."""
    several = st.lists(parts, min_size=1, max_size=3)
    names = ["position", "b", "Ärmel 2"]
    return st.one_of(
        several.map(Tuple),
        several.map(lambda found: Dict(dict(zip(names, found, strict=False)))),
        several.map(lambda found: Dict(list(zip(names, found, strict=False)))),
    )


LEAVES = st.one_of(boxes(), discretes(), multi_discretes(), st.sampled_from([MultiBinary(3), MultiBinary([2, 2])]))
SPACES = st.recursive(LEAVES, nested, max_leaves=5)
every_space = given(SPACES, st.integers(0, 2**31))
quickly = settings(max_examples=60, deadline=None)


def samples_of(space: Space[Any], seed: int, count: int = 4) -> list[Any]:
    space.seed(seed)
    return [space.sample() for _ in range(count)]


def same_element(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_element(one[name], other[name]) for name in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same_element, one, other))
    return np.asarray(one).dtype == np.asarray(other).dtype and np.array_equal(one, other)


@quickly
@every_space
def test_elements_come_back_from_the_array_that_holds_them(space: Space[Any], seed: int) -> None:
    samples = samples_of(space, seed)
    values = from_gymnasium(space, samples)
    again = [to_gymnasium(space, values, index) for index in range(len(samples))]
    assert all(map(same_element, samples, again))
    assert all(space.contains(element) for element in again)
    assert misfit(space, values) is None


@quickly
@every_space
def test_the_array_is_assembled_from_its_leaves(space: Space[Any], seed: int) -> None:
    values = from_gymnasium(space, samples_of(space, seed))
    arrays = {path: leaf(values, path) for path, _ in leaves(space)}
    again = assemble(space, arrays)
    assert again.dtype == values.dtype and np.array_equal(again, values)
    assert np.empty(4, array_dtype(space)).dtype == values.dtype
    for path, own in leaves(space):
        assert arrays[path].shape == (4, *own.shape) and arrays[path].dtype == own.dtype


@quickly
@every_space
def test_flattening_is_that_of_gymnasium_applied_to_each_element(space: Space[Any], seed: int) -> None:
    samples = samples_of(space, seed)
    values = from_gymnasium(space, samples)
    if isinstance(space, Box | Discrete):
        assert flattened_space(space) is space and flatten_values(space, values) is values
        space, values = Tuple([space]), from_gymnasium(Tuple([space]), samples := [(one,) for one in samples])
    expected = np.stack([flatten(space, sample) for sample in samples])
    flat = flatten_values(space, values)
    assert flat.dtype == expected.dtype and np.array_equal(flat, expected)
    assert flattened_space(space) == flatten_space(space)
    assert misfit(flattened_space(space), flat) is None


@quickly
@every_space
def test_unflattening_is_that_of_gymnasium_and_the_inverse(space: Space[Any], seed: int) -> None:
    values = from_gymnasium(space, samples_of(space, seed))
    flat = flatten_values(space, values)
    again = unflatten_values(space, flat)
    assert again.dtype == values.dtype and np.array_equal(again, values)
    if not isinstance(space, Box | Discrete):
        assert same_element(to_gymnasium(space, again, 2), unflatten(space, flat[2]))


@quickly
@given(SPACES)
def test_a_space_comes_back_from_its_text(space: Space[Any]) -> None:
    again = space_from_json(space_to_json(space))
    assert again == space
    assert array_dtype(again) == array_dtype(space)  # also the order of the parts, which == does not look at
    assert space_to_json(again) == space_to_json(space)


@quickly
@given(SPACES)
def test_minari_and_gailkit_write_the_same_text_and_read_the_same_space(space: Space[Any]) -> None:
    reason = "NOT TESTED against Minari's own description of spaces: it is not installed"
    serialization = pytest.importorskip("minari.serialization", reason=reason)
    text = serialization.serialize_space(space)
    assert space_to_minari_json(space) == text
    assert space_from_minari_json(text) == serialization.deserialize_space(text)
