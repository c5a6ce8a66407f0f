"""Spaces as JSON text, for files. Nothing in a text is executed, and what it may declare is bounded."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.spaces.flattening import Flat, flattened_space
from gailkit.spaces.structure import STORABLE, leaves, subspaces

MAX_BOX_SIZE = 2**22  # numbers in one element of a space that a file describes
MAX_DEPTH = 32  # Dicts and Tuples within one another
MAX_SPACES = 10_000

MISTAKES = (ValueError, TypeError, KeyError, AssertionError, OverflowError, RecursionError)
"""What reading a text that somebody else wrote may raise before it is known to describe a space."""


def space_to_json(space: Space[Any]) -> str:
    """A supported space as JSON text that ``space_from_json`` reads back to an equal space."""
    return json.dumps(_fields(space))


def space_from_json(text: str) -> Space[Any]:
    """The space that ``space_to_json`` wrote. Raises InputError for anything else; nothing in it is executed."""
    try:
        return built(json.loads(text))
    except MISTAKES as error:
        raise InputError(f"not a description of a space that gailkit wrote: {text[:80]!r} ({error})") from error


def built(fields: Any) -> Space[Any]:
    """The space that parsed JSON describes, refused before anything is allocated if it is too large.

    Raises:
        UnsupportedSpaceError: for a kind of space that is not supported, or parts that cannot be held.
        Exception: one of MISTAKES for anything that is not the description of a space.
    """
    _check_extent(fields)
    space = _space(fields)
    leaves(space)  # parts whose names cannot be held are refused as they are when writing
    return space


def _fields(space: Space[Any]) -> dict[str, Any]:
    if isinstance(space, Flat):
        return {"type": "Flat", "space": _fields(space.stated)}
    parts = subspaces(space)
    if isinstance(space, Dict):
        return {"type": "Dict", "spaces": [[name, _fields(part)] for name, part in parts.items()]}
    if isinstance(space, Tuple):
        return {"type": "Tuple", "spaces": [_fields(part) for part in parts.values()]}
    if isinstance(space, Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start), "dtype": str(space.dtype)}
    if isinstance(space, MultiDiscrete):
        numbers = {"nvec": space.nvec.tolist(), "start": space.start.tolist()}
        return {"type": "MultiDiscrete", **numbers, "dtype": str(space.dtype)}
    if isinstance(space, MultiBinary):
        return {"type": "MultiBinary", "n": space.n}
    assert isinstance(space, Box)
    bounds = {"low": _bound_to_json(space.low), "high": _bound_to_json(space.high)}
    return {"type": "Box", "shape": list(space.shape), "dtype": str(space.dtype), **bounds}


def _check_extent(fields: Any) -> None:
    """Raise ValueError for more numbers, parts or levels than a space of a file may have."""
    level, depth, spaces, numbers = [fields], 0, 0, 0
    while level:
        depth, spaces = depth + 1, spaces + len(level)
        numbers += sum(_declared(own) for own in level)
        if depth > MAX_DEPTH or spaces > MAX_SPACES or numbers > MAX_BOX_SIZE:
            raise ValueError(
                f"it has more than {MAX_BOX_SIZE} numbers, {MAX_SPACES} parts, or {MAX_DEPTH} levels within one another"
            )
        level = [part for own in level for part in _parts(own)]


def _parts(fields: dict[str, Any]) -> list[Any]:
    if fields["type"] == "Dict":
        return [part for _, part in fields["spaces"]]
    if fields["type"] == "Flat":
        return [fields["space"]]
    return list(fields["spaces"]) if fields["type"] == "Tuple" else []


def _declared(fields: dict[str, Any]) -> int:
    """How many numbers one element has, as far as the text states that without listing them."""
    sizes = {"Box": "shape", "MultiBinary": "n"}.get(fields["type"])
    if sizes is None:
        return 0
    shape = fields[sizes] if isinstance(fields[sizes], list) else [fields[sizes]]
    if any(_integer(size) < 0 for size in shape):
        raise ValueError(f"the shape {shape} has a negative size")
    return math.prod(shape)


def _space(fields: dict[str, Any]) -> Space[Any]:
    if fields["type"] == "Dict":
        names = [name for name, _ in fields["spaces"]]
        if len(set(names)) != len(names):
            raise ValueError("two parts have one name")
        return Dict([(name, _space(part)) for name, part in fields["spaces"]])
    if fields["type"] == "Flat":
        return flattened_space(_space(fields["space"]))
    if fields["type"] == "Tuple":
        return Tuple([_space(part) for part in fields["spaces"]])
    if fields["type"] == "Discrete":
        dtype = _plain_dtype(fields["dtype"], "iu")
        return Discrete(_integer(fields["n"]), start=_integer(fields["start"]), dtype=dtype.type)
    if fields["type"] == "MultiDiscrete":
        dtype = _plain_dtype(fields["dtype"], "iu")
        return MultiDiscrete(_numbers(fields["nvec"], dtype), dtype=dtype.type, start=_numbers(fields["start"], dtype))
    if fields["type"] == "MultiBinary":
        return MultiBinary(fields["n"])
    if fields["type"] == "Box":
        dtype = _plain_dtype(fields["dtype"], "biuf")
        shape = tuple(fields["shape"])
        low, high = (_bound_from_json(fields[name], shape, dtype) for name in ("low", "high"))
        return Box(low, high, shape=shape, dtype=dtype.type)
    raise UnsupportedSpaceError(f"a space of type {fields['type']!r} is not supported; supported are {STORABLE}")


def _bound_to_json(values: np.ndarray) -> list[float] | float:
    """Every element in C order, or one number where all are equal, as in a space of images."""
    elements: list[float] = values.reshape(-1).tolist()
    return elements[0] if len(set(elements)) == 1 else elements


def _bound_from_json(bound: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    values = _numbers(bound, dtype)
    return values.reshape(shape) if isinstance(bound, list) else np.full(shape, values, dtype=dtype)


def _numbers(listed: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """A number, or lists of numbers, as an array of ``dtype``; ValueError where that would change one."""
    with np.errstate(over="ignore"):  # a bound beyond the largest float is as good as none
        values = np.array(listed, dtype=dtype)
    stated = np.array(listed, dtype=object).reshape(-1).tolist()
    if not all(isinstance(number, int | float) for number in stated):
        raise ValueError("it has something else in the place of a number")
    if dtype.kind != "f" and values.reshape(-1).tolist() != stated:
        raise ValueError(f"{dtype} cannot hold all of its numbers")
    return values


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is in the place of an integer")
    return value


def _plain_dtype(name: Any, kinds: str) -> np.dtype[Any]:
    dtype = np.dtype(str(name))
    if dtype.kind not in kinds or dtype.itemsize > 8:
        raise ValueError(f"the dtype {name!r} does not suit the space")
    return dtype
