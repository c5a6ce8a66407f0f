"""Whether demonstrations belong to an environment: its spaces against what the file states and what it holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations.contents import About
from gailkit.errors import InputError
from gailkit.spaces import check_supported, flatten_values, flattened_space
from gailkit.types import Trajectory


def flattens_to(stated: Space[Any] | None, space: Space[Any]) -> bool:
    """Whether ``stated`` is neither Box nor Discrete, and ``space`` is what flattening makes of it.

    Raises:
        UnsupportedSpaceError: if ``stated`` is of a kind that is not supported.
    """
    if stated is None or isinstance(stated, Box | Discrete):
        return False
    return _alike(flattened_space(stated), space)


def flattened(trajectory: Trajectory, stated: Space[Any]) -> Trajectory:
    """``trajectory`` with observations of the space ``stated`` flattened to one vector each, in their full length.

    Raises:
        InputError: if a number is not in its set.
    """
    return replace(trajectory, observations=flatten_values(stated, trajectory.observations))


def check_fit(
    trajectories: Iterable[Trajectory], about: About, observation_space: Space[Any], action_space: Space[Any]
) -> None:
    """Raise InputError, printing both sides, unless the episodes could come from an environment with these spaces.

    Continuous values outside a Box are accepted (an encoder clips them); Discrete ones outside the set are not, nor
    whole numbers that the dtype of a Box cannot hold.
    """
    check_supported(observation_space, action_space)
    for role, stated, space in (
        ("observation", about.observation_space, observation_space),
        ("action", about.action_space, action_space),
    ):
        if stated is not None and not _alike(stated, space):
            raise InputError(
                f"the demonstrations' {role} space is {stated}, the environment's is {space}: they do not fit"
            )
    for index, trajectory in enumerate(trajectories):
        _check_values("observation", trajectory.observations, observation_space, index)
        _check_values("action", trajectory.actions, action_space, index)


def _alike(stated: Space[Any], space: Space[Any]) -> bool:
    """Same kind and shape; the bounds of a Box may differ."""
    if isinstance(stated, Discrete) and isinstance(space, Discrete):
        return bool(stated.n == space.n and stated.start == space.start)
    if isinstance(stated, Box) and isinstance(space, Box):
        return stated.shape == space.shape and _continuous(stated.dtype) == _continuous(space.dtype)
    return False


def _check_values(role: str, values: np.ndarray, space: Space[Any], index: int) -> None:
    problem = _misfit(values, space)
    if problem is not None:
        raise InputError(
            f"the demonstrations' {role}s do not fit the environment's {role} space {space}: "
            f"in episode {index} they are {values.dtype} of shape {values.shape[1:]}{problem}"
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
