"""What is checked: a file as it was read, with everything about it that reading it brought to light."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gailkit.checks.movement import Movement
from gailkit.demonstrations.endings import UnmarkedEnds
from gailkit.demonstrations.file_contents import About, Broken, Contents, Episode, ReadOptions, typed_limit
from gailkit.demonstrations.opening import open_contents
from gailkit.demonstrations.to_trajectories import Conversion
from gailkit.errors import DataError
from gailkit.types import Trajectory
from gailkit.wording import counted

MENDED = {  # command, or option of one, that mends a file -> what is added to the name of the file
    "--clip-actions": "clipped",
    "convert": "converted",
    "repair": "repaired",
    "select": "selected",
}


@dataclass(frozen=True)
class Endings:
    """What was told, assumed and made up of how episodes ended, so that they could be read."""

    ambiguous: tuple[int, ...] = ()  # numbers of the episodes of which nobody knows
    longest: int = 0  # steps of the longest of them
    assumed: tuple[str, ...] = ()  # option that says how they are taken to have ended, and its value
    told: bool = False  # whether options decided
    shortened: int = 0  # episodes that lost their last action, for want of a last observation
    repeated: tuple[int, ...] = ()  # numbers of those that terminated and have it made up
    unmarked: str = ""  # what has to be asked where the file does not mark each end; "" if it does


@dataclass(frozen=True)
class Subject:
    """A file; its episodes are those that can be read and used."""

    path: Path
    trajectories: tuple[Trajectory, ...]
    numbers: tuple[int, ...]  # of the trajectories, in the file
    about: About = field(default_factory=About)
    format: str = ""
    words: tuple[str, ...] = ()  # options on how it is read, as they are typed
    unreadable: Mapping[int, str] = field(default_factory=dict)  # number of an episode -> what is wrong with it
    unusable: Mapping[int, str] = field(default_factory=dict)  # likewise, of those that could be read
    endings: Endings = field(default_factory=Endings)
    unheld: tuple[str, ...] = ()  # what the file holds beside
    notes: Mapping[str, str] = field(default_factory=dict)  # as ``Conversion.notes``
    gone: tuple[int, ...] = ()  # numbers of the episodes that are left out, for they have no step

    @property
    def has_actions(self) -> bool:
        """Whether it is known what was done in the episodes."""
        return all(each.has_actions for each in self.trajectories)

    def numbered(self) -> Iterator[tuple[int, Trajectory]]:
        """Every trajectory behind its number in the file."""
        return zip(self.numbers, self.trajectories, strict=True)

    @cached_property
    def jumps(self) -> Mapping[int, np.ndarray] | None:
        """Number of each episode that has jumps -> its steps, counted from 1, that are; None if it cannot be told."""
        moving = Movement.of(self.trajectories)
        if moving is None:
            return None
        return {number: steps for number, each in self.numbered() if len(steps := moving.jumps_of(each))}

    def mend(self, command: str, *options: str) -> str:
        """``gailkit data command FILE -o OUT options``, with what has to be said to read the file.

        OUT is in the current folder.
        """
        read = (*self.words, *self.endings.assumed)
        needed = [pair for pair in zip(read[::2], read[1::2], strict=True) if pair[0] not in options]
        whole = self.path.resolve()
        mended = next(said for word, said in MENDED.items() if word in (command, *options))
        name = f"{whole.name if whole.is_dir() else whole.stem}-{mended}.hdf5"
        typed = ["gailkit", "data", command, str(self.path), "-o", name, *options]
        return shlex.join([*typed, *(word for pair in needed for word in pair)])

    def mend_time_limit(self, limit: int) -> str | None:
        """The command that says that ``limit`` steps cut episodes off; None where longer ones contradict that."""
        if max(map(len, self.trajectories)) > limit:
            return None
        return self.mend("convert", "--max-episode-steps", str(limit))


def read_subject(path: Path, options: ReadOptions, words: Sequence[str] = (), time_limit: int | None = None) -> Subject:
    """Everything in ``path``; what cannot be read or used is noted, and nothing is asked.

    Where nobody knows how episodes ended, what is most likely is assumed, in the light of the ``time_limit`` of an
    environment.

    Raises:
        InputError, StorageError, DataError: as ``gailkit.demonstrations.opening.read``, but for single episodes that
            are broken and for endings that nobody knows.
    """
    unmarked: dict[str, Any] = {}
    try:
        name, contents, episodes = _everything(path, options)
    except UnmarkedEnds as error:
        options = replace(options, max_episode_steps=math.inf if time_limit is None else time_limit)
        name, contents, episodes = _everything(path, options)
        unmarked = {"unmarked": str(error), "assumed": tuple(typed_limit(time_limit or math.inf).split())}
    endings, assumed = _endings(episodes, options, time_limit)
    conversion = Conversion(path, contents._replace(episodes=episodes), assumed)
    results = list(conversion.tolerant())
    sound = [(index, found) for index, found in results if isinstance(found, Trajectory)]
    broken = {index: found.reason for index, found in results if isinstance(found, Broken)}
    made_up = tuple(index for index, found in sound if found.terminated and _lacks_last(episodes[index]))
    unreadable = {index: reason for index, reason in broken.items() if isinstance(episodes[index], Broken)}
    if not sound and (unreadable or not broken):
        if not unreadable:
            raise DataError(conversion.nothing())
        reasons = "; ".join(dict.fromkeys(unreadable.values()))
        raise DataError(f"{path}: none of its {counted(len(episodes), 'episode')} can be read: {reasons}")
    return Subject(
        path,
        tuple(found for _, found in sound),
        tuple(index for index, _ in sound),
        contents.about,
        name,
        tuple(words),
        unreadable,
        {index: reason for index, reason in broken.items() if index not in unreadable},
        replace(endings, shortened=conversion.shortened, repeated=made_up, **unmarked),
        contents.unheld,
        conversion.notes(),
        tuple(conversion.gone),
    )


def _lacks_last(episode: Episode | Broken) -> bool:
    """Whether it does not hold the observation after its last action."""
    return isinstance(episode, Episode) and len(episode.observations) == len(episode.actions)


def _everything(path: Path, options: ReadOptions) -> tuple[str, Contents, list[Episode | Broken]]:
    with open_contents(path, options) as (name, contents):
        return name, contents, list(contents.episodes)


def _endings(
    episodes: Sequence[Episode | Broken], options: ReadOptions, time_limit: int | None
) -> tuple[Endings, ReadOptions]:
    """What is known of endings, and the options with what is assumed of the others."""
    lengths = {index: len(found.actions) for index, found in enumerate(episodes) if isinstance(found, Episode)}
    unsaid = [
        index
        for index, found in enumerate(episodes)
        if isinstance(found, Episode) and found.terminated is None and len(found.actions)
    ]
    if not unsaid or options.ends is not None or options.max_episode_steps is not None:
        return Endings(told=options.max_episode_steps is not None or bool(unsaid)), options
    asked = [lengths[index] for index in unsaid]
    changes = _assumption(asked, max(lengths.values()), time_limit)
    ((name, value),) = changes.items()
    words = (f"--{name.replace('_', '-')}", str(value))
    return Endings(tuple(unsaid), max(asked), words), replace(options, **changes)


def _assumption(asked: Sequence[int], longest: int, time_limit: int | None) -> dict[str, Any]:
    """The option that most likely says how episodes of ``asked`` steps ended; the longest of all has ``longest``."""
    limit = max(*asked, time_limit or 0)
    alone = asked.count(limit) == 1 < len(asked) and limit != time_limit  # a time limit would have truncated several
    return {"ends": "terminated"} if alone or longest > limit else {"max_episode_steps": limit}
