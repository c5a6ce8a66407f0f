"""Gymnasium spaces: which are supported, how large, how bounded, and how written to a file."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.errors import InputError, UnsupportedSpaceError

SUPPORTED = "Box (any shape, flattened) and Discrete"
MAX_BOX_SIZE = 2**26  # elements of a Box described in a file


def check_supported(observation_space: Space[Any], action_space: Space[Any]) -> None:
    """Raise UnsupportedSpaceError, naming the space and what is supported, unless both can be encoded."""
    for role, space in (("observation", observation_space), ("action", action_space)):
        if not isinstance(space, Box | Discrete):
            raise UnsupportedSpaceError(f"the {role} space {space} is not supported; supported are {SUPPORTED}")
    if isinstance(action_space, Box) and not np.issubdtype(action_space.dtype, np.floating):
        raise UnsupportedSpaceError(f"the action space {action_space} is not supported: a Box of whole numbers")


def encoded_size(space: Space[Any]) -> int:
    """Number of features an observation or action of ``space`` is encoded in."""
    if isinstance(space, Discrete):
        return int(space.n)
    if isinstance(space, Box):
        return int(np.prod(space.shape))
    raise UnsupportedSpaceError(f"the space {space} is not supported; supported are {SUPPORTED}")


def box_center_and_scale(space: Space[Any]) -> tuple[Tensor, Tensor]:
    """Center and half-width of a Box, each (size,); 0 and 1 for a dimension that is not bounded on both sides."""
    assert isinstance(space, Box)
    low, high = (torch.as_tensor(bound.reshape(-1)).double() for bound in (space.low, space.high))
    bounded = (high - low) < torch.finfo(torch.float32).max  # as far as float32 can tell
    center = torch.where(bounded, (low + high) / 2, torch.zeros_like(low))
    scale = torch.where(bounded & (high > low), (high - low) / 2, torch.ones_like(low))
    return center.float(), scale.float()


def storage_dtype(space: Space[Any]) -> type[np.generic]:
    """The dtype that observations or actions of ``space`` have in Transitions: float32 for Box, int64 for Discrete."""
    return np.int64 if isinstance(space, Discrete) else np.float32


def clip_to_space(space: Space[Any], actions: np.ndarray) -> np.ndarray:
    """Actions (N, *act) as the environment takes them: clipped to a Box and of its dtype; unchanged for Discrete."""
    if isinstance(space, Box):
        clipped: np.ndarray = np.clip(actions, space.low, space.high).astype(space.dtype)
        return clipped
    return actions


def space_to_json(space: Space[Any]) -> str:
    """A Box or Discrete space as JSON text that ``space_from_json`` reads back to an equal space."""
    if isinstance(space, Discrete):
        return json.dumps({"type": "Discrete", "n": int(space.n), "start": int(space.start), "dtype": str(space.dtype)})
    if isinstance(space, Box):
        bounds = {"low": _bound_to_json(space.low), "high": _bound_to_json(space.high)}
        return json.dumps({"type": "Box", "shape": list(space.shape), "dtype": str(space.dtype), **bounds})
    raise UnsupportedSpaceError(f"the space {space} is not supported; supported are {SUPPORTED}")


def space_from_json(text: str) -> Space[Any]:
    """The space that ``space_to_json`` wrote. Raises InputError for anything else; nothing in it is executed."""
    try:
        fields = json.loads(text)
        if fields["type"] == "Discrete":
            dtype = _plain_dtype(fields["dtype"], "iu")
            return Discrete(int(fields["n"]), start=int(fields["start"]), dtype=dtype.type)
        if fields["type"] == "Box":
            dtype = _plain_dtype(fields["dtype"], "biuf")
            shape = tuple(int(size) for size in fields["shape"])
            low, high = (_bound_from_json(fields[name], shape, dtype) for name in ("low", "high"))
            return Box(low, high, shape=shape, dtype=dtype.type)
    except (ValueError, TypeError, KeyError, AssertionError, OverflowError, RecursionError) as error:
        raise InputError(f"not a description of a space that gailkit wrote: {text[:80]!r} ({error})") from error
    raise InputError(f"a space of type {fields['type']!r} is not supported; supported are {SUPPORTED}")


def _bound_to_json(values: np.ndarray) -> list[float] | float:
    """Every element in C order, or one number where all are equal, as in a space of images."""
    elements: list[float] = values.reshape(-1).tolist()
    return elements[0] if len(set(elements)) == 1 else elements


def _bound_from_json(bound: list[float] | float, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    if math.prod(shape) > MAX_BOX_SIZE:
        raise ValueError(f"a Box of shape {shape} has more than {MAX_BOX_SIZE} elements")
    if isinstance(bound, list):
        return np.array(bound, dtype=dtype).reshape(shape)
    return np.full(shape, bound, dtype=dtype)


def _plain_dtype(name: Any, kinds: str) -> np.dtype[Any]:
    dtype = np.dtype(str(name))
    if dtype.kind not in kinds:
        raise ValueError(f"the dtype {name!r} does not suit the space")
    return dtype
