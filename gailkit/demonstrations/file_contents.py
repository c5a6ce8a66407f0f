"""What a file of demonstrations holds, whatever its format: the currency between readers, writers and the data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from gymnasium import Space

from gailkit.errors import InputError

Ending = Literal["terminated", "truncated"]


class About(NamedTuple):
    """What a file says about its episodes."""

    observation_space: Space[Any] | None = None  # None where the file does not state it
    action_space: Space[Any] | None = None
    env_id: str | None = None
    env_kwargs: Mapping[str, Any] = {}  # plain JSON values
    provenance: Mapping[str, str] = {}  # where the episodes come from, for people to read


class Episode(NamedTuple):
    """One episode of L steps as a file tells it. Nothing of it has been checked."""

    observations: np.ndarray  # (L + 1, *obs), or (L, *obs) where the file lacks the last one
    actions: np.ndarray  # (L, *act)
    rewards: np.ndarray | None  # (L,)
    terminated: bool | None  # None where the file says that it ended, and not how
    seed: int | None = None  # what the environment was reset with


class TimeLimit(NamedTuple):
    """After how many steps episodes were truncated, and how that is known."""

    steps: int
    said: str  # a sentence without its stop


class Broken(NamedTuple):
    """An episode that cannot be read."""

    reason: str  # what is wrong with it, to go behind "episode 3 of 10: "


class Contents(NamedTuple):
    """Everything in one file."""

    about: About
    num_episodes: int
    episodes: Iterable[Episode | Broken]  # to be gone through once, while the file is open
    unheld: tuple[str, ...] = ()  # what the file holds beside and is left behind, such as "infos/qpos"
    num_bytes: int | None = (
        None  # that drawing from all of it takes in memory; None where it can only be read as a whole
    )
    verified: bool = False  # whether each episode is compared with a digest of the file's
    together: Callable[[], Iterable[Episode | Broken]] | None = None  # all episodes, as rows of arrays that hold all
    ends_marked: bool = True  # False where a time limit leaves no mark, so that an "episode" may be several
    divided: str = ""  # which of them were divided, and by what; "" for none


@dataclass(frozen=True)
class ReadOptions:
    """What a reader cannot know from the file alone.

    Raises:
        InputError: if ``max_episode_steps`` is no whole number of at least 1 or infinite, or ``ends`` no ending.
    """

    format: str | None = None  # name of the format; None to find it out
    ends: Ending | None = None  # how episodes ended of which the file does not tell
    max_episode_steps: float | None = None  # the time limit, after which every episode is truncated; math.inf for none
    obs_keys: tuple[str, ...] = ()  # which of several observations, in this order; () for all
    mask: str | None = None  # name of a list in the file that says which episodes
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what plain columns mean, see formats/columns
    tolerant: bool = False  # read what can be read of a damaged file
    registered: TimeLimit | None = None  # of an environment named beside the file: told in a question, not assumed

    def __post_init__(self) -> None:
        most = self.max_episode_steps
        if most is not None and not (most >= 1 and (math.isinf(most) or most == int(most))):
            raise InputError(f"the most steps of an episode must be a whole number, at least 1; found {most}")
        if self.ends not in (None, "terminated", "truncated"):
            raise InputError(f"episodes end terminated or truncated; found {self.ends!r}")


def typed_limit(limit: float) -> str:
    """A time limit as it is typed."""
    return f"--max-episode-steps {'none' if math.isinf(limit) else int(limit)}"
