"""One file into another, an episode at a time: into the spaces of an environment, into another format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box

from gailkit.demonstrations.episodes import HeldEpisodes
from gailkit.demonstrations.file_contents import About, ReadOptions
from gailkit.demonstrations.fitting_environment import (
    as_far_as_held,
    as_observed,
    check_fit,
    check_parts,
    flattened_by,
)
from gailkit.demonstrations.native import writing
from gailkit.demonstrations.opening import open_contents
from gailkit.demonstrations.provenance import next_step
from gailkit.demonstrations.to_trajectories import Conversion
from gailkit.errors import DataError, InputError
from gailkit.spaces import brief, misfit
from gailkit.types import Trajectory
from gailkit.wording import counted

Write = Callable[[Path, About, Iterable[Trajectory]], int]
"""Writes episodes one after another into a file that replaces an older one when it is complete."""

OnEpisode = Callable[[int, int, int], None]


class Target(NamedTuple):
    """What is to become of a file."""

    path: Path
    write: Write = writing.write
    env_id: str | None = None  # with its spaces: the environment that the episodes are said to come from
    env_kwargs: Mapping[str, Any] = {}
    observation_space: Space[Any] | None = None
    action_space: Space[Any] | None = None
    clip_actions: bool = False
    without_actions: bool = False
    step: str = ""  # what is added to the provenance


class Converted(NamedTuple):
    """What has been done."""

    format: str  # that was read
    episodes: int
    steps: int
    clipped: int  # actions that were outside the Box
    notes: dict[str, str]  # as ``Conversion.notes``


def convert(path: Path, options: ReadOptions, target: Target, on_episode: OnEpisode | None = None) -> Converted:
    """Write the episodes of ``path`` to ``target`` in bounded memory; a file of that name is replaced at the end.

    ``on_episode`` is told after each how many of how many have passed, and with how many steps; it may raise to stop.

    Raises:
        InputError: if the episodes do not fit the environment or each other, or there is no Box to clip actions to.
        AmbiguousEnding, StorageError, DataError: as ``gailkit.demonstrations.opening.read`` and ``target.write``.
    """
    with open_contents(path, options) as (name, contents):
        conversion = Conversion(path, contents, options)
        provenance = dict(contents.about.provenance)
        readable = conversion.strict()
        first = next(readable, None)
        if first is None:
            raise DataError(conversion.nothing())
        about = _described(contents.about, target, first)._replace(provenance=provenance)
        change = _Change(contents.about, about, target)

        def passing() -> Iterator[Trajectory]:
            for number, trajectory in enumerate(chain([first], readable), start=1):
                yield change(number - 1, trajectory)
                if on_episode is not None:
                    on_episode(number, contents.num_episodes, change.steps)
            # Only now is it known what had to be made up; writers describe the episodes behind the last of them.
            provenance.update(told(provenance, target.step, conversion.notes(), change.clipped))
            if change.clipped:
                provenance.pop("actions", None)  # what the reader said of actions out of bounds

        episodes = target.write(target.path, about, passing())
    return Converted(name, episodes, change.steps, change.clipped, conversion.notes())


class _Change:
    """Fits each trajectory into the environment and its actions into the Box, and counts what passes."""

    def __init__(self, stated: About, about: About, target: Target) -> None:
        self.steps = self.clipped = 0
        self._stated = stated
        self._target = target
        self._first: Trajectory | None = None
        self._box = _box(about) if target.clip_actions else None

    def __call__(self, number: int, trajectory: Trajectory) -> Trajectory:
        """The trajectory as it is to be written. Raises InputError if it does not fit."""
        self._first = self._first or trajectory
        if kind_of(trajectory) != kind_of(self._first):
            raise InputError(f"episode {number} is {kind_of(trajectory)}, and the first is {kind_of(self._first)}")
        self._check_environment(trajectory)
        self.steps += len(trajectory)
        if self._target.without_actions:
            return trajectory.without_actions()
        if self._box is None:
            return trajectory
        if not trajectory.has_actions:
            raise InputError(f"episode {number} holds no actions that could be clipped")
        problem = misfit(self._box, trajectory.actions[:0])  # kind and shape; bounds are what clipping is for
        if problem is not None:
            raise InputError(f"the actions of episode {number} cannot be clipped: {problem}")
        actions = np.clip(trajectory.actions, self._box.low, self._box.high).astype(trajectory.actions.dtype)
        self.clipped += int((actions != trajectory.actions).reshape(len(actions), -1).any(axis=1).sum())
        return replace(trajectory, actions=actions)

    def _check_environment(self, trajectory: Trajectory) -> None:
        observed, acted = self._target.observation_space, self._target.action_space
        if observed is None or acted is None:
            return
        stated = as_far_as_held(self._stated, trajectory.has_actions)
        check_parts(stated, observed, acted)
        check_fit(*as_observed(HeldEpisodes([trajectory]), stated, observed, acted), observed, acted)


def _described(stated: About, target: Target, first: Trajectory) -> About:
    """What is said of the episodes: by the environment, where there is one, else by their file.

    Spaces of several parts are those of the file, if the environment shows them flattened and the file does not.
    """
    if target.env_id is None:
        return stated
    observed, acted = target.observation_space, target.action_space
    assert observed is not None and acted is not None
    if (own := flattened_by(stated.observation_space, observed, first.observations)) is not None:
        observed = own if stated.observation_space is None else stated.observation_space
    if (own := flattened_by(stated.action_space, acted, first.actions)) is not None:
        acted = own if stated.action_space is None else stated.action_space
    kwargs = target.env_kwargs or (stated.env_kwargs if stated.env_id == target.env_id else {})
    return About(observed, acted, target.env_id, kwargs)


def _box(about: About) -> Box:
    if not isinstance(about.action_space, Box):
        found = "not stated" if about.action_space is None else brief(about.action_space)
        raise InputError(f"actions can be clipped to a Box; the action space is {found}, --env ENV_ID would give one")
    return about.action_space


def kind_of(trajectory: Trajectory) -> str:
    """What all trajectories of one file have in common."""
    names = ("observations", "actions") if trajectory.has_actions else ("observations",)
    kinds = [f"{name} {values.dtype} {values.shape[1:]}" for name in names for values in [getattr(trajectory, name)]]
    kinds += [] if trajectory.has_actions else ["without actions"]
    return ", ".join(
        [*kinds, "without rewards" if trajectory.rewards is None else f"rewards {trajectory.rewards.dtype}"]
    )


def told(provenance: Mapping[str, str], step: str, notes: Mapping[str, str], clipped: int = 0) -> dict[str, str]:
    """The ``next_step``, with what had to be made up or left out for it."""
    said = [
        step,
        *(f"{name}: {text}" for name, text in notes.items()),
        *([f"{counted(clipped, 'action')} clipped"] * (clipped > 0)),
    ]
    return next_step(provenance, "; ".join(part for part in said if part))
