"""Gymnasium spaces to what networks take: one encoding of observations and actions, for expert and policy alike."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor
from torch.nn.functional import one_hot

from gailkit.errors import InputError, UnsupportedSpaceError

SUPPORTED = "Box (any shape, flattened) and Discrete"


def check_supported(observation_space: Space[Any], action_space: Space[Any]) -> None:
    """Raise UnsupportedSpaceError, naming the space and what is supported, unless both can be encoded."""
    for role, space in (("observation", observation_space), ("action", action_space)):
        if not isinstance(space, Box | Discrete):
            raise UnsupportedSpaceError(f"the {role} space {space} is not supported; supported are {SUPPORTED}")


def encoded_size(space: Space[Any]) -> int:
    """Number of features that ``encode_observations`` or ``encode_actions`` returns for ``space``."""
    if isinstance(space, Discrete):
        return int(space.n)
    if isinstance(space, Box):
        return int(np.prod(space.shape))
    raise UnsupportedSpaceError(f"the space {space} is not supported; supported are {SUPPORTED}")


def encode_observations(space: Space[Any], observations: Tensor) -> Tensor:
    """Observations (B, *obs) to features (B, size), float32: flattened for Box, one-hot for Discrete."""
    if isinstance(space, Discrete):
        return one_hot(observations.long() - int(space.start), int(space.n)).float()
    return observations.reshape(len(observations), encoded_size(space)).float()


def encode_actions(space: Space[Any], actions: Tensor) -> Tensor:
    """Actions (B, *act) to features (B, size), float32.

    One-hot for Discrete. For Box clipped to the bounds, as the environment sees them, and scaled so that a bounded
    dimension covers [-1, 1]; an unbounded one stays as it is.
    """
    if isinstance(space, Discrete):
        return one_hot(actions.long() - int(space.start), int(space.n)).float()
    low, high = box_bounds(space)
    flat = actions.reshape(len(actions), encoded_size(space)).float().clamp(low, high)
    center, scale = box_center_and_scale(space)
    return (flat - center) / scale


def box_bounds(space: Space[Any]) -> tuple[Tensor, Tensor]:
    """Lower and upper bounds of a Box, each (size,), infinite where there is none."""
    assert isinstance(space, Box)
    return torch.as_tensor(space.low.reshape(-1)).float(), torch.as_tensor(space.high.reshape(-1)).float()


def box_center_and_scale(space: Space[Any]) -> tuple[Tensor, Tensor]:
    """Center and half-width of a Box, each (size,); 0 and 1 for a dimension that is not bounded on both sides."""
    low, high = box_bounds(space)
    bounded = torch.isfinite(low) & torch.isfinite(high)
    center = torch.where(bounded, (low + high) / 2, torch.zeros_like(low))
    scale = torch.where(bounded, (high - low) / 2, torch.ones_like(low))
    return center, scale


def clip_to_space(space: Space[Any], actions: np.ndarray) -> np.ndarray:
    """Actions (N, *act) as the environment takes them: clipped to a Box and of its dtype; unchanged for Discrete."""
    if isinstance(space, Box):
        return np.clip(actions, space.low, space.high).astype(space.dtype)
    return actions


def space_to_json(space: Space[Any]) -> str:
    """A Box or Discrete space as JSON text that ``space_from_json`` reads back to an equal space."""
    if isinstance(space, Discrete):
        return json.dumps({"type": "Discrete", "n": int(space.n), "start": int(space.start), "dtype": str(space.dtype)})
    if isinstance(space, Box):
        bounds = {"low": _bound(space.low), "high": _bound(space.high)}
        return json.dumps({"type": "Box", "shape": list(space.shape), "dtype": str(space.dtype), **bounds})
    raise UnsupportedSpaceError(f"the space {space} is not supported; supported are {SUPPORTED}")


def space_from_json(text: str) -> Space[Any]:
    """The space that ``space_to_json`` wrote. Raises InputError for anything else; nothing in it is executed."""
    try:
        fields = json.loads(text)
        if fields["type"] == "Discrete":
            return Discrete(int(fields["n"]), start=int(fields["start"]))
        if fields["type"] == "Box":
            dtype = np.dtype(str(fields["dtype"]))
            shape = tuple(int(size) for size in fields["shape"])
            low = np.array(fields["low"], dtype=np.float64).reshape(shape).astype(dtype)
            high = np.array(fields["high"], dtype=np.float64).reshape(shape).astype(dtype)
            return Box(low, high, shape=shape, dtype=dtype.type)
    except (ValueError, TypeError, KeyError, AssertionError) as error:
        raise InputError(f"not a description of a space that gailkit wrote: {text[:80]!r} ({error})") from error
    raise InputError(f"a space of type {fields['type']!r} is not supported; supported are {SUPPORTED}")


def _bound(values: np.ndarray) -> list[float]:
    return [float(value) for value in values.reshape(-1)]
