"""Between the arrays that hold many elements and the single ones, dicts and tuples, that environments use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Dict, Discrete, Tuple

from gailkit.errors import InputError
from gailkit.spaces.structure import Path, array_dtype, brief, said_of, shape_of, subspaces


def to_gymnasium(space: Space[Any], values: np.ndarray, index: int) -> Any:
    """Element ``index`` of values (N, ...) as Gymnasium has it: a dict, a tuple, an array or a number, all copies."""
    if isinstance(space, Dict):
        return {name: to_gymnasium(part, values[name], index) for name, part in subspaces(space).items()}
    if isinstance(space, Tuple):
        return tuple(to_gymnasium(part, values[name], index) for name, part in subspaces(space).items())
    element = np.array(values[index], dtype=space.dtype)
    return element[()] if isinstance(space, Discrete) else element


def in_parts(space: Space[Any], values: np.ndarray) -> Any:
    """Values (N, ...) of ``space`` as dicts and tuples of the arrays (N, *shape) of its leaves."""
    if isinstance(space, Dict):
        return {name: in_parts(part, values[name]) for name, part in subspaces(space).items()}
    if isinstance(space, Tuple):
        return tuple(in_parts(part, values[name]) for name, part in subspaces(space).items())
    return values


def from_parts(space: Space[Any], found: Any) -> dict[Path, np.ndarray]:
    """The arrays of the leaves of ``space``, of one element or of many, out of dicts and tuples of them.

    Raises:
        InputError: if a part is missing, or one is no array of numbers.
    """
    arrays: dict[Path, np.ndarray] = {}
    _collect(arrays, space, found, ())
    return arrays


def from_gymnasium(space: Space[Any], samples: Sequence[Any]) -> np.ndarray:
    """Elements as Gymnasium has them to values (N, ...) of the dtypes of ``space``.

    Raises:
        InputError: if one lacks a part, has another shape, or numbers that a space of integers cannot hold.
    """
    values = np.empty(len(samples), array_dtype(space))
    _fill(values, space, samples, ())
    return values


def _fill(values: np.ndarray, space: Space[Any], samples: Sequence[Any], path: Path) -> None:
    parts = subspaces(space)
    if not parts:
        values[...] = _stacked(space, samples, path)
        return
    keys: Sequence[Any] = range(len(parts)) if isinstance(space, Tuple) else list(parts)
    for sample in samples:
        _require_parts(space, sample, path)
    for key, (name, part) in zip(keys, parts.items(), strict=True):
        _fill(values[name], part, [sample[key] for sample in samples], (*path, name))


def _collect(arrays: dict[Path, np.ndarray], space: Space[Any], found: Any, path: Path) -> None:
    parts = subspaces(space)
    if not parts:
        arrays[path] = _array(found, path)
        return
    _require_parts(space, found, path)
    keys: Sequence[Any] = range(len(parts)) if isinstance(space, Tuple) else list(parts)
    for key, (name, part) in zip(keys, parts.items(), strict=True):
        _collect(arrays, part, found[key], (*path, name))


def _array(found: Any, path: Path) -> np.ndarray:
    try:
        values = np.asarray(found)
    except (ValueError, TypeError, RuntimeError) as error:  # a ragged list; a tensor that NumPy cannot see
        raise InputError(f"{said_of(path, 'it')} is {type(found).__name__}, which is no array: {error}") from error
    if values.dtype.kind not in "biuf":
        raise InputError(f"{said_of(path, 'it')} is {type(found).__name__}, which is no array of numbers")
    return values


def _require_parts(space: Space[Any], sample: Any, path: Path) -> None:
    """Raise InputError unless ``sample`` has the parts of a Dict or Tuple."""
    if not _has_parts(space, sample):
        raise InputError(
            f"{said_of(path, 'an element')} must be a {'tuple' if isinstance(space, Tuple) else 'dict'} of "
            f"{', '.join(subspaces(space))}; found {_shown(sample)}"
        )


def _shown(sample: Any) -> str:
    """What was found in the place of parts: all of it where it is short, else what of a dict its parts are called."""
    text = str(sample)
    if len(text) > 80 and isinstance(sample, dict):
        return brief(f"a dict of {', '.join(map(str, sample))}")
    return text[:80]


def _has_parts(space: Space[Any], sample: Any) -> bool:
    if isinstance(space, Dict):
        return isinstance(sample, dict) and sample.keys() == space.spaces.keys()
    assert isinstance(space, Tuple)
    return isinstance(sample, tuple | list) and len(sample) == len(space.spaces)


def _stacked(space: Space[Any], samples: Sequence[Any], path: Path) -> np.ndarray:
    """The elements of a leaf, (N, *shape), in its dtype."""
    try:
        found = np.array([np.asarray(sample) for sample in samples]).reshape(len(samples), *shape_of(space))
        with np.errstate(invalid="ignore", over="ignore"):  # what does not fit is found below
            values: np.ndarray = found.astype(space.dtype)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{said_of(path, 'an element')} must be of the shape {shape_of(space)} and {space.dtype}: {error}"
        ) from error
    if values.dtype.kind != "f" and not np.array_equal(values, found):
        raise InputError(f"{said_of(path, 'an element')} holds numbers that {space.dtype} cannot")
    return values
