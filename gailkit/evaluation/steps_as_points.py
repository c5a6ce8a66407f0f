"""Steps of episodes as points: observation and action side by side, on a scale on which the expert varies by one.

Where the expert's actions are not known, what an action changed stands for it: the difference of two observations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from gailkit.evaluation.names import observation_names
from gailkit.spaces import Flat, clip_to_space, number_sets, picture_of
from gailkit.types import Trajectory

MOST_STEPS = 100_000  # of one side
LARGEST_IMAGE = 256  # numbers of an observation of two or more dimensions that are kept as they are
GRID = 8  # a larger one is averaged to so many cells a side
BATCH = 1000  # images that are held as float64 at a time
FLAT = 1e-6  # deviation, relative to the largest value, below which a feature is taken as constant
ROUNDING = 1e-12  # the same, relative to the largest value that anybody shows: 0 give or take what rounding leaves

Points = Sequence[np.ndarray]
"""Episodes as arrays (k, D) of float64, one row a step."""


@dataclass(frozen=True)
class Feature:
    """One thing that is seen or done: a number, or a choice that takes several columns."""

    name: str
    columns: tuple[int, ...]
    is_action: bool
    is_choice: bool  # of a Discrete space: a column for each of its values, 1 for the one taken
    start: int = 0  # the first of those values
    is_change: bool = False  # of an observation to the next


@dataclass(frozen=True)
class Description:
    """How a step becomes a row of D numbers."""

    observation_space: Space[Any]
    action_space: Space[Any] | None  # None where what an action changed is to stand for it
    env_id: str | None = None

    def rows(self, trajectory: Trajectory, chosen: np.ndarray) -> np.ndarray:
        """The steps ``chosen`` (k,) as (k, D) float64; actions as the environment takes them, clipped to the Box."""
        observations = _numbers(self.observation_space, trajectory.observations[:-1][chosen])
        if self.action_space is None:
            following = _numbers(self.observation_space, trajectory.observations[1:][chosen])
            return np.concatenate([observations, following - observations * ~self._choices()], axis=1)
        actions = _numbers(self.action_space, clip_to_space(self.action_space, trajectory.actions[chosen]))
        return np.concatenate([observations, actions], axis=1)

    def features(self) -> tuple[Feature, ...]:
        """What the columns of ``rows`` are, in their order."""
        seen = _features("observation", self.observation_space, observation_names(self.env_id), 0, False)
        width = sum(len(each.columns) for each in seen)
        if self.action_space is None:
            return (*seen, *(_change(each, width) for each in seen))
        return (*seen, *_features("action", self.action_space, (), width, True))

    def _choices(self) -> np.ndarray:
        """Which columns of an observation (D,) bool are those of choices, whose next one is told, not how far it is."""
        seen = _features("observation", self.observation_space, (), 0, False)
        return np.concatenate([np.full(len(each.columns), each.is_choice) for each in seen])

    def points(self, trajectories: Iterable[Trajectory], lengths: np.ndarray, random: np.random.Generator) -> Points:
        """All steps of the episodes of these ``lengths``, or of each the same share, as many as MOST_STEPS in all."""
        share = min(1.0, MOST_STEPS / max(1, int(lengths.sum())))
        return [
            self.rows(trajectory, scattered(len(trajectory), max(1, round(share * len(trajectory))), random))
            for trajectory in trajectories
        ]


@dataclass(frozen=True)
class Scale:
    """Where the expert's features lie, and how widely."""

    center: np.ndarray  # (D,)
    width: np.ndarray  # (D,), 0 where nobody's feature varies: such a column is dropped by becoming 0
    constant: np.ndarray  # (D,) bool, whether the expert keeps it at one value

    @classmethod
    def of(cls, features: Sequence[Feature], expert: Points, random: Points, policy: Points) -> Scale:
        """The mean and standard deviation over the expert's steps.

        A feature that the expert keeps constant has the deviation over its steps and those of random actions, or where
        that is none those of the policy, so that who leaves the value is noticed. The columns of a choice stay 0 and 1.
        """
        shown, acted, played = (np.concatenate(side) for side in (expert, random, policy))
        rounding = ROUNDING * np.max([np.abs(rows).max(axis=0) for rows in (shown, acted, played)], axis=0)
        center, own = shown.mean(axis=0), _deviation(shown, rounding)
        width = own
        for others in (acted, played):
            together = np.concatenate([shown, others])
            width = np.where(width > 0, width, _deviation(together, rounding))
        for feature in features:
            if feature.is_choice:
                width[list(feature.columns)] = 1.0
        return cls(center, width, own == 0)

    def apply(self, points: Points) -> list[np.ndarray]:
        """The same steps in the expert's standard deviations from the expert's mean."""
        safe = np.where(self.width > 0, self.width, 1.0)
        return [(rows - self.center) / safe * (self.width > 0) for rows in points]


