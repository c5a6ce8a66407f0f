"""Held keys to an action: what a person's hands mean in an environment. Nothing here needs a window."""

from __future__ import annotations

import difflib
import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.experts.key_map import NO_KEY, KeyMap
from gailkit.experts.keys_to_parts import part_keys, usual_part_keys
from gailkit.spaces import Flat, brief, is_composite, stated_space

ARROWS = ("left", "right", "up", "down")
OTHERS = ("space", "tab", "home", "end", "insert", "delete", "left shift", "right shift", "left ctrl", "right ctrl")
KEY_NAMES = (*ARROWS, *OTHERS, *string.digits, *string.ascii_lowercase)
ACCEPTED_KEYS = f"{', '.join((*ARROWS, *OTHERS))}, 0 to 9 and a to z"
SESSION_KEYS = ("escape", "return", "backspace", "p", "u")  # they steer the recording, whatever the environment is

WAIT = "wait"
EXAMPLES = "left=0,right=1,none=0 for numbered actions, left=0-,right=0+ for a Box and up=0:1,a=1:2 for several choices"

DISCRETE_KEYS = {  # number of actions -> keys; the words are those of --keys
    1: "space=0,none=0",
    2: "left=0,right=1,none=0",
    3: "left=0,down=1,right=2,none=1",
    4: "left=1,down=0,up=2,right=3,none=0",
}
KEYS_BY_NUMBER = tuple(key for key in string.digits + string.ascii_lowercase if key not in SESSION_KEYS)
PUSHES = (("left", "right"), ("down", "up"), ("a", "d"), ("s", "w"), ("f", "h"), ("g", "t"), ("j", "l"), ("k", "i"))
FAMILIAR = {  # (name without its version, number of actions or dimensions) -> keys; what their numbers mean is known
    ("FrozenLake", 4): "left=0,down=1,right=2,up=3,none=wait",
    ("CliffWalking", 4): "up=0,right=1,down=2,left=3,none=wait",
    ("Taxi", 6): "down=0,up=1,right=2,left=3,space=4,d=5,none=wait",
    ("CarRacing", 3): "left=0-,right=0+,up=1+,down=2+",
    ("CarRacing", 5): "right=1,left=2,up=3,down=4,none=0",
    ("LunarLander", 2): "up=0+,left=1-,right=1+",
    ("LunarLanderContinuous", 2): "up=0+,left=1-,right=1+",
}


@dataclass(frozen=True)
class DiscreteKeys(KeyMap):
    """One key an action; of several that are held the one pressed last decides."""

    actions: Mapping[str, int]
    idle: int | None  # the action while no key is held; None waits

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self.actions)

    def action(self, held: Sequence[str]) -> np.int64 | None:
        for key in reversed(held):
            if key in self.actions:
                return np.int64(self.actions[key])
        return None if self.idle is None else np.int64(self.idle)

    def legend(self) -> list[str]:
        idle = "wait" if self.idle is None else str(self.idle)
        return [*(f"{key}: {action}" for key, action in self.actions.items()), f"no key: {idle}"]


class Push(NamedTuple):
    """One dimension of a flattened Box, towards its low (-1) or its high bound (+1)."""

    dimension: int
    direction: int


@dataclass(frozen=True)
class BoxKeys(KeyMap):
    """Each key pushes one dimension to a bound, or one away from rest where there is none; opposite keys cancel.

    At rest, without a key, a dimension is 0, clipped to the Box.
    """

    space: Box
    pushes: Mapping[str, Push]

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self.pushes)

    def action(self, held: Sequence[str]) -> np.ndarray:
        pushed = {self.pushes[key] for key in held if key in self.pushes}
        values = self._rest()
        for push in pushed:
            if Push(push.dimension, -push.direction) not in pushed:
                values[push.dimension] = self._target(push)
        return values.astype(self.space.dtype).reshape(self.space.shape)

    def legend(self) -> list[str]:
        return [f"{key}: a[{push.dimension}] = {self._target(push):g}" for key, push in self.pushes.items()]

    def _rest(self) -> np.ndarray:
        """(size,) float64"""
        rest: np.ndarray = np.clip(0.0, self.space.low.reshape(-1), self.space.high.reshape(-1))
        return rest.astype(np.float64)

    def _target(self, push: Push) -> float:
        bound = float((self.space.low if push.direction < 0 else self.space.high).reshape(-1)[push.dimension])
        bounded = abs(bound) < np.finfo(np.float32).max  # some environments write "unbounded" so
        return bound if bounded else float(self._rest()[push.dimension]) + push.direction


def choose_keys(text: str | None, space: Space[Any], env_id: str) -> KeyMap:
    """The keys that ``text`` (``--keys``) names for the actions of ``space``; the usual ones where it is None.

    ``left=0,right=2,none=1`` for a Discrete space, where none, the action without a key, may be ``wait`` and is as
    usual if it is not given; ``left=0-,right=0+`` for a Box: which dimension is pushed to its low or high bound;
    ``up=0:1,a=1:2`` for MultiDiscrete and MultiBinary: which component gets which number.

    Raises:
        InputError: if ``text`` cannot be understood or does not fit the space, what is accepted is listed; or if
            there are no usual keys for so many actions.
    """
    bindings = _parse(usual_keys(space, env_id) if text is None else text)
    if isinstance(space, Discrete):
        return _discrete(bindings, space, env_id)
    if _of_choices(space):
        return part_keys(bindings, space)
    if isinstance(space, Box) and not isinstance(space, Flat):
        if NO_KEY in bindings:
            raise InputError(f"{NO_KEY!r} is not for a Box of actions: without a key it is at rest; leave it out")
        return BoxKeys(space, {key: _push(key, meaning, space) for key, meaning in bindings.items()})
    raise _without_keys(space)


