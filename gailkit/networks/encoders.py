"""Observations and actions to features: the one preprocessing that expert and policy both pass through."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gailkit.functional.bounds import clamp_inward
from gailkit.functional.shifts import random_shift
from gailkit.networks.normalizer import ChannelNormalizer, RunningNormalizer
from gailkit.networks.observation_parts import number_in_digits, parts_of_observations
from gailkit.spaces import Flat, box_center_and_scale, encoded_size


class ObservationEncoder(nn.Module):
    """Observations to features, part by part; all that follows sees the parts of a space in the order of their names.

    Numbers of a Box are standardised by running statistics; choices become one-hot and stay so, as bits do, and one out
    of more than ``observation_parts.LARGEST_SET`` becomes two digits that are one-hot. Pictures come first,
    standardised by the statistics of their channels. What networks make of them is the networks' business
    (``networks.convolutions``), and they are to be encoded where they are looked at: see ``held``.

    One instance is shared by discriminator and policy, so that neither can tell the other's data by its scale.
    """

    def __init__(
        self, space: Space[Any], image_encoder: Callable[[int, int, int], nn.Module] | None = None, see: bool = True
    ) -> None:
        """
        Args:
            image_encoder: by which networks see pictures; ``networks.convolutions.nature`` when None.
            see: whether pictures are seen; else they are vectors of numbers as any other.
        """
        super().__init__()
        self.space, self.image_encoder = space, image_encoder
        self._parts = parts_of_observations(space, see)
        self.pictures = tuple(picture for picture, _ in self._parts.pictures)
        self.marks = self._parts.marks  # of the last features, those of no picture, which are 0 or 1 by their nature
        vector = len(self.marks)
        self.size = sum(picture.size for picture in self.pictures) + vector
        standardised = not self._parts.marks.all()
        self.normalizer = RunningNormalizer(vector, as_is=self._parts.marks) if standardised else None
        self.picture_normalizers = nn.ModuleList(ChannelNormalizer(picture.channels) for picture in self.pictures)
        self.register_buffer("order", self._parts.order, persistent=False)
        self.order: Tensor | None
        unmarked = torch.tensor(np.flatnonzero(~self._parts.marks).tolist(), dtype=torch.int64)
        self.register_buffer("unmarked", unmarked, persistent=False)
        self.unmarked: Tensor  # (K,) int64, columns of the vector that are numbers
        self.register_buffer("place", torch.zeros(0), persistent=False)
        self.place: Tensor  # (0,), there for its device: some encoders have no other tensor
        self.frozen = False

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.place.device

    def forward(self, obs: Tensor) -> Tensor:
        """Observations (B, *obs) to features (B, size), float32."""
        if isinstance(self.space, Discrete):
            return number_in_digits(obs.long() - int(self.space.start), int(self.space.n))
        numbers = self._vector_of(obs).float()
        vector: Tensor = numbers if self.normalizer is None else self.normalizer(numbers)
        if not self.pictures:
            return vector
        pairs = zip(self._by_channels(), self._parts.pictures_in(obs), strict=True)
        return torch.cat([*(standardise(seen).flatten(1) for standardise, seen in pairs), vector], -1)

    def held(self, obs: Tensor) -> Tensor:
        """What is held of observations (B, *obs) that are looked at again and again: their features, or where there are
        pictures themselves, which take a fraction of the memory."""
        return obs if self.pictures else self(obs)

    def features(self, held: Tensor) -> Tensor:
        """Features (B, size) of what is ``held``."""
        return self(held) if self.pictures else held

    def update(self, obs: Tensor) -> None:
        """Take observations (B, *obs) into the running statistics, unless they are frozen."""
        if self.frozen:
            return
        if self.normalizer is not None:
            self.normalizer.update(self._vector_of(obs))
        for normalizer, seen in zip(self._by_channels(), self._parts.pictures_in(obs), strict=True):
            normalizer.update(seen)

    def freeze(self) -> None:
        """Leave the statistics as they are from now on, for the sake of networks that have learned with them."""
        self.frozen = True

    def numbers(self, obs: Tensor) -> Tensor:
        """What is a number in observations (B, *obs) and no part of a picture, in the order of the features and in the
        environment's units: (B, K) float32."""
        if isinstance(self.space, Discrete):
            return obs.new_zeros((len(obs), 0)).float()
        return self._vector_of(obs).float()[:, self.unmarked]

    def side_by_side(self, *features: Tensor, frames: Sequence[int] = ()) -> Tensor:
        """Features (B, size) of several times as (B, their sizes in all), for networks that see so many ``frames``:
        pictures first, of each its channels at all times, then what is no picture.

        Args:
            frames: of how many times each of them is already, one where they are not given.
        """
        apart = self._apart(features, frames)
        return torch.cat([part for parts in zip(*apart, strict=True) for part in parts], 1)

    def shifted(
        self, share: float, *features: Tensor, frames: Sequence[int] = (), runs: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Features (B, size) of one or several times, in which every picture has moved at random by up to a ``share``
        of its shorter side: each of the B its own way, or each of the ``runs`` (S,) int64, lengths whose sum is B; and
        alike at all times. Without pictures they stay as they are. ``frames`` as ``side_by_side``."""
        if not self.pictures or not share:
            return features
        apart, times = self._apart(features, frames), frames or [1] * len(features)
        moved = []
        for picture, *seen in zip(self.pictures, *apart, strict=False):
            shape = (picture.channels, picture.height, picture.width)
            joined = torch.cat([each.reshape(len(each), -1, *shape[1:]) for each in seen], 1)
            shift = random_shift(joined, round(share * min(shape[1:])), runs)
            moved.append([each.flatten(1) for each in shift.split([count * picture.channels for count in times], 1)])
        vectors = [parts[-1] for parts in apart]
        return tuple(torch.cat(parts, 1) for parts in zip(*moved, vectors, strict=True))

    def _apart(self, features: Sequence[Tensor], frames: Sequence[int]) -> list[tuple[Tensor, ...]]:
        """Of each of several features its pictures, each at all its times, and last what is none."""
        sizes = [[count * picture.size for picture in self.pictures] for count in frames or [1] * len(features)]
        return [each.split([*own, each.shape[1] - sum(own)], 1) for each, own in zip(features, sizes, strict=True)]

    def _vector_of(self, obs: Tensor) -> Tensor:
        return self._parts.vector_of(obs, self.order)

    def _by_channels(self) -> list[ChannelNormalizer]:
        """The normalizer of each picture."""
        return [each for each in self.picture_normalizers if isinstance(each, ChannelNormalizer)]


class ActionEncoder(nn.Module):
    """Discrete actions become one-hot. Box actions are clipped to the bounds, as the environment sees them, and scaled
    so that a bounded dimension covers [-1, 1]; an unbounded one stays as it is. Actions of several parts are flat
    already: of these it is the numbers that are scaled."""

    center: Tensor  # (size,)
    scale: Tensor  # (size,)
    low: Tensor  # (size,)
    high: Tensor  # (size,)

    def __init__(self, space: Space[Any]) -> None:
        super().__init__()
        self.space = space
        self.size = encoded_size(space)
        if isinstance(space, Box):
            center, scale = box_center_and_scale(space)
            if isinstance(space, Flat):
                marks = np.setdiff1d(np.arange(self.size), space.numbers)  # of sets, and bits: they stay 0 and 1
                center[marks], scale[marks] = 0.0, 1.0
            self.register_buffer("center", center, persistent=False)
            self.register_buffer("scale", scale, persistent=False)
            self.register_buffer("low", torch.as_tensor(space.low).reshape(-1).float(), persistent=False)
            self.register_buffer("high", torch.as_tensor(space.high).reshape(-1).float(), persistent=False)

    def forward(self, act: Tensor) -> Tensor:
        """Actions (B, *act) to features (B, size), float32."""
        if isinstance(self.space, Discrete):
            return one_hot(act.long() - int(self.space.start), self.size).float()
        flat = act.reshape(act.shape[0], self.size).float()
        return (flat.clamp(self.low, self.high) - self.center) / self.scale

    def within(self, encoded: Tensor) -> Tensor:
        """Encoded Box actions (B, size) clipped to the bounds."""
        return encoded.clamp((self.low - self.center) / self.scale, (self.high - self.center) / self.scale)

    def differentiable(self, act: Tensor) -> Tensor:
        """As ``forward`` of Box actions, with a gradient also where an action lies outside: the one that leads back."""
        flat = act.reshape(act.shape[0], self.size)
        return (clamp_inward(flat, self.low, self.high) - self.center) / self.scale
