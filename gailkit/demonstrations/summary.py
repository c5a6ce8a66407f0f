"""What a person wants to know about a file of demonstrations before training on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gailkit.demonstrations.endings import AmbiguousEnding, UnmarkedEnds
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.demonstrations.file_digest import size_of
from gailkit.demonstrations.opening import read


@dataclass(frozen=True)
class Description:
    """Plain values only, so that it can be printed and written as JSON."""

    path: str
    format: str
    file_bytes: int
    digests_verified: int  # episodes compared with a digest; 0 where the format has none
    env_id: str | None
    env_kwargs: Mapping[str, Any]
    observation_space: str | None  # None where the file does not state it
    action_space: str | None
    observations: str  # dtype and shape of one
    actions: str | None  # None where the file holds none
    episodes: int
    episodes_known: bool  # False where each of them may be several
    steps: int
    terminated: int  # episodes that the task itself ended
    truncated: int  # the others, that a time limit ended
    endings_known: bool  # False where neither the file nor its reader says how episodes ended
    ending: str  # what that means for imitation, or what has to be said, one sentence
    length_min: int
    length_median: float
    length_max: int
    return_mean: float | None  # None where the rewards were not recorded
    return_sd: float | None  # sample standard deviation; None for a single episode
    return_min: float | None
    return_max: float | None
    provenance: Mapping[str, str]


def describe(path: Path, options: ReadOptions | None = None, memory: int | None = None) -> Description:
    """Read all of the file, checking what can be checked, and sum it up.

    Where it is open how episodes ended, they are counted as truncated, and that is said; so it is where it is open
    whether one of them is several.

    Raises:
        InputError: if there is no such file.
        StorageError: if it may not be read.
        DataError: if it is damaged or of no known format.
    """
    question, several = None, False
    try:
        name, about, trajectories, verified = read(path, options, memory)
    except AmbiguousEnding as error:
        question, several = str(error), isinstance(error, UnmarkedEnds)
        assumed = replace(options or ReadOptions(), ends="truncated")
        assumed = replace(assumed, max_episode_steps=math.inf) if several else assumed
        name, about, trajectories, verified = read(path, assumed, memory)
    lengths: list[int] = trajectories.lengths.tolist()
    terminated = int(trajectories.terminated.sum())
    first = trajectories[0]
    return Description(
        path=str(path),
        format=name,
        file_bytes=size_of(path),
        digests_verified=len(lengths) if verified else 0,
        env_id=about.env_id,
        env_kwargs=about.env_kwargs,
        observation_space=_text(about.observation_space),
        action_space=_text(about.action_space),
        observations=f"{first.observations.dtype} of shape {first.observations.shape[1:]}",
        actions=f"{first.actions.dtype} of shape {first.actions.shape[1:]}" if first.has_actions else None,
        episodes=len(lengths),
        episodes_known=not several,
        steps=sum(lengths),
        terminated=terminated,
        truncated=len(lengths) - terminated,
        endings_known=question is None,
        ending=ending(terminated, len(lengths)) if question is None else question,
        length_min=min(lengths),
        length_median=float(np.median(lengths)),
        length_max=max(lengths),
        **_returns(trajectories.returns()),
        provenance=_told(about.provenance, question),
    )


def _told(provenance: Mapping[str, str], question: str | None) -> dict[str, str]:
    """Without the endings that were assumed here, and that nobody told."""
    return {name: text for name, text in provenance.items() if question is None or name != "endings"}


def ending(terminated: int, episodes: int) -> str:
    """What it means for imitation that ``terminated`` of ``episodes`` terminated."""
    if terminated == 0:
        return "No episode shows an end of the task: nothing is learned about ending, only about going on."
    if terminated == episodes:
        return "Every episode terminated: when to end is part of what is imitated."
    return (
        "Where an episode terminated its end is imitated too; where it was truncated what follows is taken as unknown."
    )


def _returns(known: np.ndarray | None) -> dict[str, float | None]:
    names = ("return_mean", "return_sd", "return_min", "return_max")
    if known is None:
        return dict.fromkeys(names)
    deviation = float(known.std(ddof=1)) if len(known) > 1 else None
    return dict(zip(names, (float(known.mean()), deviation, float(known.min()), float(known.max())), strict=True))


def _text(space: object) -> str | None:
    return None if space is None else " ".join(str(space).split())
