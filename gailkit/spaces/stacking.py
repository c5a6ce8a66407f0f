"""The last observations of an episode as one: what a policy sees that has to tell more than the present shows."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.spaces.encoding import storage_dtype
from gailkit.spaces.flattening import Flat, flatten_values, flattened_space, stated_space
from gailkit.spaces.pictures import picture_of
from gailkit.spaces.structure import is_composite, shape_of, subspaces


class Stacking:
    """K observations, the oldest first, as one observation of ``space``; each part of several is stacked by itself.

    Pictures become frames of one picture, (K, ...), so that convolutions see all of them as channels: of whatever
    order the colours are, the frames come before them. All else becomes a vector, one observation behind the other.
    """

    def __init__(self, plain: Space[Any], frames: int) -> None:
        """
        Args:
            plain: the space of one observation, a Box, flat or not, or Discrete.
            frames: K; 1 changes nothing.
        """
        self.plain, self.frames = plain, frames
        self.space = plain if frames == 1 else flattened_space(_stacked(stated_space(plain), frames))
        self._spans = _spans(plain, self.space) if frames > 1 and isinstance(plain, Flat) else []

    def begun(self, first: np.ndarray) -> np.ndarray:
        """First observations of episodes (N, *obs) as the K last ones (N, K, *obs): each stands for those before it."""
        return np.repeat(first[:, np.newaxis], self.frames, axis=1)

    def followed(self, last: np.ndarray, observations: np.ndarray) -> np.ndarray:
        """The K last observations (N, K, *obs) once ``observations`` (N, *obs) have come."""
        return np.concatenate([last[:, 1:], observations[:, np.newaxis]], axis=1)

    def stacked(self, last: np.ndarray) -> np.ndarray:
        """The K last observations (N, K, *obs) as observations of ``space``, (N, *stacked), in its type of storage."""
        if self.frames == 1:
            return np.asarray(last[:, 0])
        if isinstance(self.plain, Discrete):
            return np.asarray(flatten_values(self.space, last), storage_dtype(self.space))
        if not isinstance(self.plain, Flat):
            return np.asarray(last.reshape(len(last), *shape_of(self.space)))
        joined: np.ndarray = np.empty((len(last), *shape_of(self.space)), last.dtype)
        for plain, columns in self._spans:
            joined[:, columns] = last[..., plain].reshape(len(last), -1)
        return joined


def rows_before(rows: np.ndarray, begun: np.ndarray, frames: int) -> np.ndarray:
    """The rows (B, K) of the K last observations up to those in ``rows`` (B,), of episodes that ``begun`` (B,) at
    theirs: before the first observation stands the first."""
    before: np.ndarray = np.maximum(rows[:, np.newaxis] + np.arange(1 - frames, 1), begun[:, np.newaxis])
    return before


def _stacked(space: Space[Any], frames: int) -> Space[Any]:
    """Where K elements of a stated space lie that are stacked part by part."""
    if is_composite(space):
        parts = OrderedDict((name, _stacked(own, frames)) for name, own in subspaces(space).items())
        return Dict(parts) if isinstance(space, Dict) else Tuple(list(parts.values()))
    if isinstance(space, Discrete):
        return MultiDiscrete([int(space.n)] * frames, start=[int(space.start)] * frames)
    if isinstance(space, MultiDiscrete):
        sizes, starts = (np.tile(each.reshape(-1), frames) for each in (space.nvec, space.start))
        return MultiDiscrete(sizes, start=starts)
    if isinstance(space, MultiBinary):
        return MultiBinary(frames * int(np.prod(shape_of(space))))
    assert isinstance(space, Box)
    shape = _stacked_shape(space, frames)
    low, high = (np.tile(bound.reshape(-1), frames).reshape(shape) for bound in (space.low, space.high))
    return Box(low, high, shape, space.dtype.type)


def _stacked_shape(space: Box, frames: int) -> tuple[int, ...]:
    """Of pictures that of as many frames, one of which may have frames itself; of all else that of a vector."""
    shape = shape_of(space)
    if picture_of(space) is None:
        return (frames * int(np.prod(shape)),)
    *earlier, first, height, width = (1, 1, *shape) if len(shape) == 2 else (1, *shape)[-4:]
    return (frames * int(np.prod(earlier)), first, height, width)


def _spans(plain: Flat, stacked: Space[Any]) -> list[tuple[slice, slice]]:
    """Which elements of flat observations become which of stacked ones, part by part."""
    assert isinstance(stacked, Flat)
    return list(zip(_elements(plain), _elements(stacked), strict=True))


def _elements(space: Flat) -> list[slice]:
    """The elements of flat values that each part takes: bytes where there are pictures."""
    seen = [each.columns for each in space.pictures]
    width = space.vector_dtype.itemsize if seen else 1
    first = seen[-1].stop if seen else 0
    parts = [slice(first + width * part.columns.start, first + width * part.columns.stop) for part in space.parts]
    return [*seen, *parts]
