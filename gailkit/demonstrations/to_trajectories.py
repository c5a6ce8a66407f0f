"""From episodes as files tell them to trajectories: how each ended, what came last, and whether it is sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gailkit.demonstrations.file_contents import Broken, Contents, Episode, ReadOptions
from gailkit.errors import DataError, InputError
from gailkit.types import Trajectory


class AmbiguousEnding(InputError):
    """A file says that episodes ended and not how; whoever reads it has to say."""


@dataclass
class Conversion:
    """The trajectories of a file, one after another, and a count of what had to be made up or left out.

    What follows the last step of an episode is unknown where a file has no last observation. An episode that was cut
    off then loses its last action and reward, so that each kept action has its true successor; one that terminated
    keeps every step, and its last observation is repeated in place of the unknown one.
    """

    path: Path
    contents: Contents
    options: ReadOptions = field(default_factory=ReadOptions)
    shortened: int = 0  # truncated episodes that lost their last action
    repeated: int = 0  # terminated episodes whose last observation stands twice
    vanished: int = 0  # episodes of which no step is left
    decided: Counter[str] = field(default_factory=Counter)  # endings that the options decided

    def strict(self) -> Iterator[Trajectory]:
        """Every trajectory.

        Raises:
            DataError: at the first episode that is broken.
            AmbiguousEnding: at the first whose ending neither the file nor the options tell.
        """
        for index, found in self.tolerant():
            if isinstance(found, Broken):
                raise DataError(f"{self.path}: episode {index} of {self.contents.num_episodes}: {found.reason}")
            yield found

    def tolerant(self) -> Iterator[tuple[int, Trajectory | Broken]]:
        """Number and trajectory of each episode, or what is wrong with it; raises AmbiguousEnding as ``strict``."""
        episodes = iter(self.contents.episodes)
        for index, episode in enumerate(episodes):
            if isinstance(episode, Broken):
                yield index, episode
                continue
            self._check_limit(index, len(episode.actions))
            terminated = decide(len(episode.actions), episode.terminated, self.options)
            if terminated is None:
                raise AmbiguousEnding(_question(self.path, index, [episode, *episodes]))
            if terminated != episode.terminated:
                self.decided["terminated" if terminated else "truncated"] += 1
            try:
                trajectory = self._trajectory(episode, terminated)
            except InputError as error:
                yield index, Broken(str(error))
                continue
            if trajectory is not None:
                yield index, trajectory

    def notes(self) -> dict[str, str]:
        """What was made up, left out or decided so far, for the provenance."""
        notes = {}
        if self.shortened or self.repeated or self.vanished:
            notes["conversion"] = (
                f"the file has no last observations: the last step of {self.shortened + self.vanished} truncated "
                f"episodes was dropped, the last observation of {self.repeated} terminated episodes repeated"
            )
        if self.decided:
            counts = ", ".join(f"{count} as {ending}" for ending, count in sorted(self.decided.items()))
            notes["endings"] = f"read {counts}, by {_said(self.options)}"
        if self.contents.unheld:
            notes["left_out"] = ", ".join(self.contents.unheld)
        return notes

    def _check_limit(self, index: int, steps: int) -> None:
        limit = self.options.max_episode_steps
        if limit is not None and steps > limit:
            raise InputError(f"{self.path}: episode {index} has {steps} steps, so that {limit} was not the time limit")

    def _trajectory(self, episode: Episode, terminated: bool) -> Trajectory | None:
        observations, actions, rewards = episode.observations, episode.actions, episode.rewards
        if len(observations) == len(actions) and terminated:
            observations = np.concatenate([observations, observations[-1:]])
            self.repeated += 1
        elif len(observations) == len(actions):
            actions = actions[:-1]
            rewards = None if rewards is None else rewards[:-1]
            if not len(actions):
                self.vanished += 1
                return None
            self.shortened += 1
        return Trajectory(observations, actions, rewards, terminated, episode.seed)


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


def _said(options: ReadOptions) -> str:
    words = []
    if options.max_episode_steps is not None:
        words.append(f"--max-episode-steps {options.max_episode_steps}")
    if options.ends is not None:
        words.append(f"--ends {options.ends}")
    return " ".join(words)


def _question(path: Path, known: int, episodes: Sequence[Episode | Broken]) -> str:
    """What is to be told about ``episodes``, of which at least one ended nobody knows how, behind ``known`` others."""
    lengths = [
        len(episode.actions) for episode in episodes if isinstance(episode, Episode) and episode.terminated is None
    ]
    longest = max(lengths)
    ended = f"{lengths.count(longest)} of {len(lengths)} after {longest} steps, none after more"
    told = known + len(episodes) - len(lengths)
    ended += f"; of {told} others it does" if told else ""
    limit = f"--max-episode-steps {longest} if a time limit of {longest} steps truncated those that reached it"
    alike = "--ends terminated or --ends truncated if all ended alike"
    answers = f"{limit} and the others terminated, or {alike}"
    if lengths.count(longest) == 1 < len(lengths):  # a time limit would have truncated several
        answers = f"{alike}, or {limit} and the others terminated"
    return f"{path} does not say how its episodes ended ({ended}), which decides what is imitated: say {answers}"
