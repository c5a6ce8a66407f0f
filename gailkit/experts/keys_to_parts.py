"""Held keys to actions of several choices, each of which has keys of its own: several are held at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gailkit.errors import InputError
from gailkit.experts.key_map import NO_KEY, KeyMap
from gailkit.spaces import Flat, brief, flatten_values, unflatten_values

PAIRS = (("left", "right"), ("down", "up"), ("a", "d"), ("s", "w"), ("f", "h"), ("g", "t"), ("j", "l"), ("k", "i"))


class Press(NamedTuple):
    """One component of an action, and the number that it gets."""

    component: int
    number: int


@dataclass(frozen=True)
class PartKeys(KeyMap):
    """Each key gives one component of a MultiDiscrete or MultiBinary action a number; of several keys of one component
    that are held the one pressed last decides."""

    space: Flat
    presses: Mapping[str, Press]
    idle: np.ndarray  # (components,) without a key

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self.presses)

    def action(self, held: Sequence[str]) -> np.ndarray:
        chosen = self.idle.copy()
        for key in held:
            if key in self.presses:
                chosen[self.presses[key].component] = self.presses[key].number
        flat: np.ndarray = flatten_values(self.space, chosen.reshape(1, *(self.space.stated.shape or ())))[0]
        return flat

    def legend(self) -> list[str]:
        idle = " ".join(map(str, self.idle.tolist()))
        pressed = (f"{key}: a[{press.component}] = {press.number}" for key, press in self.presses.items())
        return [*pressed, f"no key: {idle}"]


def part_keys(bindings: Mapping[str, str], space: Flat) -> PartKeys:
    """The keys of such bindings, ``{"up": "0:1"}``; that of no key, ``"0/1"``, lists every component.

    Raises:
        InputError: for a component or a number that the space does not have.
    """
    lows, highs = _bounds(space)
    presses = {key: _press(key, meaning, lows, highs) for key, meaning in bindings.items() if key != NO_KEY}
    idle = _usual_idle(lows, highs)
    if NO_KEY in bindings:
        found = re.fullmatch(r"-?\d{1,9}(/-?\d{1,9})*", bindings[NO_KEY])
        idle = np.array(bindings[NO_KEY].split("/"), np.int64) if found else np.zeros(0, np.int64)
        if idle.shape != lows.shape or (idle < lows).any() or (idle > highs).any():
            example = "/".join(map(str, _usual_idle(lows, highs).tolist()))
            raise InputError(
                f"{NO_KEY}={bindings[NO_KEY]} is no action of {brief(space.stated)}; accepted is a number for each "
                f"component, such as {NO_KEY}={example}"
            )
    return PartKeys(space, presses, idle)


def usual_part_keys(space: Flat) -> str:
    """The keys for a space, as ``--keys`` would name them: one for a component of two numbers, two for one of three.

    Raises:
        InputError: if there are more components than keys, or more numbers in one.
    """
    lows, highs = _bounds(space)
    if len(lows) > len(PAIRS) or (highs - lows > 2).any():
        raise InputError(
            f"for {brief(space.stated)} there are no usual keys, only for {len(PAIRS)} components of up to 3 numbers; "
            "name some: --keys up=0:1,a=1:2"
        )
    if (highs - lows <= 1).all():  # a key each: those that lie beside one another
        single = (key for pair in PAIRS for key in pair)
        return ",".join(f"{key}={i}:{high}" for i, (key, high) in enumerate(zip(single, highs.tolist(), strict=False)))
    named = []
    for i, ((less, more), low, high) in enumerate(zip(PAIRS, lows.tolist(), highs.tolist(), strict=False)):
        named += [f"{less}={i}:{low}"] * (high - low == 2) + [f"{more}={i}:{high}"]
    return ",".join(named)


def _bounds(space: Flat) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest number of every component, (K,) int64 each."""
    columns = np.zeros((2, *space.shape), space.dtype)
    columns[1, space.bits] = 1
    for chosen in space.sets:
        columns[0, chosen.start], columns[1, chosen.stop - 1] = 1, 1
    low, high = unflatten_values(space, columns).reshape(2, -1).astype(np.int64)
    return low, high


def _usual_idle(lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
    """Without a key: the middle of three numbers, else the first."""
    idle: np.ndarray = lows + (highs - lows == 2)
    return idle


def _press(key: str, meaning: str, lows: np.ndarray, highs: np.ndarray) -> Press:
    found = re.fullmatch(r"(\d{1,9}):(-?\d{1,9})", meaning)
    component, number = (int(found[1]), int(found[2])) if found else (len(lows), 0)
    if component >= len(lows):
        raise InputError(
            f"{key}={meaning} presses nothing; accepted is a component, 0 to {len(lows) - 1}, and its number, such as "
            f"{key}=0:{highs[0]}"
        )
    if not lows[component] <= number <= highs[component]:
        accepted = f"{lows[component]} to {highs[component]}"
        raise InputError(f"{key}={meaning} is no number of component {component}, which has {accepted}")
    return Press(component, number)
