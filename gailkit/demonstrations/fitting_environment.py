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
from gailkit.spaces import (
    Flat,
    brief,
    check_supported,
    flatten_values,
    flattened_space,
    is_composite,
    leaves,
    stated_space,
)
from gailkit.types import Trajectory


def as_far_as_held(about: About, has_actions: bool) -> About:
    """What there is to compare with an environment: of an expert whose actions are not known it is all the same in
    which space they were, of another body's perhaps."""
    return about if has_actions else about._replace(action_space=None)


def as_observed(
    episodes: Episodes, about: About, observation_space: Space[Any], action_space: Space[Any]
) -> tuple[Episodes, About]:
    """The episodes as an environment with these spaces shows and takes them, and what is then known of them.

    Where they state another space than Box and Discrete, and that of the environment is what flattening makes of it,
    their observations or actions are flattened, the parts in the order of the environment. All others are returned as
    they are, whether they fit or not.

    Raises:
        UnsupportedSpaceError: if the space that they state is of a kind that is not supported.
    """
    first = episodes[0]
    observed = flattened_by(about.observation_space, observation_space, first.observations)
    acted = flattened_by(about.action_space, action_space, first.actions) if first.has_actions else None
    if observed is not None:
        about = about._replace(observation_space=flattened_space(observed))
    if acted is not None:
        about = about._replace(action_space=flattened_space(acted))
    return (episodes if observed is acted is None else FlattenedEpisodes(episodes, observed, acted)), about


def flattened_by(stated: Space[Any] | None, space: Space[Any], values: np.ndarray) -> Space[Any] | None:
    """By which space ``values`` (L, ...) are to be flattened, so that they fit ``space``; None where they are not."""
    if stated is None:  # arrays of whole numbers can be told from vectors by their shape
        own = stated_space(space)
        plain = isinstance(space, Flat) and not is_composite(own)
        return own if plain and values.shape[1:] == own.shape != space.shape else None
    if isinstance(stated, Box | Discrete) or not _alike(flattened_space(stated), space):
        return None
    return stated_space(space) if isinstance(space, Flat) else stated


class FlattenedEpisodes(Episodes):
    """Episodes whose observations and actions are flattened when they are looked at; by their digests they are the same
    ones."""

    def __init__(self, episodes: Episodes, observed: Space[Any] | None, acted: Space[Any] | None) -> None:
        """``observed`` and ``acted`` are the spaces of what is flattened; None for what is not."""
        self._episodes, self._observed, self._acted = episodes, observed, acted
        self.lengths, self.terminated, self.in_memory = episodes.lengths, episodes.terminated, episodes.in_memory
        self.has_actions = episodes.has_actions

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

    def digests_of_states(self) -> list[str]:
        """Likewise."""
        return self._episodes.digests_of_states()

    def returns(self) -> np.ndarray | None:
        """Flattening does not touch rewards."""
        return self._episodes.returns()

    def pick(self, indices: Sequence[int]) -> FlattenedEpisodes:
        """Likewise flattened."""
        return FlattenedEpisodes(self._episodes.pick(indices), self._observed, self._acted)

    def drawn(self, stride: int, offsets: Sequence[int], spaces: Spaces, frames: int = 1) -> Drawn:
        """Steps in spaces that are flattened are so when they are drawn (``KeptSteps``)."""
        observed = spaces[0] if self._observed is None else self._observed
        acted = spaces[1] if self._acted is None else self._acted
        return self._episodes.drawn(stride, offsets, (observed, acted), frames)

    def _flattened(self, trajectory: Trajectory) -> Trajectory:
        observations, actions = trajectory.observations, trajectory.actions
        if self._observed is not None:
            observations = flatten_values(self._observed, observations)
        if self._acted is not None:
            actions = flatten_values(self._acted, actions)
        return replace(trajectory, observations=observations, actions=actions)


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
        if trajectory.has_actions:
            _check_values("action", trajectory.actions, action_space, index, about)
        if not each_counts:  # of real numbers only dtype and shape are compared, which all share
            return


def check_parts(about: About, observation_space: Space[Any], action_space: Space[Any]) -> None:
    """Raise InputError, printing both sides, if both are of parts and those are not the same ones, in whatever order.

    Flattened to one vector, the parts of two spaces may have as many numbers and mean something else.
    """
    for role, stated, space in (
        ("observation", about.observation_space, observation_space),
        ("action", about.action_space, action_space),
    ):
        if stated is not None and not _same_parts(stated, space, bounded=role == "action"):
            raise InputError(
                f"the demonstrations' {role}s are {brief(stated)}, the environment's are {brief(stated_space(space))}: "
                f"they do not fit{_recorded_in(about)}"
            )


def _same_parts(stated: Space[Any], space: Space[Any], bounded: bool) -> bool:
    """Whether nothing is known to be otherwise: a space that is flattened already has no parts to be compared."""
    if isinstance(stated, Box | Discrete) or not isinstance(space, Flat):
        return True
    own, others = dict(leaves(stated)), dict(leaves(space.stated))
    return own.keys() == others.keys() and all(
        (_alike(part, others[path]) and (not bounded or _bounded(part, others[path]))) or part == others[path]
        for path, part in own.items()
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
