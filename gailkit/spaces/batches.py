"""One element of a space, or a batch of them, as arrays that networks take: checked before anything acts on them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Discrete

from gailkit.errors import InputError
from gailkit.spaces.elements import from_parts
from gailkit.spaces.encoding import storage_dtype
from gailkit.spaces.flattening import Flat, flat_place, flatten_values
from gailkit.spaces.structure import assemble, is_composite, leaves, shape_of
from gailkit.spaces.text import leave_out_text


class Batch(NamedTuple):
    """N elements of a space, in its ``storage_dtype``."""

    values: np.ndarray  # (N, *shape)
    alone: bool  # whether it was one element, (*shape), that was given


def as_batch(space: Space[Any], given: Any, what: str = "observation") -> Batch:
    """One element (*shape) of a Box or Discrete ``space``, or N of them (N, *shape), as a batch.

    Of a ``Flat`` space it may also be one or N as the environment has them: a dict of arrays (*shape) or (N, *shape),
    and words beside, which are left out.

    Raises:
        InputError: calling an element ``what``, for another shape, for what are no numbers, and naming the first
            number that is not finite or that the space, where it is one of whole numbers, does not have.
    """
    if isinstance(space, Flat):
        given = _flat(space, given, what)
    values = _numbers(space, given, what)
    shape = shape_of(space)
    if values.shape != shape and values.shape[1:] != shape:
        raise InputError(_accepted(space, what, f"shape {values.shape}"))
    alone = values.shape == shape
    rows = values[np.newaxis] if alone else values
    with np.errstate(over="ignore", invalid="ignore"):  # what the type cannot hold is found next
        stored = rows.astype(storage_dtype(space))
    unfit = ~np.isfinite(stored) if stored.dtype.kind == "f" else stored != rows
    if isinstance(space, Discrete):
        unfit |= (stored < space.start) | (stored >= space.start + space.n)
    if unfit.any():
        row, *element = (int(index) for index in np.argwhere(unfit)[0])
        whose = f"the {what}" if alone else f"{what} {row} of {len(rows)}"
        raise InputError(_found_in(space, stored.dtype, rows[(row, *element)], tuple(element), whose))
    return Batch(stored, alone)


def _flat(space: Flat, given: Any, what: str) -> Any:
    """Elements as the environment has them as vectors; what is none of these, and may be a vector, as it is."""
    stated = space.stated
    if not is_composite(stated) and np.shape(given)[-len(shape_of(stated)) :] != shape_of(stated):
        return given
    if is_composite(stated) and not isinstance(given, dict | tuple):
        return given
    arrays = from_parts(stated, leave_out_text(stated, given))
    shapes = {path: shape_of(part) for path, part in leaves(stated)}
    alone = all(arrays[path].shape == shape for path, shape in shapes.items())
    values = assemble(stated, {path: array[np.newaxis] if alone else array for path, array in arrays.items()})
    flat = flatten_values(space, values)
    return flat[0] if alone else flat


def not_finite(values: np.ndarray, stored: np.ndarray, flattened: Space[Any] | None = None) -> str:
    """Which number in ``values`` is the first that is not finite in ``stored``, the same ones in another type maybe.

    Where they are an element of ``flattened`` as one vector, its part is named.
    """
    index = tuple(int(position) for position in np.argwhere(~np.isfinite(stored))[0])
    place = _element(index) if flattened is None else flat_place(flattened, *index)
    return f"{place} is {_number(values[index], stored.dtype)}"


def _numbers(space: Space[Any], given: Any, what: str) -> np.ndarray:
    try:
        values = np.asarray(given)
    except (ValueError, TypeError, RuntimeError) as error:  # a ragged list; a tensor that NumPy cannot see
        raise InputError(_accepted(space, what, f"{type(given).__name__}, which is no array: {error}")) from error
    if values.dtype.kind not in "biuf":
        advice = "; gymnasium.wrappers.FlattenObservation makes one" if isinstance(given, dict | tuple) else ""
        raise InputError(_accepted(space, what, f"{type(given).__name__} of {values.dtype}{advice}"))
    return values


def _accepted(space: Space[Any], what: str, found: str) -> str:
    shape = shape_of(space)
    batch = f"({', '.join(map(str, ('N', *shape)))}{',' * (not shape)})"
    return f"one {what} is an array of shape {shape}, and a batch of N has shape {batch}; found {found}"


def _found_in(space: Space[Any], dtype: np.dtype[Any], number: Any, element: tuple[int, ...], whose: str) -> str:
    place = f"{_element(element)} of {whose}" if element else whose
    if dtype.kind == "f":
        return f"{place} is {_number(number, dtype)}; every number must be finite"
    held = space if isinstance(space, Discrete) else f"a space of {dtype}"
    return f"{place} is {number}; {held} has no such element"


def _element(index: tuple[int, ...]) -> str:
    if not index:
        return "it"
    return f"element {index[0] if len(index) == 1 else index}"


def _number(value: Any, dtype: np.dtype[Any]) -> str:
    return f"{value:g}, too large for {dtype}" if np.isfinite(value) else f"{value}"
