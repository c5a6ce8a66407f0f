"""Whether demonstrations belong to an environment: its spaces against what the file states and what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations.episodes import Drawn, Episodes, Spaces
from gailkit.demonstrations.file_contents import About
from gailkit.errors import InputError
from gailkit.spaces import brief, check_supported, flatten_values, flattened_space, leaves
from gailkit.types import Trajectory


def as_observed(episodes: Episodes, about: About, observation_space: Space[Any]) -> tuple[Episodes, About]:
    """The episodes as an environment with ``observation_space`` shows them, and what is then known of them.

    Where they state another space than Box and Discrete, and ``observation_space`` is what flattening makes of it,
    their observations are flattened. All others are returned as they are, whether they fit or not.

    Raises:
        UnsupportedSpaceError: if the space that they state is of a kind that is not supported.
    """
    stated = about.observation_space
    if stated is None or isinstance(stated, Box | Discrete) or not _alike(flattened_space(stated), observation_space):
        return episodes, about
    return FlattenedEpisodes(episodes, stated), about._replace(observation_space=flattened_space(stated))


class FlattenedEpisodes(Episodes):
    """Episodes whose observations are flattened when they are looked at; by their digests they are the same ones."""

    def __init__(self, episodes: Episodes, stated: Space[Any]) -> None:
        """``stated`` is the space of the observations as they are."""
        self._episodes, self._stated = episodes, stated
        self.lengths, self.terminated, self.in_memory = episodes.lengths, episodes.terminated, episodes.in_memory

    def __len__(self) -> int:
        return len(self._episodes)

    def __getitem__(self, index: Any) -> Any:
        found = self._episodes[index]
        return self._flattened(found) if isinstance(found, Trajectory) else tuple(map(self._flattened, found))

    @property
    def seeds(self) -> list[int | None]:
        """Those of the episodes as they were."""
        return self._episodes.seeds

    def digests(self) -> list[str]:
        """Those of the episodes as they were recorded."""
        return self._episodes.digests()

    def returns(self) -> np.ndarray | None:
        """Flattening does not touch rewards."""
        return self._episodes.returns()

    def pick(self, indices: Sequence[int]) -> FlattenedEpisodes:
        """Likewise flattened."""
        return FlattenedEpisodes(self._episodes.pick(indices), self._stated)

    def drawn(self, stride: int, offsets: Sequence[int], spaces: Spaces) -> Drawn:
        """Steps in the space that was stated are flattened when they are drawn (``KeptSteps``)."""
        return self._episodes.drawn(stride, offsets, (self._stated, spaces[1]))

    def _flattened(self, trajectory: Trajectory) -> Trajectory:
        return replace(trajectory, observations=flatten_values(self._stated, trajectory.observations))


def check_fit(
    trajectories: Iterable[Trajectory], about: About, observation_space: Space[Any], action_space: Space[Any]
) -> None:
    """Raise InputError, printing both sides, unless the episodes could come from an environment with these spaces.

    Continuous values outside a Box are accepted (an encoder clips them); Discrete ones outside the set are not, nor
    whole numbers that the dtype of a Box cannot hold, nor actions that were bounded otherwise: what was full throttle
    would be half of it.
    """
    check_supported(observation_space, action_space)
    for role, stated, space in (
        ("observation", about.observation_space, observation_space),
        ("action", about.action_space, action_space),
    ):
        if stated is not None and not (_alike(stated, space) and (role == "observation" or _bounded(stated, space))):
            raise InputError(
                f"the demonstrations' {role} space is {brief(stated)}, the environment's is {brief(space)}: "
                f"they do not fit{_recorded_in(about)}"
            )
    each_counts = any(_whole_numbers_held(space) is not None for space in (observation_space, action_space))
    for index, trajectory in enumerate(trajectories):
        _check_values("observation", trajectory.observations, observation_space, index, about)
        _check_values("action", trajectory.actions, action_space, index, about)
        if not each_counts:  # of real numbers only dtype and shape are compared, which all share
            return


def check_parts(about: About, space: Space[Any] | None) -> None:
    """Raise InputError, printing both sides, if both are of parts and those are not the same ones.

    Flattened to one vector, the parts of two spaces may have as many numbers and mean something else.
    """
    stated = about.observation_space
    if stated is not None and space is not None and not _same_parts(stated, space):
        raise InputError(
            f"the demonstrations' observations are {brief(stated)}, the environment's are {brief(space)}: they do not "
            f"fit{_recorded_in(about)}"
        )


def _same_parts(stated: Space[Any], space: Space[Any]) -> bool:
    """Whether nothing is known to be otherwise: a space that is flattened already has no parts to be compared."""
    if isinstance(stated, Box | Discrete) or isinstance(space, Box | Discrete):
        return True
    own, others = leaves(stated), leaves(space)
    return [path for path, _ in own] == [path for path, _ in others] and all(
        _alike(part, other) or part == other for (_, part), (_, other) in zip(own, others, strict=True)
    )


def _recorded_in(about: About) -> str:
    return "" if about.env_id is None else f"; they were recorded in {about.env_id}"


def _alike(stated: Space[Any], space: Space[Any]) -> bool:
    """Same kind and shape; the bounds of a Box may differ."""
    if isinstance(stated, Discrete) and isinstance(space, Discrete):
        return bool(stated.n == space.n and stated.start == space.start)
    if isinstance(stated, Box) and isinstance(space, Box):
        return stated.shape == space.shape and _continuous(stated.dtype) == _continuous(space.dtype)
    return False


def _bounded(stated: Space[Any], space: Space[Any]) -> bool:
    """Whether actions have the same bounds, as far as both sides have some."""
    if not (isinstance(stated, Box) and isinstance(space, Box)):
        return True
    pairs = ((stated.low, space.low), (stated.high, space.high))
    return all(np.allclose(one, other) for one, other in pairs if np.isfinite(one).all() and np.isfinite(other).all())


def _check_values(role: str, values: np.ndarray, space: Space[Any], index: int, about: About) -> None:
    problem = _misfit(values, space)
    if problem is not None:
        raise InputError(
            f"the demonstrations' {role}s do not fit the environment's {role} space {brief(space)}: "
            f"in episode {index} they are {values.dtype} of shape {values.shape[1:]}{problem}{_recorded_in(about)}"
        )


def _misfit(values: np.ndarray, space: Space[Any]) -> str | None:
    """What is wrong with ``values`` (L, ...) beyond their dtype and shape, "" if only those; None if they fit."""
    if values.dtype.names is not None or values.shape[1:] != space.shape:
        return ""
    if _continuous(values.dtype) != _continuous(space.dtype):
        return ""
    held = _whole_numbers_held(space)
    if held is not None and values.size:
        lowest, highest = int(values.min()), int(values.max())
        if lowest < held[0] or highest > held[1]:
            return f" and range from {lowest} to {highest}"
    return None


def _whole_numbers_held(space: Space[Any]) -> tuple[int, int] | None:
    """The lowest and highest number that an observation or action of ``space`` can keep; None for real numbers."""
    if isinstance(space, Discrete):
        return int(space.start), int(space.start) + int(space.n) - 1
    if space.dtype is not None and space.dtype.kind in "iu":
        return int(np.iinfo(space.dtype).min), int(np.iinfo(space.dtype).max)
    return None


def _continuous(dtype: np.dtype[Any] | None) -> bool:
    return dtype is not None and dtype.kind == "f"
