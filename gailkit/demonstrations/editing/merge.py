"""The episodes of several files of one task, one file's after another's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import NamedTuple

import numpy as np

from gailkit.demonstrations.common_dtypes import Types, cast, widest
from gailkit.demonstrations.dataset import Demonstrations
from gailkit.demonstrations.file_contents import About
from gailkit.demonstrations.joined_episodes import digest_of, row_types
from gailkit.errors import InputError
from gailkit.types import Trajectory
from gailkit.wording import counted

_KINDS = {"f": "floating numbers", "i": "integers", "u": "unsigned integers", "b": "booleans"}
_WITHOUT = "none (data convert --without-actions leaves out those of others)"


class Named(NamedTuple):
    """Demonstrations and what they are called where something is said about them, such as the name of their file."""

    name: str
    demonstrations: Demonstrations


@dataclass(frozen=True)
class Merged:
    """Episodes that are gone through one after another; those that are too large for memory stay in their files."""

    about: About
    parts: tuple[Demonstrations, ...]
    types: Types  # in which all of them are written

    def __iter__(self) -> Iterator[Trajectory]:
        for part in self.parts:
            yield from (cast(episode, self.types) for episode in part.trajectories)

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each episode (N,) int64."""
        return np.concatenate([part.episodes.lengths for part in self.parts])

    def digests(self) -> Iterator[str]:
        """SHA-256 of each episode as it will be written; known without reading where that is as it was."""
        for part in self.parts:
            if _types_in(part) == {self.types}:
                yield from part.digests()
            else:
                for episode in part.trajectories:
                    yield digest_of(cast(episode, self.types)).hex()

    def unique(self) -> Merged:
        """Every episode once: of those with equal digests the first."""
        digests, seen, parts = self.digests(), set[str](), []
        for part in self.parts:
            kept = []
            for index, digest in enumerate(islice(digests, len(part.trajectories))):
                kept += [index] if digest not in seen else []
                seen.add(digest)
            parts += [part.pick(kept)] if kept else []
        return Merged(self.about, tuple(parts), self.types)


def merge(parts: Sequence[Named]) -> Merged:
    """The episodes of all ``parts``, at least one, one part after another and every step of theirs kept.

    What the provenance of part i says under a name is said under ``merged_i name``, counting from 1. A space that some
    parts do not state is that of the others. Numbers that some parts hold in fewer bits are written in as many as the
    others have, which changes digests and no number.

    Raises:
        InputError: if they are not of one task, or some have rewards and others none; it says both sides.
    """
    for first, other in combinations(parts, 2):
        _check_same_task(first, other)
    provenance = {"source": f"merged from {counted(len(parts), 'file')}"}
    for number, (name, part) in enumerate(parts, start=1):
        provenance[f"merged_{number}"] = f"{counted(len(part.trajectories), 'episode')} of {name}"
        provenance |= {f"merged_{number} {key}": text for key, text in part.provenance.items()}
    joined = tuple(part for _, part in parts)
    types = widest(types for part in joined for types in _types_in(part))
    return Merged(_about(joined, provenance), joined, types)


def _about(parts: Sequence[Demonstrations], provenance: Mapping[str, str]) -> About:
    observation_space, action_space = (
        next((getattr(part, name) for part in parts if getattr(part, name) is not None), None)
        for name in ("observation_space", "action_space")
    )
    if observation_space is not None and action_space is not None:
        for part in parts:
            if part.observation_space is None or part.action_space is None:
                part.fitted_to(observation_space, action_space)
    return About(observation_space, action_space, parts[0].env_id, parts[0].env_kwargs, provenance)


def _types_in(part: Demonstrations) -> set[Types]:
    """All types that there are; episodes stay in a native file alone, which has one type for all."""
    return set(map(row_types, part.trajectories if part.in_memory else part.trajectories[:1]))


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
        _Trait("actions", _numbers(episode.actions) if episode.has_actions else _WITHOUT),
        _Trait("observation space", demonstrations.observation_space, may_be_missing=True),
        _Trait("action space", demonstrations.action_space, may_be_missing=True),
        _Trait("rewards", "not recorded" if episode.rewards is None else "recorded"),
    )


def _numbers(values: np.ndarray) -> str:
    """The kind of number, whose bits may differ, and the shape; those of each part where there are several."""
    if values.dtype.names is not None:
        return "; ".join(f"{name!r}: {_numbers(values[name])}" for name in values.dtype.names)
    return f"{_KINDS.get(values.dtype.kind, values.dtype)} of shape {values.shape[1:]}"


def _said(value: object) -> str:
    return "not stated" if value is None else " ".join(str(value).split())
