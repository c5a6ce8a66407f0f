"""New demonstrations out of those that there are: some of their episodes, or those of several files of one task."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from gailkit.demonstrations.dataset import Demonstrations
from gailkit.errors import InputError

_KINDS = {"f": "floating numbers", "i": "integers", "u": "unsigned integers", "b": "booleans"}


@dataclass(frozen=True)
class Interval:
    """Numbers from ``lowest`` to ``highest``, both included."""

    lowest: float = -math.inf
    highest: float = math.inf

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Which of ``values`` (N,) are in it, (N,) bool."""
        inside: np.ndarray = (self.lowest <= values) & (values <= self.highest)
        return inside


EVERYTHING = Interval()


@dataclass(frozen=True)
class Criteria:
    """Which episodes to keep; as they stand here, the criteria keep all."""

    episodes: tuple[range, ...] | None = None  # counted from 0; None for all
    returns: Interval = EVERYTHING
    lengths: Interval = EVERYTHING  # in steps
    ending: Literal["terminated", "truncated"] | None = None
    unique: bool = False  # of the episodes that are left and exactly equal, the first alone
    best: int | None = None  # of the episodes that are left then, as many with the highest returns


class Named(NamedTuple):
    """Demonstrations and what they are called where something is said about them, such as the name of their file."""

    name: str
    demonstrations: Demonstrations


def select(demonstrations: Demonstrations, criteria: Criteria) -> Demonstrations:
    """The episodes that meet ``criteria``, in the order they had; of equally good ones the earlier are the best.

    Raises:
        InputError: if none does, if fewer are left than the best that are wanted, if an episode is named that is not
            there, or if returns decide and were not recorded.
    """
    _check_answerable(demonstrations, criteria)
    kept = np.flatnonzero(_admitted(demonstrations, criteria)).tolist()
    if not kept:
        raise InputError(_nothing_left(demonstrations))
    selected = demonstrations.pick(kept)
    if criteria.unique:
        selected = unique(selected)
    return selected if criteria.best is None else _best(selected, criteria.best)


def unique(demonstrations: Demonstrations) -> Demonstrations:
    """Every episode once: of those with equal digests the first."""
    first: dict[str, int] = {}
    for index, digest in enumerate(demonstrations.digests()):
        first.setdefault(digest, index)
    return demonstrations.pick(list(first.values()))


def merge(parts: Sequence[Named]) -> Demonstrations:
    """The episodes of all ``parts``, at least one, one part after another and every step of theirs kept.

    What the provenance of part i says under a name is said under ``merged_i name``, counting from 1. A space that some
    parts do not state is that of the others. Numbers that some parts hold in fewer bits are written in as many as the
    others have, which changes digests and no number.

    Raises:
        InputError: if they are not of one task, or some have rewards and others none; it says both sides.
    """
    for first, other in itertools.combinations(parts, 2):
        _check_same_task(first, other)
    provenance = {"source": f"merged from {len(parts)} files"}
    for number, (name, part) in enumerate(parts, start=1):
        provenance[f"merged_{number}"] = f"{len(part.trajectories)} episodes of {name}"
        provenance |= {f"merged_{number} {key}": text for key, text in part.provenance.items()}
    return _joined([part for _, part in parts], provenance)


def with_step(demonstrations: Demonstrations, step: str) -> Demonstrations:
    """The same, their provenance telling under ``step_N`` what was done to them, after the steps that it tells of."""
    number = next(number for number in itertools.count(1) if f"step_{number}" not in demonstrations.provenance)
    return replace(demonstrations, provenance={**demonstrations.provenance, f"step_{number}": step})


def _admitted(demonstrations: Demonstrations, criteria: Criteria) -> np.ndarray:
    """Which episodes (N,) meet the criteria that concern each alone; none of their steps is read for it."""
    episodes, returns = demonstrations.episodes, demonstrations.returns()
    admitted = criteria.lengths.holds(episodes.lengths)
    if returns is not None and criteria.returns != EVERYTHING:
        admitted &= criteria.returns.holds(returns)
    if criteria.ending is not None:
        admitted &= episodes.terminated == (criteria.ending == "terminated")
    if criteria.episodes is not None:
        named = np.zeros(len(episodes), dtype=np.bool_)
        for part in criteria.episodes:
            named[part.start : part.stop] = True
        admitted &= named
    return admitted


