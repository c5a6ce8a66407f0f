"""Where the parts of observations lie in the tensors that hold them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor
from torch.nn.functional import one_hot, pad

from gailkit.spaces import Flat, Picture, encoded_size, picture_of

EVERYTHING = slice(None)
LARGEST_SET = 1024  # numbers of a set that is one-hot; one of more is shown as two digits, which are


@dataclass(frozen=True)
class ObservationParts:
    """Pictures, and a vector of all other columns, in the order of the names of the parts."""

    pictures: tuple[tuple[Picture, slice], ...]  # and the columns of flat observations in which each lies
    marks: np.ndarray  # (size of the vector,) bool, which of its columns are 0 or 1 by their nature
    held: int  # columns that observations hold of the vector
    order: Tensor | None  # (held,) int64, where these lie in what observations hold; None: as here
    bytes_before: int  # of flat observations that consist of bytes, before those of the vector
    dtype: torch.dtype | None  # of the numbers of the vector, where they are held as bytes
    large: tuple[slice, ...] = ()  # columns that are held of each set that is shown as two digits, in order

    def pictures_in(self, obs: Tensor) -> list[Tensor]:
        """Of observations (B, *obs) every picture (B, channels, height, width), bytes."""
        count = obs.shape[0]
        return [
            picture.in_channels(obs if columns == EVERYTHING else obs[:, columns].reshape(count, *picture.shape))
            for picture, columns in self.pictures
        ]

    def vector_of(self, obs: Tensor, order: Tensor | None) -> Tensor:
        """The vector (B, size) of observations (B, *obs), in the type that they are held in; ``order`` is where they
        are."""
        count = obs.shape[0]
        if self.dtype is not None:
            obs = obs[:, self.bytes_before :].contiguous().view(self.dtype) if self.held else obs[:, :0]
        elif self.pictures:
            obs = obs.reshape(count, -1)[:, :0]
        vector = obs.reshape(count, self.held)
        return self._in_digits(vector if order is None else vector[:, order])

    def _in_digits(self, vector: Tensor) -> Tensor:
        """Columns (B, held) with both digits of a large set in place of its own."""
        shown, stop = [], 0
        for columns in self.large:
            shown += [vector[:, stop : columns.start], in_digits(vector[:, columns])]
            stop = columns.stop
        return torch.cat([*shown, vector[:, stop:]], 1) if shown else vector


def shown_size(numbers: int) -> int:
    """How many columns a set of so many numbers is shown by."""
    base = _base(numbers)
    return numbers if numbers <= LARGEST_SET else -(-numbers // base) + base


def in_digits(marked: Tensor) -> Tensor:
    """Which of n numbers it is (B, n) as its two digits to the base ceil(sqrt(n)), one-hot each (B, size).

    Layers see the sum of what they have learned of either digit: the quotient-remainder trick, Shi et al. 2020.
    """
    base = _base(marked.shape[1])
    grid = pad(marked, (0, -marked.shape[1] % base)).unflatten(1, (-1, base))
    return torch.cat([grid.amax(2), grid.amax(1)], 1)


def number_in_digits(index: Tensor, numbers: int) -> Tensor:
    """``in_digits`` of the numbers ``index`` (B,) int64 out of so many, float32; one-hot where they are not large."""
    if numbers <= LARGEST_SET:
        return one_hot(index, numbers).float()
    base = _base(numbers)
    quotients, remainders = one_hot(index // base, -(-numbers // base)), one_hot(index % base, base)
    return torch.cat([quotients, remainders], 1).float()


def _base(numbers: int) -> int:
    return math.isqrt(numbers - 1) + 1


def parts_of_observations(space: Space[Any], see: bool) -> ObservationParts:
    """Those of a Box, flat or not, or Discrete ``space``; what looks like a picture is one where they are to ``see``.

    A flat space of bytes keeps its pictures apart, and so needs them to be seen.
    """
    if isinstance(space, Discrete):
        return ObservationParts((), np.ones(shown_size(encoded_size(space)), bool), 1, None, 0, None)
    if isinstance(space, Flat):
        return _of_flat(space)
    assert isinstance(space, Box)
    picture = picture_of(space) if see else None
    if picture is not None:
        return ObservationParts(((picture, EVERYTHING),), np.zeros(0, bool), 0, None, 0, None)
    return ObservationParts((), np.zeros(encoded_size(space), bool), encoded_size(space), None, 0, None)


def _of_flat(space: Flat) -> ObservationParts:
    ordered = sorted(space.parts, key=lambda part: part.path)
    columns = _joined([np.arange(part.columns.start, part.columns.stop) for part in ordered])
    marks = np.isin(columns, space.numbers, invert=True)
    large = _large(space, columns)
    for each in reversed(large):
        digits = np.ones(shown_size(each.stop - each.start), bool)
        marks = np.concatenate([marks[: each.start], digits, marks[each.stop :]])
    order = None if (np.diff(columns) == 1).all() else torch.from_numpy(columns)
    pictures = tuple((each.picture, each.columns) for each in sorted(space.pictures, key=lambda each: each.path))
    before = sum(picture.size for picture, _ in pictures)
    dtype = torch.from_numpy(np.zeros(0, space.vector_dtype)).dtype if pictures else None
    return ObservationParts(pictures, marks, len(columns), order, before, dtype, large)


def _large(space: Flat, columns: np.ndarray) -> tuple[slice, ...]:
    """Where sets that are shown as digits stand in these ``columns`` of the vector."""
    sizes = {each.start: each.stop - each.start for each in space.sets if each.stop - each.start > LARGEST_SET}
    starts = np.flatnonzero(np.isin(columns, list(sizes)))
    return tuple(slice(at, at + sizes[int(columns[at])]) for at in starts.tolist())


def _joined(ranges: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *ranges])
