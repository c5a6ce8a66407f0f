"""How an episode ended whose ending a file leaves open: terminated, truncated, or to be asked about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gailkit.demonstrations.file_contents import Broken, Episode, ReadOptions
from gailkit.errors import InputError
from gailkit.wording import counted


class AmbiguousEnding(InputError):
    """A file says that episodes ended and not how, or does not mark each end; whoever reads it has to say."""


class UnmarkedEnds(AmbiguousEnding):
    """Nothing tells whether a run of steps is one episode or several."""


def decide(steps: int, terminated: bool | None, options: ReadOptions) -> bool | None:
    """Whether an episode of ``steps`` steps terminated; None if neither the file nor the options tell.

    One that reached the time limit was truncated, whatever the file calls it. Otherwise the file is believed, and the
    options tell where it says nothing.
    """
    if steps == options.max_episode_steps:
        return False
    if terminated is not None:
        return terminated
    if options.ends is not None:
        return options.ends == "terminated"
    return None if options.max_episode_steps is None else True


def doubtful(lengths: Sequence[int], terminated: Sequence[bool]) -> list[bool | None]:
    """Endings (N,) of a format that cannot tell a time limit from an end: None where a termination may be either.

    A time limit shows as several episodes that all end after the same number of steps, none after more.
    """
    longest = max(lengths)
    at_limit = sum(length == longest for length in lengths)
    if at_limit < 2:
        return list(terminated)
    return [None if ended and length == longest else ended for length, ended in zip(lengths, terminated, strict=True)]


def question(path: Path, known: int, episodes: Sequence[Episode | Broken]) -> str:
    """What is to be told about ``episodes``, of which at least one ended nobody knows how, behind ``known`` others."""
    lengths = [
        len(episode.actions) for episode in episodes if isinstance(episode, Episode) and episode.terminated is None
    ]
    longest = max(lengths)
    ended = f"{lengths.count(longest)} of {len(lengths)} after {counted(longest, 'step')}, none after more"
    told = known + len(episodes) - len(lengths)
    ended += f"; of {counted(told, 'other')} it does" if told else ""
    limit = (
        f"--max-episode-steps {longest} if a time limit of {counted(longest, 'step')} truncated those that reached it"
    )
    alike = "--ends terminated or --ends truncated if all ended alike"
    answers = f"{limit} and the others terminated, or {alike}"
    if lengths.count(longest) == 1 < len(lengths):  # a time limit would have truncated several
        answers = f"{alike}, or {limit} and the others terminated"
    return f"{path} does not say how its episodes ended ({ended}), which decides what is imitated: say {answers}"
