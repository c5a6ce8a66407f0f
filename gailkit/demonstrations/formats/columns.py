"""Plain columns, one row a step: a text (CSV) whose first line names the columns, or the arrays of an NPZ.

Which column is what is told by ``--columns``, as ``role=names`` divided by semicolons::

    observations=x,y,theta; actions=u; rewards=r; episode=ep; terminated=fell; truncated=late

============================ =========================================================================================
role                         what it is
============================ =========================================================================================
observations, actions        one or several columns, which become one vector in the order told
next_observations            what followed each step, column for column as the observations
rewards                      the environment's own reward
terminated, truncated, done  marks (0 or 1, true or false) on the last row of an episode: it terminated, was truncated,
                             or ended in one of these two ways
episode                      a number that is the same in all rows of an episode
seed                         what the environment was reset with; the first row of an episode counts
============================ =========================================================================================

``obs_0..obs_16`` is a range of columns, ``obs_*`` all columns that begin so, in the order of their numbers. A role that
is not told is found by names that are usual, such as ``obs_0``, ``action``, ``reward``, ``done`` (all of them stand in
``column_names.ROLES``); ``truncated=`` with nothing behind it says that there is none, and so does ``actions=`` where
only states were seen. An array of several dimensions
in an NPZ is taken as it is. A single column of whole numbers is a choice (Discrete), one of other numbers a vector of
one.

Episodes are divided by ``episode``, else by the marks; rows behind the last mark are an episode that was truncated. How
an episode ended is known from ``terminated`` with ``truncated`` or ``done``. ``done`` alone, or ``terminated`` alone,
may mark time limits too: several longest episodes that all end after the same number of steps are asked about. What no
mark tells is asked. Where only ``terminated`` is marked, an episode also ends where ``next_observations`` are not the
observations of the next row; without those, and without any mark, rows may be several episodes, and the time limit
divides them. Without episodes and marks all rows are one episode, where ``--ends`` says how it ended.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np

from gailkit.demonstrations.endings import doubtful
from gailkit.demonstrations.file_contents import About, Contents, Episode, ReadOptions
from gailkit.demonstrations.formats.arrays import check_one_length, column, left_behind, origin, unmarked_cuts
from gailkit.demonstrations.formats.column_names import EXAMPLE, VECTORS, named_columns
from gailkit.errors import DataError, InputError
from gailkit.types import no_actions
from gailkit.untrusted.source import Source

NAME = "plain columns"
TAKES = ("columns",)
_CONTAINERS = ("CSV", "NPZ", "Arrow")
_MARKS = ("terminated", "truncated", "done")


def recognises(source: Source) -> bool:
    """Whether it is a container of named columns, two of them of numbers; what they mean is asked later."""
    if source.container not in _CONTAINERS:
        return False
    arrays = (name for name, is_array in _members(source) if is_array)
    return len(list(islice(arrays, 2))) == 2  # observations, and actions or what tells where episodes end


def read(source: Source, options: ReadOptions) -> Contents:
    """The episodes that the columns make.

    Raises:
        InputError: if it is not known what a column means, or where episodes end.
        DataError: if the columns do not fit each other.
    """
    present = [name for name, _ in _members(source)]
    names = named_columns(present, options.columns, source.path)
    values = {role: _vector(source, names[role]) for role in VECTORS if role in names}
    values |= {role: column(source, name) for role, (name, *_) in names.items() if role not in VECTORS}
    check_one_length(source, values)
    seen, following = values["observations"], values.get("next_observations")
    if following is not None and following.shape != seen.shape:
        raise DataError(
            f"{source.path}: next_observations {following.shape} must have the shape of the observations {seen.shape}"
        )
    marks = {role: _marks(source, role, values[role]) for role in _MARKS if role in values}
    stops, marked = _stops(source, values, marks, options)
    starts = np.concatenate([[0], stops[:-1]])
    terminated = _terminated(stops - starts, {role: ends[stops - 1] for role, ends in marks.items()})
    if not marks and not marked and options.ends is None:  # one run, at whose end no program wrote a mark
        terminated = [False]
    rewards, seeds = values.get("rewards"), values.get("seed")

    def episodes() -> Iterator[Episode]:
        for start, stop, ended in zip(starts.tolist(), stops.tolist(), terminated, strict=True):
            observations = seen[start:stop]
            if following is not None:
                observations = np.concatenate([observations, following[stop - 1 : stop]])
            paid = None if rewards is None else rewards[start:stop]
            seed = None if seeds is None else _seed(seeds[start].item())
            done = values["actions"][start:stop] if "actions" in values else no_actions(stop - start)
            yield Episode(observations, done, paid, ended, seed)

    without = {} if "actions" in names else {"actions": ()}
    told = "; ".join(f"{role}={','.join(found)}" for role, found in {**names, **without}.items())
    taken = tuple(name for found in names.values() for name in found)
    about = About(provenance={**origin(source, NAME), "columns": told})
    return Contents(about, len(stops), episodes(), left_behind(source, taken), ends_marked=marked)


def _members(source: Source, group: str = "") -> Iterator[tuple[str, bool]]:
    """Path of each column, and whether it is an array of numbers; asked to read one that is not, the source refuses."""
    names = [f"{group}/{child}" if group else child for child in source.children(group)]
    for name, entry in zip(names, source.entries(names), strict=True):
        if entry is not None and entry.kind == "group":
            yield from _members(source, name)
        elif entry is not None:
            yield name, entry.kind == "array"


def _vector(source: Source, names: tuple[str, ...]) -> np.ndarray:
    """The columns as one array (N, ...); (N,) where they are one column of whole numbers."""
    parts = [source.array(name) for name in names]
    if len(parts) == 1 and (parts[0].ndim > 1 or parts[0].dtype.kind != "f"):
        return parts[0].astype(np.int64) if parts[0].dtype.kind == "b" else parts[0]
    if any(part.ndim > 2 for part in parts) or len(set(map(len, parts))) != 1:
        shapes = {name: part.shape for name, part in zip(names, parts, strict=True)}
        raise DataError(f"{source.path}: columns of one vector must have one length and no width; found {shapes}")
    return np.concatenate([part if part.ndim == 2 else part[:, None] for part in parts], axis=1)


def _marks(source: Source, role: str, values: np.ndarray) -> np.ndarray:
    if not np.isin(values, (0, 1)).all():
        raise DataError(f"{source.path}: the column {role} must hold 0 and 1, or true and false; found other numbers")
    return np.asarray(values != 0)


def _stops(
    source: Source, values: Mapping[str, np.ndarray], marks: Mapping[str, np.ndarray], options: ReadOptions
) -> tuple[np.ndarray, bool]:
    """Rows behind the last of each episode, ascending; and whether no end is missing among them."""
    rows = len(values["observations"])
    marked = np.any(list(marks.values()), axis=0) if marks else np.zeros(rows, bool)
    if "episode" in values:
        stops = _runs(source, values["episode"])
        inside = np.setdiff1d(np.flatnonzero(marked) + 1, stops)
        if len(inside):
            raise DataError(f"{source.path}: row {inside[0]} of the data is marked as an end, and its episode goes on")
        return stops, True
    following = values.get("next_observations")
    if not marks and following is None and options.ends is None and options.max_episode_steps in (None, math.inf):
        raise InputError(
            f"nothing in {source.path} tells where an episode ends: tell a column by such as {EXAMPLE}, or say "
            "--max-episode-steps N if a time limit of N steps ended each, or --ends terminated or --ends truncated if "
            "all rows are one episode"
        )
    every_end = "done" in marks or {"terminated", "truncated"} <= set(marks)
    if following is not None and not every_end:  # one without a mark shows
        marked |= unmarked_cuts(source, values["observations"], following, marked)
    known = marked.any() if every_end else following is not None or "truncated" in marks
    one = not marks and options.max_episode_steps in (None, math.inf)  # as --ends says
    return np.union1d(np.flatnonzero(marked) + 1, [rows]), bool(known) or one


def _runs(source: Source, numbers: np.ndarray) -> np.ndarray:
    """Rows behind the last of each run of one number, none of which may come back."""
    if numbers.dtype.kind == "f" and not (numbers == np.floor(numbers)).all():
        raise DataError(f"{source.path}: the column of episodes must hold a whole number in each row")
    stops = np.append(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1, len(numbers))
    found, counts = np.unique(numbers[stops - 1], return_counts=True)
    if (counts > 1).any():
        raise DataError(
            f"{source.path}: the rows of episode {found[counts > 1][0]:g} do not stand together, or two episodes have "
            "that number"
        )
    return stops


def _terminated(lengths: np.ndarray, marks: Mapping[str, np.ndarray]) -> list[bool | None]:
    """Endings (E,) out of the marks (E,) on the last rows."""
    match sorted(marks):
        case []:
            return [None] * len(lengths)
        case ["truncated"]:
            return [False if cut else None for cut in marks["truncated"].tolist()]
        case ["done"] | ["terminated"] as alone:
            return doubtful(lengths.tolist(), marks[alone[0]].tolist())
        case ["done", "truncated"]:
            return list((marks["done"] & ~marks["truncated"]).tolist())
        case _:
            return list(marks["terminated"].tolist())


def _seed(value: float) -> int | None:
    """A seed; None for a place left empty, or -1."""
    return int(value) if np.isfinite(value) and value >= 0 else None
