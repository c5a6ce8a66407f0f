"""What held keys mean: every action can be had, and what cannot be understood is refused with what can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, Tuple
from hypothesis import given
from hypothesis import strategies as st

from gailkit.errors import InputError
from gailkit.experts.keys_to_actions import (
    DISCRETE_KEYS,
    FAMILIAR,
    KEY_NAMES,
    KEYS_BY_NUMBER,
    SESSION_KEYS,
    choose_keys,
    usual_keys,
)
from gailkit.spaces import flattened_space

PAIR = flattened_space(Tuple([Discrete(2)]))
PLANE = Box(np.array([-2, 0], np.float32), np.array([1, 3], np.float32))
HELD = st.lists(st.sampled_from(KEY_NAMES), unique=True, max_size=6)


def value(text: str | None, space: Space[Any], *held: str, env_id: str = "Any-v0") -> Any:
    action = choose_keys(text, space, env_id).action(held)
    return None if action is None else np.asarray(action).tolist()


def test_of_several_keys_the_one_pressed_last_decides() -> None:
    space = Discrete(3)
    assert [value(None, space, *held) for held in (["left"], ["left", "right"], ["right", "left"])] == [0, 2, 0]
    assert value(None, space, "right", "x") == 2  # a key without a meaning does not stand in the way


def test_without_a_key_it_does_what_none_says_or_waits() -> None:
    assert value("left=0,none=2", Discrete(3)) == 2
    assert value("left=0,none=wait", Discrete(3)) is None
    assert value("a=0,d=2", Discrete(3)) == 1  # as usual for three actions: the middle one
    assert value("a=7", Discrete(99)) == 0  # nothing is usual for so many: the first


@given(st.integers(1, len(KEYS_BY_NUMBER)), st.integers(-5, 5))
def test_the_usual_keys_reach_every_action(count: int, start: int) -> None:
    space = Discrete(count, start=start)
    keys = choose_keys(None, space, "Any-v0")
    reached = {int(np.asarray(keys.action([key]))) for key in keys.keys}
    assert reached | {int(np.asarray(keys.action([])))} == set(range(start, start + count))


@given(HELD, st.sampled_from([*DISCRETE_KEYS, 7]))
def test_an_action_is_one_of_the_space_as_a_policy_would_give_it(held: list[str], count: int) -> None:
    action = choose_keys(None, Discrete(count), "Any-v0").action(held)
    assert isinstance(action, np.int64)
    assert Discrete(count).contains(action)


@pytest.mark.parametrize(
    ("held", "action"),
    [
        ([], [0, 0]), (["left"], [-2, 0]), (["right"], [1, 0]), (["up"], [0, 3]), (["left", "up"], [-2, 3]),
        (["left", "right"], [0, 0]), (["left", "right", "up"], [0, 3]), (["x"], [0, 0]),
    ],
)  # fmt: skip
def test_a_key_pushes_a_dimension_to_its_bound_and_opposite_keys_cancel(held: list[str], action: list[float]) -> None:
    assert value(None, PLANE, *held) == action


@given(HELD, st.integers(1, 8), st.floats(-4, 4, width=32), st.floats(0, 4, width=32))
def test_an_action_lies_in_its_box_and_is_at_rest_without_a_key(
    held: list[str], size: int, low: float, width: float
) -> None:
    space = Box(low, low + width, (size,), np.float32)
    keys = choose_keys(None, space, "Any-v0")
    assert space.contains(keys.action(held))
    np.testing.assert_array_equal(keys.action([]), np.clip(np.zeros(size, np.float32), space.low, space.high))


def test_two_keys_may_push_the_same_way_and_one_opposite_key_cancels_both() -> None:
    text = "left=0-,a=0-,right=0+"
    assert value(text, PLANE, "left", "a") == [-2, 0]
    assert value(text, PLANE, "left", "a", "right") == [0, 0]


@pytest.mark.parametrize("huge", [np.inf, np.finfo(np.float32).max])
def test_where_there_is_no_bound_a_push_is_one_away_from_rest(huge: float) -> None:
    space = Box(np.array([5, -huge], np.float32), np.array([huge, huge], np.float32))
    assert value(None, space, "right", "down") == [6, -1]
    assert value(None, space, "left") == [5, 0]


def test_a_box_of_any_shape_is_counted_as_if_it_were_flat() -> None:
    space = Box(-1, 1, (2, 2), np.float64)
    action = choose_keys("w=2+,s=3-", space, "Any-v0").action(["w", "s"])
    np.testing.assert_array_equal(action, [[0, 0], [1, -1]])
    assert action is not None
    assert action.dtype == np.float64


def test_familiar_environments_have_keys_that_suit_what_their_numbers_mean() -> None:
    lake = choose_keys(None, Discrete(4), "FrozenLake-v1")
    assert [lake.action([key]) for key in ("left", "down", "right", "up")] == [0, 1, 2, 3]
    assert lake.action([]) is None
    assert value(None, Discrete(4), "up", env_id="some.module:games/FrozenLake-v9") == 3
    assert value(None, Discrete(4), "up", env_id="LunarLander-v3") == 2  # the main engine
    assert value(None, Box(-1, 1, (2,)), "up", env_id="LunarLander-v3") == [1, 0]


@pytest.mark.parametrize(("name", "count"), FAMILIAR)
def test_the_keys_of_familiar_environments_can_be_read(name: str, count: int) -> None:
    boxed = "+" in FAMILIAR[name, count]
    space: Space[Any] = Box(-1, 1, (count,)) if boxed else Discrete(count)
    assert choose_keys(None, space, f"{name}-v1").keys


def test_a_legend_tells_every_key_what_it_does() -> None:
    assert choose_keys("left=0,a=1,none=wait", Discrete(2), "Any-v0").legend() == ["left: 0", "a: 1", "no key: wait"]
    assert choose_keys("left=0-,w=1+", PLANE, "Any-v0").legend() == ["left: a[0] = -2", "w: a[1] = 3"]


def test_case_and_blanks_do_not_matter() -> None:
    assert value(" Left Shift = 1 , NONE=0", Discrete(2), "left shift") == 1


@pytest.mark.parametrize(
    ("text", "space", "said"),
    [
        ("left", Discrete(2), "'left' says nothing of a key; accepted is KEY=ACTION,..., such as left=0,right=1"),
        ("", Discrete(2), "accepted is KEY=ACTION"),
        ("none=0", Discrete(2), "'none=0' gives no key a meaning"),
        ("lef=0", Discrete(2), "no key is called 'lef'; near matches: left.*; accepted are left, right, up, down, sp"),
        ("ö=0", Discrete(2), "no key is called 'ö'; accepted are"),
        ("escape=0", Discrete(2), "the key 'escape' steers the recording, as do escape, return, backspace, p, u"),
        ("left=0,left=1", Discrete(2), "'left' is given twice, 0 and 1"),
        ("left=2", Discrete(2), "left=2 names no action; those of this environment are 0 to 1$"),
        ("left=-1", Discrete(2), "names no action"),
        ("left=" + "9" * 5000, Discrete(2), "names no action"),
        ("left=wait", Discrete(2), "names no action"),
        ("left=0,none=", Discrete(2), "none= names no action; those of this environment are 0 to 1, or wait"),
        ("left=0", PLANE, "left=0 pushes nothing; accepted is a dimension, 0 to 1, and - or \\+, such as left=0\\+"),
        ("left=2-", PLANE, "left=2- pushes nothing"),
        ("left=-", PLANE, "pushes nothing"),
        ("left=0-,none=0", PLANE, "'none' is not for a Box"),
        (None, Discrete(99), f"for 99 actions there are no usual keys, only for {len(KEYS_BY_NUMBER)}; name some: --k"),
        (None, Box(-1, 1, (17,)), "for 17 dimensions there are no usual keys, only for 8"),
        (
            None,
            PAIR,
            r"no keys for the action space Tuple\(Discrete\(2\)\); there are for Box, Discrete, MultiDiscrete",
        ),
        ("left=0", PAIR, "no keys for the action space"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_what_can(text: str | None, space: Space[Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        choose_keys(text, space, "Any-v0")


def test_the_usual_keys_can_be_typed_again() -> None:
    for space in (Discrete(2), Discrete(9), Discrete(3, start=1), PLANE):
        typed = usual_keys(space, "Any-v0")
        assert choose_keys(typed, space, "Any-v0").legend() == choose_keys(None, space, "Any-v0").legend()


def test_the_names_of_keys_are_those_of_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame", reason="NOT TESTED the names of keys: no pygame here")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.display.init()
    try:
        for name in (*KEY_NAMES, *SESSION_KEYS):
            assert pygame.key.name(pygame.key.key_code(name)) == name
    finally:
        pygame.display.quit()


def test_no_usual_key_steers_the_recording() -> None:
    for space in (*map(Discrete, range(1, len(KEYS_BY_NUMBER) + 1)), Box(-1, 1, (8,))):
        assert not choose_keys(None, space, "Any-v0").keys & set(SESSION_KEYS)
