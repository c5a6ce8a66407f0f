"""Where the rows of a native file stand, and reading them: arrays that together are its observations, say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations.file_contents import About
from gailkit.demonstrations.native.header import NO_ACTIONS, quoted
from gailkit.errors import DataError
from gailkit.spaces import array_dtype, flat_bytes
from gailkit.types import no_actions, parts_of
from gailkit.untrusted.source import Source, Span


class Parts(NamedTuple):
    """The arrays of a file that together are its observations, its actions or its rewards."""

    names: tuple[str, ...]  # none of the actions of a file that holds none
    dtype: np.dtype[Any] | None  # how they are put together; None where there is only one array
    rows: int
    row_bytes: int


Layout = tuple[Parts, Parts, Parts | None]
"""Where observations, actions and rewards stand."""


def read_layout(source: Source, about: About, lengths: np.ndarray) -> Layout:
    """Where observations, actions and rewards stand. Raises DataError unless they fit the ``lengths``."""
    actions = _actions(source, about, lengths)
    observations = _parts(source, "observations", about.observation_space)
    rewards = _parts(source, "rewards", None) if source.has("rewards") else None
    steps = actions.rows
    if (lengths < 1).any() or (lengths > steps).any() or int(lengths.sum()) != steps:
        raise DataError(f"{source.path}: the episode lengths do not add up to the {steps} actions of the file")
    expected = [("observations", observations, steps + len(lengths)), ("rewards", rewards, steps)]
    for name, parts, rows in expected:
        if parts is not None and parts.rows != rows:
            raise DataError(f"{source.path}: {name!r} must have {rows} rows for these episodes; found {parts.rows}")
    return observations, actions, rewards


def read_rows(
    source: Source,
    parts: Parts,
    spans: Sequence[tuple[int, int]],
    floats: np.dtype[Any] | None = None,
    target: np.ndarray | None = None,
) -> np.ndarray:
    """The rows of several ``spans`` of what ``parts`` make up, one behind the other; floating numbers as ``floats``.

    They are read into ``target`` where there is one.
    """
    if not parts.names:
        return no_actions(sum(stop - start for start, stop in spans))
    if parts.dtype is None:
        name = parts.names[0]
        made = floats if source.dtype(name).kind == "f" else None
        return source.gather([Span(name, *span) for span in spans], made, target)
    found = [source.gather([Span(name, *span) for span in spans]) for name in parts.names]
    joined = np.empty(len(found[0]), parts.dtype) if target is None else target[: len(found[0])]
    for (_, own), values in zip(parts_of(joined), found, strict=True):
        own[...] = values
    return joined


def room_for(source: Source, parts: Parts) -> np.ndarray:
    """An array for all rows of what ``parts`` make up. Raises DataError where there is not so much memory."""
    if not parts.names:
        return no_actions(parts.rows)
    name = parts.names[0]
    row = source.shape(name)[1:] if parts.dtype is None else ()
    return source.room(name, (parts.rows, *row), parts.dtype or source.dtype(name))


def bytes_flat(parts: Parts, space: Space[Any] | None) -> int:
    """What the rows take once more where they are flattened before they are drawn from, in float32."""
    if space is None or isinstance(space, Box | Discrete) or not parts.names:
        return 0
    return parts.rows * flat_bytes(space)


def _actions(source: Source, about: About, lengths: np.ndarray) -> Parts:
    """Where the actions stand: nowhere in a file that says that it holds none."""
    if source.text("actions") != NO_ACTIONS:
        return _parts(source, "actions", about.action_space)
    if source.has("actions"):
        raise DataError(f"{source.path} says that it holds no actions, and holds some")
    steps = int(lengths.sum()) if (lengths > 0).all() else 0
    return Parts((), None, steps, 0)


def _parts(source: Source, name: str, space: Space[Any] | None) -> Parts:
    entry = source.entry(name)
    if entry is None or entry.kind != "group":
        row_size = int(np.prod(source.shape(name)[1:], dtype=np.int64))
        return Parts((name,), None, source.rows(name), row_size * source.dtype(name).itemsize)
    if space is None:
        raise DataError(f"{source.path}: {name!r} has parts, and no space says how they belong together")
    dtype = array_dtype(space)
    names = tuple("/".join([name, *map(quoted, path)]) for path, _ in parts_of(np.empty(0, dtype)))
    rows = {source.rows(part) for part in names}
    if len(rows) != 1:
        raise DataError(f"{source.path}: the parts of {name!r} have different numbers of rows: {sorted(rows)}")
    for part, (_, values) in zip(names, parts_of(np.empty(0, dtype)), strict=True):
        if source.shape(part)[1:] != values.shape[1:] or source.dtype(part).newbyteorder("=") != values.dtype:
            raise DataError(f"{source.path}: {part!r} must be {values.dtype} {values.shape[1:]}, as the space says")
    return Parts(names, dtype, rows.pop(), dtype.itemsize)
