"""A policy that somebody wrote as a function of one observation: ``module:attribute``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.errors import InputError
from gailkit.importing import describe_foreign, import_attribute, import_module
from gailkit.types import Policy


def function_policy(spec: str, action_space: Space[Any]) -> Policy:
    """The callable ``module:attribute`` as a policy: it is called with one observation (*obs) at a time.

    The module may lie in the current folder. What the callable returns must be an action of ``action_space``.

    Raises:
        InputError: if the module or the attribute is missing (near matches are listed) or is not callable; when the
            policy runs, if the callable raises or returns something that is not an action, printing both.
    """
    function = _load(spec)

    def act(observations: np.ndarray) -> np.ndarray:
        return np.stack([_checked(spec, _call(spec, function, row), action_space) for row in observations])

    return act


def function_source(spec: str) -> Path | None:
    """The file that ``module:attribute`` is written in, or None if it is not a file."""
    origin = import_module(spec.partition(":")[0]).__spec__
    return Path(origin.origin) if origin and origin.origin and origin.has_location else None


def _load(spec: str) -> Callable[[np.ndarray], Any]:
    found = import_attribute(spec)
    if not callable(found):
        raise InputError(f"{spec} is {_shown(found)}; it must be a callable: observation -> action")
    checked: Callable[[np.ndarray], Any] = found
    return checked


def _call(spec: str, function: Callable[[np.ndarray], Any], observation: np.ndarray) -> Any:
    try:
        return function(observation)
    except Exception as error:  # the function is foreign code and may raise anything
        shape = observation.shape
        raise InputError(
            f"{spec} failed for an observation of shape {shape}: {describe_foreign(error, __file__)}"
        ) from error


def _checked(spec: str, action: Any, space: Space[Any]) -> np.ndarray:
    """``action`` as an array (*act) of the type of ``space``; InputError, printing both, if it is none of it."""
    problem = InputError(f"{spec} returned {_shown(action)}; an action must be in {space}")
    try:
        values = np.asarray(action)
    except ValueError as error:  # a ragged list
        raise problem from error
    kinds = "iub" if isinstance(space, Discrete) else "iuf"
    if values.shape != space.shape or values.dtype.kind not in kinds:
        raise problem
    typed = values.astype(space.dtype)
    outside = isinstance(space, Box) and not bool(np.all((typed >= space.low) & (typed <= space.high)))
    if outside or (isinstance(space, Discrete) and not 0 <= int(typed) - int(space.start) < int(space.n)):
        raise problem
    return typed


def _shown(value: Any) -> str:
    text = repr(value)
    shape = f" of shape {value.shape}" if isinstance(value, np.ndarray) else ""
    return f"{text if len(text) <= 80 else text[:77] + '...'}{shape} ({type(value).__name__})"
