"""Whether demonstrations belong to an environment: its spaces against what the file states and what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations.contents import About
from gailkit.errors import InputError
from gailkit.spaces import check_supported
from gailkit.types import Trajectory


def check_fit(
    trajectories: Sequence[Trajectory], about: About, observation_space: Space[Any], action_space: Space[Any]
) -> None:
    """Raise InputError, printing both sides, unless the episodes could come from an environment with these spaces.

    Continuous values outside a Box are accepted (an encoder clips them); Discrete ones outside the set are not.
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
            values = trajectory.observations if role == "observation" else trajectory.actions
            problem = _misfit(values, space)
            if problem is not None:
                raise InputError(
                    f"the demonstrations' {role}s do not fit the environment's {role} space {space}: "
                    f"in episode {index} they are {values.dtype} of shape {values.shape[1:]}{problem}"
                )


def _alike(stated: Space[Any], space: Space[Any]) -> bool:
    """Same kind and shape; the bounds of a Box may differ."""
    if isinstance(stated, Discrete) and isinstance(space, Discrete):
        return bool(stated.n == space.n and stated.start == space.start)
    if isinstance(stated, Box) and isinstance(space, Box):
        return stated.shape == space.shape and _continuous(stated.dtype) == _continuous(space.dtype)
    return False


def _misfit(values: np.ndarray, space: Space[Any]) -> str | None:
    """What is wrong with ``values`` (L, ...) beyond their dtype and shape, "" if only those; None if they fit."""
    if values.shape[1:] != space.shape or _continuous(values.dtype) != _continuous(space.dtype):
        return ""
    if isinstance(space, Discrete):
        lowest, highest = int(values.min()), int(values.max())
        if lowest < space.start or highest >= space.start + space.n:
            return f" and range from {lowest} to {highest}"
    return None


def _continuous(dtype: np.dtype[Any] | None) -> bool:
    return dtype is not None and dtype.kind == "f"
