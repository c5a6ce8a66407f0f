"""A policy that somebody wrote as a function of one observation: ``module:attribute``."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.errors import InputError
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
    origin = _import(spec.partition(":")[0]).__spec__
    return Path(origin.origin) if origin and origin.origin and origin.has_location else None


def make_current_folder_importable() -> None:
    """Let ``import`` find modules in the current folder first, as ``python -m`` does."""
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _load(spec: str) -> Callable[[np.ndarray], Any]:
    module_name, _, attribute = spec.partition(":")
    found: Any = _import(module_name)
    for name in attribute.split("."):
        if not hasattr(found, name):
            public = [known for known in dir(found) if not known.startswith("_")]
            matches = difflib.get_close_matches(name, public) or public[:8]
            raise InputError(f"{module_name} has no attribute {name!r}; it has: {', '.join(matches) or 'nothing'}")
        found = getattr(found, name)
    if not callable(found):
        raise InputError(f"{spec} is {_shown(found)}; it must be a callable: observation -> action")
    checked: Callable[[np.ndarray], Any] = found
    return checked


def _import(name: str) -> ModuleType:
    make_current_folder_importable()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise InputError(f"{name} cannot be imported: {error}") from error
        matches = difflib.get_close_matches(name, [path.stem for path in Path.cwd().glob("*.py")])
        near = f"; near matches: {', '.join(matches)}" if matches else ""
        raise InputError(f"there is no module {name!r} in the current folder or among those installed{near}") from error
    except Exception as error:  # the module is foreign code and may raise anything
        raise InputError(f"{name} cannot be imported: {_described(error)}") from error


def _call(spec: str, function: Callable[[np.ndarray], Any], observation: np.ndarray) -> Any:
    try:
        return function(observation)
    except Exception as error:  # the function is foreign code and may raise anything
        shape = observation.shape
        raise InputError(f"{spec} failed for an observation of shape {shape}: {_described(error)}") from error


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


def _described(error: Exception) -> str:
    """The error in one line, with the place in the foreign code that raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
