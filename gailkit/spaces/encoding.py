"""Spaces that networks take: which are supported, how large, how bounded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.errors import UnsupportedSpaceError
from gailkit.spaces.flattening import stated_space
from gailkit.spaces.structure import brief, leaves, said_of

if TYPE_CHECKING:
    from torch import Tensor


def check_supported(observation_space: Space[Any], action_space: Space[Any]) -> None:
    """Raise UnsupportedSpaceError, naming the space and what is supported, unless both can be encoded.

    They are as ``flattened_space`` makes them.
    """
    for role, space in (("observation", observation_space), ("action", action_space)):
        if encoded_size(space) == 0:
            raise UnsupportedSpaceError(
                f"the {role} space {space} is not supported: with the shape {space.shape} it holds no number"
            )
    for path, part in leaves(stated_space(action_space)):
        if isinstance(part, Box) and not np.issubdtype(part.dtype, np.floating):
            which = f"{said_of(path, '')} is a Box" if path else "a Box"
            raise UnsupportedSpaceError(
                f"the action space {brief(stated_space(action_space))} is not supported: {which} of whole numbers"
            )


def encoded_size(space: Space[Any]) -> int:
    """Number of features an observation or action of ``space``, a Box, flat or not, or Discrete, is encoded in."""
    if isinstance(space, Discrete):
        return int(space.n)
    if isinstance(space, Box):
        return math.prod(space.shape)
    raise UnsupportedSpaceError(f"the space {brief(space)} is not supported as it is; ``flattened_space`` makes it so")


def box_center_and_scale(space: Space[Any]) -> tuple[Tensor, Tensor]:
    """Center and half-width of a Box, each (size,); 0 and 1 for a dimension that is not bounded on both sides."""
    import torch  # here: the processes that step environments do without it

    assert isinstance(space, Box)
    low, high = (torch.as_tensor(bound.reshape(-1)).double() for bound in (space.low, space.high))
    bounded = (high - low) < torch.finfo(torch.float32).max  # as far as float32 can tell
    center = torch.where(bounded, (low + high) / 2, torch.zeros_like(low))
    scale = torch.where(bounded & (high > low), (high - low) / 2, torch.ones_like(low))
    return center.float(), scale.float()


def storage_dtype(space: Space[Any]) -> type[np.generic]:
    """The dtype that observations or actions of ``space`` have in Transitions.

    int64 for Discrete; float32 for Box, but uint8 for images, which stay bytes until they reach a network.
    """
    if isinstance(space, Discrete):
        return np.int64
    return np.uint8 if space.dtype == np.uint8 else np.float32


def clip_to_space(space: Space[Any], actions: np.ndarray) -> np.ndarray:
    """Actions (N, *act) as the environment takes them: clipped to a Box and of its dtype; unchanged for Discrete."""
    if isinstance(space, Box):
        clipped: np.ndarray = np.clip(actions, space.low, space.high).astype(space.dtype)
        return clipped
    return actions
