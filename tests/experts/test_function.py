"""A callable sees what its environment gives; what it returns is held to the space, in a sentence to act upon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.errors import InputError
from gailkit.experts.resolve import expert_policy
from gailkit.spaces import flatten_values, from_gymnasium

STEERING = Box(np.float32(-1), np.float32(2), (1,), np.float32)

MODULE = """
seen = []

def look(observation):
    seen.append(observation)
    return [0.5]

def give(observation):
    return action
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """``module()``: the module of the callables, once a policy has imported it."""
    (tmp_path / "watchers.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.delitem(__import__("sys").modules, "watchers", raising=False)
    return lambda: __import__("watchers")


def as_text(element: Any) -> str:
    """An element with the type, dtype and shape of each of its parts."""
    if isinstance(element, dict):
        return str({name: as_text(part) for name, part in element.items()})
    if isinstance(element, tuple):
        return str(tuple(map(as_text, element)))
    return f"{np.asarray(element).tolist()} {np.asarray(element).dtype} {np.ndim(element)}"


@pytest.mark.parametrize(
    "space",
    [
        Box(-1, 1, (2,), np.float32),
        Box(0, 255, (2, 2, 3), np.uint8),
        Discrete(4, start=7),
        MultiDiscrete([3, 2], start=[1, -1]),
        MultiBinary((2, 3)),
        Tuple((Discrete(2), Box(-1, 1, (2, 3), np.float64), MultiDiscrete([2, 3]))),
        Dict({"z": Box(-1, 1, (2,), np.float32), "a": Discrete(3, start=5), "im": Box(0, 255, (2, 2), np.uint8)}),
        Dict({"inner": Dict({"b": Discrete(2), "a": MultiBinary(3)}), "t": Tuple((Box(-9, 9, (), np.float32),))}),
    ],
    ids=lambda space: type(space).__name__,
)
def test_a_callable_sees_the_elements_of_the_environments_own_space(space: Space[Any], module: Any) -> None:
    space.seed(0)
    elements = [space.sample() for _ in range(4)]
    rows = flatten_values(space, from_gymnasium(space, elements))  # as networks see them, and every policy is asked
    expert_policy("watchers:look", space, STEERING, 0)(rows)
    assert [as_text(each) for each in module().seen] == [as_text(each) for each in elements]
    assert all(space.contains(each) for each in module().seen)


def test_what_a_callable_does_to_its_observation_stays_with_it(module: Any) -> None:
    rows = np.ones((1, 2), np.float32)
    expert_policy("watchers:look", Box(-1, 1, (2,), np.float32), STEERING, 0)(rows)
    module().seen[0][:] = 7
    assert rows.tolist() == [[1.0, 1.0]]


def answer(module: Any, action: object, space: Space[Any], clip_actions: bool = False) -> np.ndarray:
    policy = expert_policy("watchers:give", Discrete(2), space, 0, clip_actions)
    module().action = action
    return policy(np.zeros(1, np.int64))[0]


WIDE = Box(-1, 1, (300, 2), np.float32)


@pytest.mark.parametrize(
    ("space", "action", "said"),
    [
        (STEERING, [2.5], "its element 0 is 2.5, above 2.0"),
        (STEERING, np.array([-np.inf]), "its element 0 is -inf, below -1.0"),
        (Box(0, 1, (), np.float64), 1.5, "it is 1.5, above 1.0"),
        (WIDE, np.where(np.arange(600).reshape(300, 2) >= 421, -3.0, 0.0), "its element 210, 1 is -3.0, below -1.0"),
    ],
)
def test_a_number_beyond_its_bound_is_named_with_what_serves(
    module: Any, space: Space[Any], action: Any, said: str
) -> None:
    with pytest.raises(InputError) as refusal:
        answer(module, action, space)
    sentence = str(refusal.value)
    assert f", and {said}; --clip-actions clips such actions" in sentence
    assert "\n" not in sentence
    assert len(sentence) < 500
    clipped = answer(module, action, space, clip_actions=True)
    np.testing.assert_array_equal(clipped, np.clip(action, space.low, space.high))
    assert clipped.dtype == space.dtype


@pytest.mark.parametrize("clip_actions", [False, True])
def test_what_is_no_number_cannot_be_clipped(module: Any, clip_actions: bool) -> None:
    with pytest.raises(InputError, match=r"its element 0 is not a number$"):
        answer(module, [np.nan], STEERING, clip_actions)


@pytest.mark.parametrize("clip_actions", [False, True])
def test_a_discrete_action_is_never_clipped(module: Any, clip_actions: bool) -> None:
    with pytest.raises(InputError, match=r"returned 3 \(int\); an action must be in Discrete\(3\)$"):
        answer(module, 3, Discrete(3), clip_actions)
    assert answer(module, 2, Discrete(3), clip_actions) == 2
