"""What is intact of a damaged file into a new one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from gailkit.demonstrations.editing.convert import OnEpisode, kind_of, told
from gailkit.demonstrations.file_contents import Broken, ReadOptions
from gailkit.demonstrations.file_digest import sha256_of
from gailkit.demonstrations.joined_episodes import digest_of
from gailkit.demonstrations.native import writing
from gailkit.demonstrations.native.truncated_file import missing_bytes, padded_copy
from gailkit.demonstrations.opening import open_contents
from gailkit.demonstrations.to_trajectories import Conversion
from gailkit.errors import DataError
from gailkit.types import Trajectory
from gailkit.wording import counted

PADDING = (0x00, 0xA5)
CUT = "it lies in the part that is cut off"


class Repaired(NamedTuple):
    """What was saved, and what was not."""

    format: str
    episodes: int  # that were saved
    steps: int
    whole: int  # episodes that the file should hold
    lost: dict[int, str]  # number of an episode -> why
    missing: int  # bytes that were cut off the end of the file
    notes: dict[str, str]  # as ``Conversion.notes``


def repair(path: Path, options: ReadOptions, output: Path, step: str, on_episode: OnEpisode | None = None) -> Repaired:
    """Write every intact episode of ``path`` to the native file ``output``, in bounded memory.

    An HDF5 file that lacks its end is read from two temporary copies beside ``output``, in which different bytes stand
    for the end: an episode that is the same in both does not depend on them.

    Raises:
        DataError: if no episode is intact.
        InputError, AmbiguousEnding, StorageError: as ``gailkit.demonstrations.editing.convert.convert``.
    """
    options = replace(options, tolerant=True)
    missing = missing_bytes(path) if path.is_file() else 0
    with ExitStack() as opened:
        copies = [opened.enter_context(padded_copy(path, output.parent, byte)) for byte in PADDING if missing]
        try:
            repaired = _saved(path, copies or [path], options, output, step, on_episode)
        except DataError as error:
            cut = f"{missing:,} bytes of its end are missing, and " if missing else ""
            reason = str(error).replace(f"{(copies or [path])[0].parent}{os.sep}", "")
            raise DataError(f"{path}: {cut}no episode is intact: {reason}") from error
    return repaired._replace(missing=missing)


def _saved(
    path: Path, copies: Sequence[Path], options: ReadOptions, output: Path, step: str, on_episode: OnEpisode | None
) -> Repaired:
    """Write the episodes that are sound and the same in all ``copies`` of ``path``."""
    with ExitStack() as opened:
        read = [opened.enter_context(open_contents(copy, options)) for copy in copies]
        conversions = [Conversion(copy, found[1], options) for copy, found in zip(copies, read, strict=True)]
        format_name, contents = read[0]
        provenance = dict(contents.about.provenance)
        if copies[0] != path and provenance.get("source") == copies[0].name:  # a native file tells of its own origin
            provenance |= {"source": path.name, "sha256": sha256_of(path)}
        sound = _Sound(conversions, on_episode)

        def passing() -> Iterator[Trajectory]:
            yield from sound
            if not sound.steps:
                raise DataError(f"{path.name}: {sound.reasons() or conversions[0].nothing()}")
            lost = f"{len(sound.lost)} of {counted(contents.num_episodes, 'episode')} were lost: {sound.reasons()}"
            # Only now is it known what was lost; writers describe the episodes behind the last of them.
            provenance.update(told(provenance, f"{step}; {lost}" if sound.lost else step, conversions[0].notes()))

        saved = writing.write(output, contents.about._replace(provenance=provenance), passing())
    notes = conversions[0].notes()
    return Repaired(format_name, saved, sound.steps, contents.num_episodes, sound.lost, 0, notes)


class _Sound:
    """The trajectories that are intact; what is not is noted."""

    def __init__(self, conversions: Sequence[Conversion], on_episode: OnEpisode | None) -> None:
        self.lost: dict[int, str] = {}
        self.steps = 0
        self._conversions = conversions
        self._whole = conversions[0].contents.num_episodes
        self._on_episode = on_episode

    def __iter__(self) -> Iterator[Trajectory]:
        first: Trajectory | None = None
        for index, found in self._numbered():
            if self._on_episode is not None:
                self._on_episode(index + 1, self._whole, self.steps)
            if isinstance(found, Broken):
                self.lost[index] = found.reason
                continue
            first = first or found
            if kind_of(found) != kind_of(first):
                self.lost[index] = f"it is {kind_of(found)}, and the first is {kind_of(first)}"
                continue
            self.steps += len(found)
            yield found

    def reasons(self) -> str:
        """Why episodes were lost, each reason once."""
        return "; ".join(dict.fromkeys(self.lost.values()))

    def _numbered(self) -> Iterator[tuple[int, Trajectory | Broken]]:
        """What all conversions agree on; where one of them has no more or its reading breaks off, the rest is lost."""
        following, reason = 0, CUT
        try:
            for found in zip_longest(*(conversion.tolerant() for conversion in self._conversions)):
                if any(each is None for each in found):
                    break
                index = found[0][0]
                following = index + 1
                yield index, _agreed([each for _, each in found])
            else:
                return
        except DataError as error:
            reason = str(error)
        for index in range(following, self._whole):
            yield index, Broken(reason)


def _agreed(found: Sequence[Trajectory | Broken]) -> Trajectory | Broken:
    """What was found, if it is the same every time."""
    for each in found:
        if isinstance(each, Broken):
            return each
    digests = {digest_of(each) for each in found if isinstance(each, Trajectory)}
    return found[0] if len(digests) == 1 else Broken(CUT)