def scattered(total: int, count: int, random: np.random.Generator) -> np.ndarray:
    """``count`` of the numbers below ``total``, ascending: a random one out of each of ``count`` equal stretches.

    At even distances they could fall into step with a gait. Where count exceeds total, numbers come more than once.
    """
    if count == total:
        return np.arange(total)
    places = ((np.arange(count) + random.random(count)) * total / count).astype(np.int64)
    chosen: np.ndarray = np.minimum(places, total - 1)
    return chosen


def cloud(points: Points, count: int, random: np.random.Generator) -> np.ndarray:
    """``count`` steps (count, D) of all the episodes together, ``scattered`` over them: long episodes weigh more."""
    rows: np.ndarray = np.concatenate(points)
    chosen: np.ndarray = rows[scattered(len(rows), count, random)]
    return chosen


def _numbers(space: Space[Any], values: np.ndarray) -> np.ndarray:
    """Elements (k, *shape) of a Box, flat or not, or Discrete space as (k, d) float64."""
    if isinstance(space, Flat) and space.pictures:
        shown = [
            _numbers(each.space, values[:, each.columns].reshape(-1, *each.picture.shape)) for each in space.pictures
        ]
        return np.concatenate([*shown, space.vector_of(values).astype(np.float64)], axis=1)
    if isinstance(space, Discrete):
        taken: np.ndarray = (values[:, None] == space.start + np.arange(space.n)).astype(np.float64)
        return taken
    if not _is_large_image(space):
        return values.astype(np.float64).reshape(len(values), -1)
    picture = picture_of(space)
    if picture is not None and len(picture.shape) > 2:
        values = picture.with_channels_last(values)
    batches = [values[start : start + BATCH] for start in range(0, len(values), BATCH)]
    return np.concatenate([_averaged(batch.astype(np.float64)).reshape(len(batch), -1) for batch in batches])


def _change(feature: Feature, width: int) -> Feature:
    """What ``feature`` of an observation of ``width`` columns is in the change to the next."""
    name = f"next {feature.name}" if feature.is_choice else f"change of {feature.name}"
    columns = tuple(column + width for column in feature.columns)
    return replace(feature, name=name, columns=columns, is_change=True)


def _features(role: str, space: Space[Any], names: Sequence[str], first: int, is_action: bool) -> tuple[Feature, ...]:
    if isinstance(space, Flat):
        return tuple(_features_of_parts(role, space, first, is_action))
    if isinstance(space, Discrete):
        columns = tuple(range(first, first + int(space.n)))
        return (Feature(names[0] if len(names) == 1 else role, columns, is_action, True, int(space.start)),)
    shape, picture = space.shape or (), picture_of(space)
    if picture is not None and len(shape) > 2:
        shape = (picture.height, picture.width, picture.channels)
    shape = _grid(shape) if _is_large_image(space) else shape
    places = list(np.ndindex(*shape))
    known = names if len(names) == len(places) else [f"{role}[{', '.join(map(str, place))}]" for place in places]
    single = role if len(places) == 1 and len(names) != 1 else None
    return tuple(Feature(single or name, (first + index,), is_action, False) for index, name in enumerate(known))


def _features_of_parts(role: str, space: Flat, first: int, is_action: bool) -> Iterator[Feature]:
    """Those of flat values: the cells of pictures, a choice for each set of numbers, a number for each other column."""
    for seen in space.pictures:
        cells = _features("/".join((role, *seen.path)), seen.space, (), first, is_action)
        first += len(cells)
        yield from cells
    for part in space.parts:
        name, at = "/".join((role, *part.path)), first + part.columns.start
        if not isinstance(part.space, Discrete | MultiDiscrete):
            yield from _features(name, Box(0, 1, part.space.shape), (), at, is_action)
            continue
        sizes, starts = number_sets(part.space)
        for k, (size, start) in enumerate(zip(sizes.tolist(), starts.tolist(), strict=True)):
            called = (
                name
                if len(sizes) == 1
                else f"{name}[{', '.join(map(str, np.unravel_index(k, part.space.shape or ())))}]"
            )
            yield Feature(called, tuple(range(at, at + size)), is_action, True, start)
            at += size


def _is_large_image(space: Space[Any]) -> bool:
    shape = space.shape or ()
    return len(shape) >= 2 and int(np.prod(shape)) > LARGEST_IMAGE


def _grid(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*(min(GRID, size) for size in shape[:2]), *shape[2:])


def _averaged(images: np.ndarray) -> np.ndarray:
    """Images (k, H, W, ...) as means of at most GRID x GRID cells."""
    for axis in (1, 2):
        size = images.shape[axis]
        cells = min(GRID, size)
        edges = np.linspace(0, size, cells + 1).round().astype(int)
        images = np.stack(
            [images.take(range(low, high), axis).mean(axis) for low, high in pairwise(edges)],
            axis,
        )
    return images


def _deviation(rows: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Of each column; 0 where it is nothing beside its largest value, or no more than ``rounding`` leaves."""
    deviation = rows.std(axis=0)
    return np.where(deviation > np.maximum(FLAT * np.abs(rows).max(axis=0), rounding), deviation, 0.0)
