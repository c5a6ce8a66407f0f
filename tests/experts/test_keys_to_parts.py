"""Several keys at once: what they mean where an action consists of several choices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import MultiBinary, MultiDiscrete

from gailkit.errors import InputError
from gailkit.experts.keys_to_actions import choose_keys, usual_keys
from gailkit.spaces import flattened_space, unflatten_values

PAD = MultiDiscrete([3, 2, 3], start=[-1, 0, 5])
BUTTONS = MultiBinary((2, 2))


def pressed(space: Space[Any], held: list[str], text: str | None = None) -> list[int]:
    """The numbers of the action that held keys mean, as the environment takes them."""
    flat = flattened_space(space)
    action = choose_keys(text, flat, "Any-v0").action(held)
    assert flat.contains(np.asarray(action))
    return unflatten_values(flat, np.asarray(action)[np.newaxis])[0].reshape(-1).tolist()


@pytest.mark.parametrize(
    ("held", "numbers"),
    [
        ([], [0, 0, 6]),  # the middle of three, the first of two
        (["left"], [-1, 0, 6]),
        (["right", "up", "a"], [1, 1, 5]),
        (["left", "right"], [1, 0, 6]),  # the one pressed last
        (["right", "left"], [-1, 0, 6]),
        (["space"], [0, 0, 6]),
    ],
)
def test_every_component_has_keys_of_its_own(held: list[str], numbers: list[int]) -> None:
    assert pressed(PAD, held) == numbers


def test_bits_have_a_key_each() -> None:
    assert usual_keys(flattened_space(BUTTONS), "Any-v0") == "left=0:1,right=1:1,down=2:1,up=3:1"
    assert pressed(BUTTONS, ["up", "left"]) == [1, 0, 0, 1]


def test_keys_may_be_named_and_what_no_key_means() -> None:
    text = "q=0:0,w=2:7,none=1/1/5"
    assert pressed(PAD, [], text) == [1, 1, 5]
    assert pressed(PAD, ["q", "w"], text) == [0, 1, 7]
    assert choose_keys(text, flattened_space(PAD), "Any-v0").legend() == ["q: a[0] = 0", "w: a[2] = 7", "no key: 1 1 5"]


@pytest.mark.parametrize("space", [PAD, BUTTONS])
def test_the_usual_keys_can_be_typed_again(space: Space[Any]) -> None:
    flat = flattened_space(space)
    usual = choose_keys(None, flat, "Any-v0")
    assert choose_keys(usual_keys(flat, "Any-v0"), flat, "Any-v0").legend() == usual.legend()


@pytest.mark.parametrize(
    ("text", "space", "said"),
    [
        ("left=0", PAD, r"left=0 presses nothing; accepted is a component, 0 to 2, and its number, such as left=0:1"),
        ("left=3:0", PAD, "left=3:0 presses nothing"),
        ("left=2:8", PAD, "left=2:8 is no number of component 2, which has 5 to 7"),
        ("left=0:0,none=0/0", PAD, r"none=0/0 is no action of MultiDiscrete.*; accepted is .*, such as none=0/0/6"),
        ("left=0:0,none=0/0/9", PAD, "none=0/0/9 is no action"),
        (
            None,
            MultiDiscrete([4]),
            r"for MultiDiscrete\(\[4\]\) there are no usual keys, only for 8 components of up to 3",
        ),
        (None, MultiDiscrete([3] * 9), "there are no usual keys"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_what_can(text: str | None, space: Space[Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        choose_keys(text, flattened_space(space), "Any-v0")
