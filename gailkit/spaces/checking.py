"""Whether values belong to a space."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from gailkit.spaces.structure import Path, brief, leaves, said_of, shape_of, subspaces

_WORDS = {"f": "real numbers", "i": "integers", "u": "integers", "b": "booleans"}


def misfit(space: Space[Any], values: np.ndarray) -> str | None:
    """What keeps values (N, ...) from being N elements of ``space``, in words; None if nothing does.

    Numbers must be of the same kind, real or whole, and within the bounds; how many bits they have does not matter.

    Raises:
        UnsupportedSpaceError: if ``space`` is of a kind that is not supported.
    """
    leaves(space)  # refuses a space with a part that is not supported, whatever the values are
    return _misfit(space, values, ())


def _misfit(space: Space[Any], values: np.ndarray, path: Path) -> str | None:
    parts = subspaces(space)
    if not parts:
        return _leaf_misfit(space, values, said_of(path, "an element"))
    fields = values.dtype.names or ()
    if set(fields) != set(parts) or values.ndim != 1:
        found = f"the parts {', '.join(fields)}" if fields else f"{values.dtype} of shape {values.shape[1:]}"
        return f"{said_of(path, 'an element')} has {found}; {brief(space)} has the parts {', '.join(parts)}"
    problems = (_misfit(part, values[name], (*path, name)) for name, part in parts.items())
    return next((problem for problem in problems if problem is not None), None)


def _leaf_misfit(space: Space[Any], values: np.ndarray, name: str) -> str | None:
    wanted = "f" if isinstance(space, Box) and space.dtype.kind == "f" else "iub"
    if values.dtype.names is not None or values.shape[1:] != shape_of(space) or values.dtype.kind not in wanted:
        return (
            f"{name} is {values.dtype} of shape {values.shape[1:]}; "
            f"{brief(space)} has {_WORDS[wanted[0]]} of shape {shape_of(space)}"
        )
    if not values.size:
        return None
    low, high = _bounds(space)
    if wanted == "f":
        with np.errstate(over="ignore"):
            values = values.astype(space.dtype, copy=False)  # a bound of float32 is not exceeded by its own rounding
    flat, low, high = values.reshape(len(values), -1), low.reshape(-1), high.reshape(-1)
    outside = ~((low <= flat) & (flat <= high)).all(axis=0)
    if not outside.any():
        return None
    worst = int(outside.argmax())
    where = f" in dimension {worst}" if flat.shape[1] > 1 else ""
    return (
        f"{name} ranges from {flat[:, worst].min()} to {flat[:, worst].max()}{where}, "
        f"where {brief(space)} allows {low[worst]} to {high[worst]}"
    )


def _bounds(space: Space[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest element of a leaf, of its shape."""
    if isinstance(space, Box):
        return space.low, space.high
    if isinstance(space, Discrete):
        return np.array(int(space.start)), np.array(int(space.start) + int(space.n) - 1)
    if isinstance(space, MultiDiscrete):
        return space.start, space.start + (space.nvec - 1)
    assert isinstance(space, MultiBinary)
    return np.zeros(space.shape, np.int8), np.ones(space.shape, np.int8)
