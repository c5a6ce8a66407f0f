"""Words in Dicts of observations: found wherever they are, left out of spaces and elements, and of nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, Text, Tuple
from hypothesis import given, settings
from hypothesis import strategies as st

from gailkit.spaces import as_batch, flattened_space, leave_out_text, leaves, text_parts, without_text


class Mission(Space[str]):
    """A space of words that is no Text, as MiniGrid's."""

    def __init__(self) -> None:
        super().__init__(dtype=str)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        return "go to the door"

    def contains(self, x: Any) -> bool:
        return isinstance(x, str)


NUMBERS = st.sampled_from([Discrete(3, start=-1), Box(-1, 1, (2,)), Tuple([Discrete(2), Box(0, 1, ())])])
WORDS = st.sampled_from([Text(5), Mission()])


def dicts(parts: st.SearchStrategy[Space[Any]]) -> st.SearchStrategy[Space[Any]]:
    return st.lists(parts, min_size=1, max_size=3).map(lambda found: Dict(dict(zip("bca", found, strict=False))))


DICTS = dicts(st.recursive(NUMBERS | WORDS, dicts, max_leaves=6))


def words_in(element: Any) -> int:
    return sum(map(words_in, element.values())) if isinstance(element, dict) else isinstance(element, str)


def numbers_in(element: Any) -> list[Any]:
    """Its parts that are no words, in order."""
    if isinstance(element, dict):
        return [each for part in element.values() for each in numbers_in(part)]
    return [] if isinstance(element, str) else [element]


@settings(max_examples=60, deadline=None)
@given(DICTS)
def test_all_words_are_left_out_and_all_numbers_stay(space: Dict) -> None:
    element = space.sample()
    assert len(text_parts(space)) == words_in(element)
    if not numbers_in(element):
        assert without_text(space) is space
        return
    seen = without_text(space)
    leaves(seen)  # every part is of a kind that is supported
    assert isinstance(seen, Dict) and not text_parts(seen)
    left = leave_out_text(seen, element)
    assert seen.contains(left)
    assert [id(each) for each in numbers_in(left)] == [id(each) for each in numbers_in(element)]


def test_nothing_is_done_where_there_are_no_words() -> None:
    for space in (Discrete(2), Dict(a=Discrete(2)), Tuple([Text(3)]), Text(3)):
        assert without_text(space) is space and text_parts(space) == []


SEEN = Dict(image=Box(0, 255, (2,), np.uint8), inner=Dict(way=Discrete(4)))


@pytest.mark.parametrize("mission", ["go", ["go", "come"], ("go", "come"), np.array(["go", "come"]), {"first": "go"}])
def test_a_policy_is_shown_what_the_environment_shows(mission: Any) -> None:
    """One observation or several, with the words that the networks were not given."""
    shown = {"image": np.array([[1, 2], [3, 4]], np.uint8), "inner": {"way": np.array([0, 3])}}
    expected = as_batch(flattened_space(SEEN), shown).values
    assert np.array_equal(expected, [[1, 2, 1, 0, 0, 0], [3, 4, 0, 0, 0, 1]])
    assert np.array_equal(as_batch(flattened_space(SEEN), {**shown, "mission": mission}).values, expected)


@pytest.mark.parametrize("other", [1, [1], np.zeros(2), [], {}, ["go", 1]])
def test_what_else_a_space_does_not_know_is_left_to_be_refused(other: Any) -> None:
    assert leave_out_text(SEEN, {"image": 1, "other": other}) == {"image": 1, "other": other}
