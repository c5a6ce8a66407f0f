"""Where the parts of observations lie in the tensors that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.spaces import Flat, Picture, encoded_size, picture_of

EVERYTHING = slice(None)


@dataclass(frozen=True)
class ObservationParts:
    """Pictures, and a vector of all other columns, in the order of the names of the parts."""

    pictures: tuple[tuple[Picture, slice], ...]  # and the columns of flat observations in which each lies
    marks: np.ndarray  # (size of the vector,) bool, which of its columns are 0 or 1 by their nature
    order: Tensor | None  # (size of the vector,) int64, where its columns lie in what observations hold; None: as here
    bytes_before: int  # of flat observations that consist of bytes, before those of the vector
    dtype: torch.dtype | None  # of the numbers of the vector, where they are held as bytes

    def pictures_in(self, obs: Tensor) -> list[Tensor]:
        """Of observations (B, *obs) every picture (B, channels, height, width), bytes."""
        count = obs.shape[0]
        return [
            picture.in_channels(obs if columns == EVERYTHING else obs[:, columns].reshape(count, *picture.shape))
            for picture, columns in self.pictures
        ]

    def vector_of(self, obs: Tensor) -> Tensor:
        """The vector (B, size) of observations (B, *obs), in the type and the order that they are held in."""
        count = obs.shape[0]
        if self.dtype is not None:
            obs = obs[:, self.bytes_before :].contiguous().view(self.dtype) if len(self.marks) else obs[:, :0]
        elif self.pictures:
            obs = obs.reshape(count, -1)[:, :0]
        return obs.reshape(count, len(self.marks))


def parts_of_observations(space: Space[Any], see: bool) -> ObservationParts:
    """Those of a Box, flat or not, or Discrete ``space``; what looks like a picture is one where they are to ``see``.

    A flat space of bytes keeps its pictures apart, and so needs them to be seen.
    """
    if isinstance(space, Discrete):
        return ObservationParts((), np.ones(encoded_size(space), bool), None, 0, None)
    if isinstance(space, Flat):
        return _of_flat(space)
    assert isinstance(space, Box)
    picture = picture_of(space) if see else None
    if picture is not None:
        return ObservationParts(((picture, EVERYTHING),), np.zeros(0, bool), None, 0, None)
    return ObservationParts((), np.zeros(encoded_size(space), bool), None, 0, None)


def _of_flat(space: Flat) -> ObservationParts:
    ordered = sorted(space.parts, key=lambda part: part.path)
    columns = _joined([np.arange(part.columns.start, part.columns.stop) for part in ordered])
    marks = np.isin(columns, space.numbers, invert=True)
    order = None if (np.diff(columns) == 1).all() else torch.from_numpy(columns)
    pictures = tuple((each.picture, each.columns) for each in sorted(space.pictures, key=lambda each: each.path))
    before = sum(picture.size for picture, _ in pictures)
    dtype = torch.from_numpy(np.zeros(0, space.vector_dtype)).dtype if pictures else None
    return ObservationParts(pictures, marks, order, before, dtype)


def _joined(ranges: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *ranges])
