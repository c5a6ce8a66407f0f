"""From episodes as files tell them to trajectories: what came last, what is left out, and whether each is sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from gailkit.demonstrations.endings import AmbiguousEnding, decide, question
from gailkit.demonstrations.file_contents import Broken, Contents, Episode, ReadOptions, TimeLimit, typed_limit
from gailkit.demonstrations.time_limits import stated_limit
from gailkit.errors import DataError, InputError
from gailkit.types import Trajectory
from gailkit.wording import counted

MOST_NAMED = 8  # episodes that are named in a sentence
NO_STEP = "no step"
ONE_STEP = "one step, of which nothing tells what followed it"


@dataclass
class Conversion:
    """The trajectories of a file, one after another, and a count of what had to be made up or left out.

    What follows the last step of an episode is unknown where a file has no last observation. An episode that was cut
    off then loses its last action and reward, so that each kept action has its true successor; one that terminated
    keeps every step, and its last observation is repeated in place of the unknown one. An episode of which no step is
    left is left out.
    """

    path: Path
    contents: Contents
    options: ReadOptions = field(default_factory=ReadOptions)
    shortened: int = 0  # truncated episodes that lost their last action
    repeated: int = 0  # terminated episodes whose last observation stands twice
    gone: dict[int, str] = field(default_factory=dict)  # number of an episode that is left out -> what it has of steps
    decided: Counter[str] = field(default_factory=Counter)  # endings that the options decided
    beyond: list[int] = field(
        default_factory=list
    )  # lengths of episodes that are longer than the limit the file states

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
            if not len(episode.actions):
                self.gone[index] = NO_STEP
                continue
            self._check_limit(index, len(episode.actions))
            terminated = decide(len(episode.actions), episode.terminated, self.options)
            if terminated is None:
                raise AmbiguousEnding(question(self.path, index, [episode, *episodes]) + self._registered())
            if terminated != episode.terminated:
                self.decided["terminated" if terminated else "truncated"] += 1
            try:
                trajectory = self._trajectory(index, episode, terminated)
            except InputError as error:
                yield index, Broken(str(error))
                continue
            if trajectory is not None:
                yield index, trajectory

    def notes(self) -> dict[str, str]:
        """What was made up, left out or decided so far, for the provenance."""
        notes = {}
        if self.contents.divided:
            notes["divided"] = self.contents.divided
        if self.shortened or self.repeated:
            dropped = f"the last step of {counted(self.shortened, 'truncated episode')} was dropped"
            repeated = f"the last observation of {counted(self.repeated, 'terminated episode')} repeated"
            notes["conversion"] = "there are no last observations: " + ", ".join(
                [dropped] * (self.shortened > 0) + [repeated] * (self.repeated > 0)
            )
        if self.gone:
            notes["gone"] = gone(self.gone, self.contents.num_episodes)
        if self.beyond and self._stated is not None:
            found = counted(len(self.beyond), "episode goes", "episodes go")
            notes["time_limit"] = (
                f"{self._stated.said}, and {found} on beyond it, up to {counted(max(self.beyond), 'step')}"
            )
        if self.decided:
            counts = ", ".join(f"{count} as {ending}" for ending, count in sorted(self.decided.items()))
            notes["endings"] = f"read {counts}, by {_said(self.options)}"
        if self.contents.unheld:
            notes["left_out"] = ", ".join(self.contents.unheld)
        return notes

    def nothing(self) -> str:
        """Why no trajectory was found, for an error."""
        left = f": {gone(self.gone, self.contents.num_episodes)}" if self.gone else ""
        return f"{self.path} holds no step whose successor is known{left}"

    def _check_limit(self, index: int, steps: int) -> None:
        limit = self.options.max_episode_steps
        if limit is not None and steps > limit:
            raise InputError(
                f"{self.path}: episode {index} has {counted(steps, 'step')}, and the file marks where "
                "episodes end, so that "
                f"{int(limit)} was not the time limit"
            )
        stated = self._stated
        if stated is not None and limit is None and steps > stated.steps:
            self.beyond.append(steps)

    def _registered(self) -> str:
        return "" if self.options.registered is None else f" ({self.options.registered.said})"

    @cached_property
    def _stated(self) -> TimeLimit | None:
        return stated_limit(self.contents.about)

    def _trajectory(self, index: int, episode: Episode, terminated: bool) -> Trajectory | None:
        observations, actions, rewards = episode.observations, episode.actions, episode.rewards
        if len(observations) == len(actions) and terminated:
            observations = np.concatenate([observations, observations[-1:]])
            self.repeated += 1
        elif len(observations) == len(actions):
            actions = actions[:-1]
            rewards = None if rewards is None else rewards[:-1]
            if not len(actions):
                self.gone[index] = ONE_STEP
                return None
            self.shortened += 1
        return Trajectory(observations, actions, rewards, terminated, episode.seed)


def gone(left_out: Mapping[int, str], whole: int) -> str:
    """How many of the ``whole`` episodes are left out, which, and why."""
    reasons: dict[str, list[int]] = {}
    for index, reason in left_out.items():
        reasons.setdefault(reason, []).append(index)
    said = "; ".join(f"{_some(found)} ({reason})" for reason, found in reasons.items())
    return f"{len(left_out):,} of {counted(whole, 'episode')} left out: {said}"


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:MOST_NAMED])) + (", ..." if len(numbers) > MOST_NAMED else "")


def _said(options: ReadOptions) -> str:
    words = []
    if options.max_episode_steps is not None:
        words.append(typed_limit(options.max_episode_steps))
    if options.ends is not None:
        words.append(f"--ends {options.ends}")
    return " ".join(words)
