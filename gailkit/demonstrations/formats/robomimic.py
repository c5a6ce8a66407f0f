"""robomimic and robosuite files: ``data/demo_i`` with ``actions``, and where present ``obs``, ``next_obs``, ``dones``,
``rewards`` and ``states``; lists of demonstrations for training, validation and so on stand in ``mask``.

``obs`` is a group of several observations: those chosen are joined in the order of choice, or one is taken as it is.
Without ``obs``, as in early files of robosuite, the simulator's ``states`` are the observations.

``dones`` tell of success or of the end, depending on how the file was made, and may be set from the success on. The
last of an episode counts: 0 means truncated, 1 terminated, unless several episodes are as long as the longest, where it
may be a time limit as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gailkit.demonstrations.endings import doubtful
from gailkit.demonstrations.file_contents import About, Broken, Contents, Episode, ReadOptions
from gailkit.demonstrations.formats.arrays import origin
from gailkit.errors import DataError, InputError
from gailkit.untrusted.ahead import ahead
from gailkit.untrusted.source import DamageError, Source, Span

NAME = "robomimic"
TAKES = ("obs_keys", "mask")
_DEMO = re.compile(r"demo_(0|[1-9][0-9]{0,8})")
_TOLD = ("env", "env_args", "env_info", "repository_version", "date", "time")  # attributes for people to read
_MAX_WORDS = 20_000
_STATES = "states"


class _Layout(NamedTuple):
    """Which members of an episode's group are read."""

    observed: tuple[str, ...]
    following: tuple[str, ...]  # the same one step later; () where the file has none
    rewards: tuple[str, ...]  # none or one


def recognises(source: Source) -> bool:
    """Whether there is a group of demonstrations, each of which has actions."""
    data = source.entry("data") if source.container == "HDF5" else None
    demos = [name for name in source.children("data") if _DEMO.fullmatch(name)] if data and data.kind == "group" else []
    return bool(demos) and source.has(f"data/{demos[0]}/actions")


def read(source: Source, options: ReadOptions) -> Contents:
    """The demonstrations of a file, or those of the list that ``options.mask`` names, in the order of their numbers.

    Raises:
        InputError: if there are several observations and ``options`` choose none, or name what is not there.
        DataError: if what all demonstrations have in common is damaged.
    """
    names = [name for name in source.children("data") if _DEMO.fullmatch(name)]
    names = sorted(_masked(source, names, options.mask), key=lambda name: int(name.removeprefix("demo_")))
    first = f"data/{names[0]}"
    layout = _layout(source, first, options)
    facts = origin(source, NAME)
    facts |= {name: text[:_MAX_WORDS] for name in _TOLD if (text := source.text(name, "data"))}
    facts["observed"] = ", ".join(layout.observed)
    if layout.observed == (_STATES,):
        facts["observed"] += ": the simulator's states, for the file has no observations"
    facts |= {"mask": options.mask} if options.mask is not None else {}
    endings = _endings(source, names)
    return Contents(
        About(provenance=facts), len(names), _episodes(source, names, endings, layout), _unheld(source, first, layout)
    )


def _masked(source: Source, names: list[str], mask: str | None) -> list[str]:
    if mask is None:
        return names
    lists = source.children("mask") if source.has("mask") else []
    if mask not in lists:
        raise InputError(f"{source.path} has no list {mask!r} of demonstrations; it has {', '.join(lists) or 'none'}")
    member = f"mask/{mask}"
    entry = source.entry(member)
    if entry is None or entry.kind != "ragged" or not entry.shape[0]:
        raise DataError(f"{source.path}: {member!r} must be a list of names of demonstrations")
    listed = [
        row.tobytes().rstrip(b"\0").decode("utf-8", "replace") for row in source.ragged(member, 0, entry.shape[0])
    ]
    absent = sorted(set(listed) - set(names))
    if absent:
        raise DataError(f"{source.path}: {member!r} lists {absent[0][:80]!r}, and there is no such demonstration")
    return list(set(listed))


