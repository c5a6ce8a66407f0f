"""What is checked: a file as it was read, with everything about it that reading it brought to light."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gailkit.demonstrations.contents import About, Broken, Episode, ReadOptions
from gailkit.demonstrations.conversion import Conversion, decide
from gailkit.demonstrations.reading import open_contents
from gailkit.errors import DataError
from gailkit.types import Trajectory

MENDED = {  # command, or option of one, that mends a file -> what is added to the name of the file
    "--clip-actions": "clipped",
    "convert": "converted",
    "repair": "repaired",
    "select": "selected",
}


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
    ambiguous: tuple[int, ...] = ()  # numbers of those of which nobody knows how they ended
    limit: int | None = None  # steps of those that are taken to be cut off; the others are taken to have terminated
    longest: int = 0  # steps of the longest of those of which nobody knows
    told: bool = False  # whether the options say how episodes ended
    shortened: int = 0  # episodes that lost their last action, for want of a last observation
    repeated: int = 0  # episodes whose last observation stands twice, for want of one
    unheld: tuple[str, ...] = ()  # what the file holds beside

    def numbered(self) -> Iterator[tuple[int, Trajectory]]:
        """Every trajectory behind its number in the file."""
        return zip(self.numbers, self.trajectories, strict=True)

    def mend(self, command: str, *options: str) -> str:
        """``gailkit data command FILE -o OUT options``, with what has to be said to read the file.

        OUT is in the current folder.
        """
        assumed = () if self.limit is None else ("--max-episode-steps", str(self.limit))
        read = (*self.words, *assumed)
        needed = [pair for pair in zip(read[::2], read[1::2], strict=True) if pair[0] not in options]
        whole = self.path.resolve()
        mended = next(said for word, said in MENDED.items() if word in (command, *options))
        name = f"{whole.name if whole.is_dir() else whole.stem}-{mended}.hdf5"
        typed = ["gailkit", "data", command, str(self.path), "-o", name, *options]
        return shlex.join([*typed, *(word for pair in needed for word in pair)])


def read_subject(path: Path, options: ReadOptions, words: Sequence[str] = (), time_limit: int | None = None) -> Subject:
    """Everything in ``path``; what cannot be read or used is noted, and nothing is asked.

    Where nobody knows how episodes ended, those are taken to be cut off that have ``time_limit`` steps, or as many as
    the longest.

    Raises:
        InputError, StorageError, DataError: as ``gailkit.demonstrations.reading.read``, but for single episodes that
            are broken and for endings that nobody knows.
    """
    with open_contents(path, options) as (name, contents):
        episodes = list(contents.episodes)
    ambiguous = tuple(index for index, found in enumerate(episodes) if _is_ambiguous(found, options))
    asked = [found for index in ambiguous for found in [episodes[index]] if isinstance(found, Episode)]
    longest = max((len(found.actions) for found in asked), default=0)
    limit = max(longest, time_limit or 0) if asked else None
    for index, found in zip(ambiguous, asked, strict=True):
        episodes[index] = found._replace(terminated=len(found.actions) != limit)
    conversion = Conversion(path, contents._replace(episodes=episodes), options)
    results = list(conversion.tolerant())
    sound = [(index, found) for index, found in results if isinstance(found, Trajectory)]
    broken = {index: found.reason for index, found in results if isinstance(found, Broken)}
    unreadable = {index: reason for index, reason in broken.items() if isinstance(episodes[index], Broken)}
    if not sound and (unreadable or not broken):
        reasons = "; ".join(dict.fromkeys(unreadable.values())) or "it holds no step whose successor is known"
        raise DataError(f"{path}: none of its {len(episodes)} episodes can be read: {reasons}")
    return Subject(
        path,
        tuple(found for _, found in sound),
        tuple(index for index, _ in sound),
        contents.about,
        name,
        tuple(words),
        unreadable,
        {index: reason for index, reason in broken.items() if index not in unreadable},
        ambiguous,
        limit,
        longest,
        options.ends is not None or options.max_episode_steps is not None,
        conversion.shortened + conversion.vanished,
        conversion.repeated,
        contents.unheld,
    )


def _is_ambiguous(found: Episode | Broken, options: ReadOptions) -> bool:
    return isinstance(found, Episode) and decide(len(found.actions), found.terminated, options) is None