def usual_keys(space: Space[Any], env_id: str) -> str:
    """The keys for the actions of ``space``, as ``--keys`` would name them: by the environment, else by their number.

    Raises:
        InputError: if there are more actions than keys.
    """
    name = env_id.rpartition(":")[2].rpartition("/")[2].rsplit("-v", 1)[0]
    if isinstance(space, Discrete):
        return _usual_discrete(name, int(space.n), int(space.start))
    if _of_choices(space):
        return usual_part_keys(space)
    if isinstance(space, Box) and not isinstance(space, Flat):
        return _usual_box(name, math.prod(space.shape))
    raise _without_keys(space)


def _usual_discrete(name: str, count: int, first: int) -> str:
    if first == 0 and (name, count) in FAMILIAR:
        return FAMILIAR[name, count]
    if first == 0 and count in DISCRETE_KEYS:
        return DISCRETE_KEYS[count]
    _check_enough(count, len(KEYS_BY_NUMBER), "actions", "left=0,right=1")
    named = (f"{key}={first + i}" for i, key in enumerate(KEYS_BY_NUMBER[:count]))
    return ",".join([*named, f"{NO_KEY}={first}"])


def _usual_box(name: str, count: int) -> str:
    if (name, count) in FAMILIAR:
        return FAMILIAR[name, count]
    _check_enough(count, len(PUSHES), "dimensions", "left=0-,right=0+")
    return ",".join(f"{low}={i}-,{high}={i}+" for i, (low, high) in enumerate(PUSHES[:count]))


def _of_choices(space: Space[Any]) -> TypeGuard[Flat]:
    """Whether actions are flat ones of MultiDiscrete or MultiBinary."""
    return isinstance(space, Flat) and not is_composite(space.stated)


def _without_keys(space: Space[Any]) -> UnsupportedSpaceError:
    return UnsupportedSpaceError(
        f"there are no keys for the action space {brief(stated_space(space))}; there are for Box, Discrete, "
        "MultiDiscrete and MultiBinary"
    )


def _check_enough(count: int, most: int, what: str, example: str) -> None:
    if count > most:
        raise InputError(f"for {count} {what} there are no usual keys, only for {most}; name some: --keys {example}")


def _parse(text: str) -> dict[str, str]:
    """``left=0,right=2`` to names of keys, known and free, and what each means."""
    bindings: dict[str, str] = {}
    for part in text.split(","):
        key, separator, meaning = (piece.strip().lower() for piece in part.partition("="))
        if not separator:
            raise InputError(f"{part.strip()!r} says nothing of a key; accepted is KEY=ACTION,..., such as {EXAMPLES}")
        _check_key(key)
        if key in bindings:
            raise InputError(f"the key {key!r} is given twice, {bindings[key]} and {meaning}; give it one meaning")
        bindings[key] = meaning
    if not set(bindings) - {NO_KEY}:
        raise InputError(f"{text!r} gives no key a meaning; accepted is KEY=ACTION,..., such as {EXAMPLES}")
    return bindings


def _check_key(key: str) -> None:
    if key in SESSION_KEYS:
        raise InputError(
            f"the key {key!r} steers the recording, as do {', '.join(SESSION_KEYS)}; accepted are {ACCEPTED_KEYS}"
        )
    if key not in (*KEY_NAMES, NO_KEY):
        close = difflib.get_close_matches(key, (*KEY_NAMES, NO_KEY))
        near = f"near matches: {', '.join(close)}; " if close else ""
        raise InputError(f"no key is called {key!r}; {near}accepted are {ACCEPTED_KEYS}, and {NO_KEY} for no key")


def _discrete(bindings: dict[str, str], space: Discrete[Any], env_id: str) -> DiscreteKeys:
    idle = bindings[NO_KEY] if NO_KEY in bindings else _usual_idle(space, env_id)
    actions = {key: _action(key, meaning, space) for key, meaning in bindings.items() if key != NO_KEY}
    return DiscreteKeys(actions, None if idle == WAIT else _action(NO_KEY, idle, space))


def _usual_idle(space: Discrete[Any], env_id: str) -> str:
    """What no key usually means here; the first action where even that is not known."""
    if space.n > len(KEYS_BY_NUMBER):
        return str(space.start)
    return _parse(usual_keys(space, env_id))[NO_KEY]


def _action(key: str, meaning: str, space: Discrete[Any]) -> int:
    first, last = int(space.start), int(space.start + space.n - 1)
    if not re.fullmatch(r"-?\d{1,9}", meaning) or not first <= int(meaning) <= last:
        waiting = f", or {WAIT}" if key == NO_KEY else ""
        raise InputError(f"{key}={meaning} names no action; those of this environment are {first} to {last}{waiting}")
    return int(meaning)


def _push(key: str, meaning: str, space: Box) -> Push:
    size = math.prod(space.shape)
    number, sign = meaning[:-1], meaning[-1:]
    if not re.fullmatch(r"\d{1,9}[+-]", meaning) or int(number) >= size:
        raise InputError(
            f"{key}={meaning} pushes nothing; accepted is a dimension, 0 to {size - 1}, and - or +, such as {key}=0+"
        )
    return Push(int(number), 1 if sign == "+" else -1)