def _layout(source: Source, demo: str, options: ReadOptions) -> _Layout:
    rewards = ("rewards",) if source.has(f"{demo}/rewards") else ()
    keys = sorted(source.children(f"{demo}/obs")) if source.has(f"{demo}/obs") else []
    if not keys and options.obs_keys in ((), (_STATES,)) and source.has(f"{demo}/{_STATES}"):
        return _Layout((_STATES,), (), rewards)
    chosen = options.obs_keys or tuple(keys)
    shapes = {key: source.shape(f"{demo}/obs/{key}")[1:] for key in keys}
    listed = ", ".join(f"{key} {shape}" for key, shape in shapes.items()) or "none"
    unknown = [key for key in chosen if key not in keys]
    if unknown:
        raise InputError(f"{source.path} has no observation {unknown[0]!r}; it has {listed}")
    if len(chosen) != 1 and not options.obs_keys:
        raise InputError(f"{source.path} has several observations, of which --obs-keys must choose: {listed}")
    if len(chosen) > 1 and any(len(shapes[key]) > 1 for key in chosen):
        raise InputError(f"only observations of one dimension can be joined, not all of {', '.join(chosen)}: {listed}")
    follows = all(source.has(f"{demo}/next_obs/{key}") for key in chosen)
    following = tuple(f"next_obs/{key}" for key in chosen) if follows else ()
    return _Layout(tuple(f"obs/{key}" for key in chosen), following, rewards)


def _endings(source: Source, names: Sequence[str]) -> list[bool | None]:
    """Whether each demonstration terminated, None where that is not known."""
    members = [f"data/{name}/dones" for name in names]
    if not all(source.has(member) for member in members):
        return [None] * len(names)
    rows = [source.rows(member) for member in members]
    last = source.arrays([Span(member, max(0, count - 1), count) for member, count in zip(members, rows, strict=True)])
    return doubtful(rows, [bool((values != 0).any()) for values in last])


def _episodes(
    source: Source, names: Sequence[str], endings: Sequence[bool | None], layout: _Layout
) -> Iterator[Episode | Broken]:
    yield from ahead(
        _episode(source, f"data/{name}", ended, layout) for name, ended in zip(names, endings, strict=True)
    )


def _episode(source: Source, demo: str, terminated: bool | None, layout: _Layout) -> Episode | Broken:
    members = ["actions", *layout.rewards, *layout.observed, *layout.following]
    try:
        absent = [member for member in members if not source.has(f"{demo}/{member}")]
        if absent:
            return Broken(f"it has no {absent[0]!r}")
        spans = [Span(f"{demo}/{member}", 0, source.rows(f"{demo}/{member}")) for member in members]
        arrays = dict(zip(members, source.arrays(spans), strict=True))
        observations = _joined([arrays[member] for member in layout.observed])
        if layout.following:
            observations = np.concatenate([observations, _joined([arrays[key][-1:] for key in layout.following])])
    except DamageError as error:
        return Broken(f"it is damaged ({error.reason})")
    except ValueError:  # of numpy, about arrays that cannot be joined
        shapes = ", ".join(f"{member} {arrays[member].shape}" for member in [*layout.observed, *layout.following])
        return Broken(f"its observations do not fit each other: {shapes}")
    rewards = arrays[layout.rewards[0]] if layout.rewards else None
    return Episode(observations, arrays["actions"], rewards, terminated)


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    """One observation as it is, several as (L, total size)."""
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate([values.reshape(len(values), math.prod(values.shape[1:])) for values in arrays], axis=1)


def _unheld(source: Source, demo: str, layout: _Layout) -> tuple[str, ...]:
    """What a demonstration holds beside and is left behind."""
    names = set(source.children(demo)) - {"actions", "dones", "obs", "next_obs", *layout.rewards}
    parts = {f"obs/{key}" for key in source.children(f"{demo}/obs")} if source.has(f"{demo}/obs") else set()
    return tuple(sorted((names | parts) - set(layout.observed)))