def _joined(parts: Sequence[Demonstrations], provenance: Mapping[str, str]) -> Demonstrations:
    observation_space, action_space = (
        next((getattr(part, name) for part in parts if getattr(part, name) is not None), None)
        for name in ("observation_space", "action_space")
    )
    if observation_space is not None and action_space is not None:
        for part in parts:
            if part.observation_space is None or part.action_space is None:
                part.fitted_to(observation_space, action_space)
    return replace(
        parts[0],
        trajectories=tuple(itertools.chain.from_iterable(part.trajectories for part in parts)),
        observation_space=observation_space,
        action_space=action_space,
        provenance=provenance,
        stride=1,
        offsets=(),
    )


def _best(demonstrations: Demonstrations, count: int) -> Demonstrations:
    returns = demonstrations.returns()
    assert returns is not None  # checked before anything was selected
    if not 1 <= count <= len(returns):
        raise InputError(f"the {count} best episodes were asked for; there are {len(returns)} to choose from")
    return demonstrations.pick(sorted((-returns).argsort(kind="stable")[:count].tolist()))


def _check_answerable(demonstrations: Demonstrations, criteria: Criteria) -> None:
    if demonstrations.returns() is None and (criteria.returns != EVERYTHING or criteria.best is not None):
        raise InputError("these episodes cannot be selected by their returns, because no rewards were recorded")
    available = len(demonstrations.trajectories)
    for part in criteria.episodes or ():
        if part and not 0 <= part[0] <= part[-1] < available:
            named = part[-1] if part[0] >= 0 else part[0]
            raise InputError(f"episode {named} was asked for; there are {available}, numbered 0 to {available - 1}")


def _nothing_left(demonstrations: Demonstrations) -> str:
    """What there was to choose from, so that the next attempt has a chance."""
    count, terminated = len(demonstrations.trajectories), demonstrations.num_terminated
    lengths = demonstrations.episodes.lengths
    returns = demonstrations.returns()
    earned = "" if returns is None else f", returns from {returns.min():g} to {returns.max():g}"
    return (
        f"no episode meets every condition; there are {count}, {terminated} terminated and {count - terminated} "
        f"truncated, with lengths from {lengths.min()} to {lengths.max()}{earned}"
    )


def _check_same_task(first: Named, other: Named) -> None:
    for wanted, found in zip(_task(first.demonstrations), _task(other.demonstrations), strict=True):
        if wanted.value != found.value and not (wanted.may_be_missing and None in (wanted.value, found.value)):
            raise InputError(
                f"{first.name} and {other.name} do not belong together: "
                f"{wanted.what}: {_said(wanted.value)} in the former, {_said(found.value)} in the latter"
            )


class _Trait(NamedTuple):
    """One of the things in which demonstrations must agree to be joined."""

    what: str
    value: object  # None where it is not stated
    may_be_missing: bool = False  # whether what does not state it agrees with anything


def _task(demonstrations: Demonstrations) -> tuple[_Trait, ...]:
    episode = demonstrations.trajectories[0]
    return (
        _Trait("environment", demonstrations.env_id),
        _Trait("arguments of the environment", dict(demonstrations.env_kwargs)),
        _Trait("observations", _numbers(episode.observations)),
        _Trait("actions", _numbers(episode.actions)),
        _Trait("observation space", demonstrations.observation_space, may_be_missing=True),
        _Trait("action space", demonstrations.action_space, may_be_missing=True),
        _Trait("rewards", "not recorded" if episode.rewards is None else "recorded"),
    )


def _numbers(values: np.ndarray) -> str:
    return f"{_KINDS.get(values.dtype.kind, values.dtype)} of shape {values.shape[1:]}"


def _said(value: object) -> str:
    return "not stated" if value is None else " ".join(str(value).split())
