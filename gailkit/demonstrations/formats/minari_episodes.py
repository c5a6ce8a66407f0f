"""The episodes in the HDF5 file of a Minari data set, a group each, read in blocks of many."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gailkit.demonstrations.file_contents import Broken, Episode
from gailkit.demonstrations.formats.minari_layout import MARKS, Side
from gailkit.errors import DataError, InputError
from gailkit.spaces import assemble
from gailkit.spaces.structure import leaves, shape_of
from gailkit.untrusted.ahead import ahead
from gailkit.untrusted.container import Entry
from gailkit.untrusted.hdf5 import JPEG
from gailkit.untrusted.source import DamageError, Source, Span
from gailkit.wording import counted

_BLOCK_BYTES = 16 * 2**20  # read at a time
_BLOCK_EPISODES = 256


class _Plan(NamedTuple):
    """What is to be read of one episode: the leaves of its observations, those of its actions, and its marks."""

    spans: tuple[Span, ...]
    bytes: int
    seed: int | None


Sides = tuple[Side, Side]
"""Observations and actions."""


def episodes(source: Source, numbers: Sequence[int], sides: Sides) -> Iterator[Episode | Broken]:
    """The episodes of these ``numbers``, each block being read while the one before it is used."""
    for block in ahead(_blocks(source, numbers, sides)):
        yield from block


def jpeg_members(source: Source, group: str, sides: Sides) -> list[str]:
    """Which members of the episode ``group`` hold images in JPEG."""
    members = [(side, member) for side in sides for _, member in side.members]
    return [
        member for side, member in members if _is_jpeg(source.entry(f"{group}/{member}"), _dimensions(side, member))
    ]


def _blocks(source: Source, numbers: Sequence[int], sides: Sides) -> Generator[list[Episode | Broken], None, None]:
    plans: list[_Plan | Broken] = []
    members = [member for side in sides for _, member in side.members]
    for index, number in enumerate(numbers):
        if index % _BLOCK_EPISODES == 0:  # many are asked about at once, which takes little longer than one
            ahead_of_them = numbers[index : index + _BLOCK_EPISODES]
            source.entries([f"episode_{other}/{member}" for other in ahead_of_them for member in (*members, *MARKS)])
        plans.append(_plan(source, f"episode_{number}", sides))
        size = sum(plan.bytes for plan in plans if isinstance(plan, _Plan))
        if size >= _BLOCK_BYTES or len(plans) == _BLOCK_EPISODES:
            yield _read(source, plans, sides)
            plans = []
    yield _read(source, plans, sides)


def _plan(source: Source, group: str, sides: Sides) -> _Plan | Broken:
    spans, size = [], 0
    wanted = [(member, _dimensions(side, member)) for side in sides for _, member in side.members]
    try:
        for member, dimensions in [*wanted, *((mark, None) for mark in MARKS)]:
            name = f"{group}/{member}"
            entry = source.entry(name)
            if entry is None:
                return Broken(f"it has no {member!r}")
            name += JPEG if _is_jpeg(entry, dimensions) else ""
            spans.append(Span(name, 0, source.rows(name)))
            size += math.prod(source.shape(name)) * source.dtype(name).itemsize
        return _Plan(tuple(spans), size, _seed(source, group))
    except DamageError as error:
        return _damaged(error)


def _dimensions(side: Side, member: str) -> int | None:
    """How many dimensions an element has in the space; None where that is not known."""
    if side.space is None:
        return None
    shapes = {stored: shape_of(space) for (_, stored), (_, space) in zip(side.members, leaves(side.space), strict=True)}
    return len(shapes[member])


def _is_jpeg(entry: Entry | None, dimensions: int | None) -> bool:
    """Images as runs of bytes, or as rows of bytes where all happen to be equally long."""
    if entry is None:
        return False
    rows_of_bytes = (entry.dtype, len(entry.shape)) == ("|u1", 2) and dimensions in (2, 3)
    return entry.kind == "ragged" or rows_of_bytes


def _seed(source: Source, group: str) -> int | None:
    try:
        seed = source.integer("seed", group)
    except DamageError:
        raise
    except DataError:  # before 0.5 Minari wrote the word "None"
        return None
    return None if seed is None or seed < 0 else seed


def _read(source: Source, plans: Sequence[_Plan | Broken], sides: Sides) -> list[Episode | Broken]:
    """The episodes of a block; where it is damaged, one by one."""
    spans = [span for plan in plans if isinstance(plan, _Plan) for span in plan.spans]
    try:
        arrays = source.arrays(spans)
        return [
            plan if isinstance(plan, Broken) else _episode([next(arrays) for _ in plan.spans], plan, sides)
            for plan in plans
        ]
    except DamageError as error:
        return [_damaged(error)] if len(plans) == 1 else [_read(source, [plan], sides)[0] for plan in plans]


def _episode(arrays: list[np.ndarray], plan: _Plan, sides: Sides) -> Episode | Broken:
    observed, acted = sides
    count = len(observed.members)
    rewards, terminations, truncations = arrays[-len(MARKS) :]
    try:
        observations = _assembled(observed, arrays[:count])
        actions = _assembled(acted, arrays[count : -len(MARKS)])
        terminated = _ending(len(actions), terminations, truncations)
    except InputError as error:
        return Broken(str(error))
    return Episode(observations, actions, rewards, terminated, plan.seed)


def _assembled(side: Side, arrays: Sequence[np.ndarray]) -> np.ndarray:
    if side.space is None:
        return arrays[0]
    found = {}
    for array, (path, _), (_, space) in zip(arrays, side.members, leaves(side.space), strict=True):
        grey = shape_of(space) == (*array.shape[1:], 1)  # JPEG has no last dimension of 1
        found[path] = array[..., None] if grey else array
    return assemble(side.space, found)


def _ending(steps: int, terminations: np.ndarray, truncations: np.ndarray) -> bool:
    """Whether an episode of so many steps terminated; one that bears no mark at its end was truncated there.

    Raises:
        InputError: if the marks are not one a step, or one stands before the last step.
    """
    if terminations.shape != (steps,) or truncations.shape != (steps,):
        raise InputError(
            f"it has {counted(steps, 'action')}, terminations {terminations.shape} and truncations "
            f"{truncations.shape}; "
            "accepted are as many marks as actions"
        )
    early = np.flatnonzero((terminations[:-1] != 0) | (truncations[:-1] != 0))
    if len(early):
        raise InputError(f"it is marked as ended after {early[0] + 1} of its {steps} steps")
    return bool(terminations[-1:].any())


def _damaged(error: DamageError) -> Broken:
    return Broken(f"it is damaged ({error.reason})")
