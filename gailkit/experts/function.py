"""A policy that somebody wrote as a function of one observation, named ``module:attribute`` or given in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.errors import InputError
from gailkit.importing import describe_foreign, import_attribute, import_module
from gailkit.types import BatchPolicy, Policy

CONTRACT = "one observation -> one action; gailkit.Batched(function) is a function of N observations"


def function_policy(spec: str, action_space: Space[Any]) -> Policy:
    """The callable ``module:attribute`` as a policy, by the contract of ``as_policy``.

    The module may lie in the current folder.

    Raises:
        InputError: if the module or the attribute is missing (near matches are listed), and as ``as_policy``.
    """
    return as_policy(import_attribute(spec), action_space, spec)


def as_policy(policy: object, action_space: Space[Any], name: str | None = None) -> Policy:
    """``policy`` as it is asked by whoever runs episodes, with N observations at a time.

    A plain callable is called with one observation (*obs) and returns one action (*act) of ``action_space``, wherever
    it is named: on the command line and in Python. A ``BatchPolicy``, such as a trained one, is returned as it is;
    ``Batched(function)`` makes one of a function of N observations.

    Raises:
        InputError: calling the policy ``name``, if it is not callable; when it runs, if the callable raises or returns
            something that is not an action, printing both.
    """
    if isinstance(policy, BatchPolicy):
        return policy
    called = name or str(getattr(policy, "__qualname__", type(policy).__name__))
    if not callable(policy):
        shown = _shown(policy) if name is None else f"{name} is {_shown(policy)}"
        raise InputError(f"{shown}; it must be a callable: {CONTRACT}")
    function: Callable[[np.ndarray], Any] = policy

    def act(observations: np.ndarray) -> np.ndarray:
        return np.stack([_checked(called, _call(called, function, row), action_space) for row in observations])

    return act


def function_source(spec: str) -> Path | None:
    """The file that ``module:attribute`` is written in, or None if it is not a file."""
    origin = import_module(spec.partition(":")[0]).__spec__
    return Path(origin.origin) if origin and origin.origin and origin.has_location else None


def _call(spec: str, function: Callable[[np.ndarray], Any], observation: np.ndarray) -> Any:
    try:
        return function(observation)
    except Exception as error:  # the function is foreign code and may raise anything
        told = describe_foreign(error, __file__)
        raise InputError(
            f"{spec} failed for an observation of shape {observation.shape}: {told} ({CONTRACT})"
        ) from error


def _checked(spec: str, action: Any, space: Space[Any]) -> np.ndarray:
    """``action`` as an array (*act) of the type of ``space``; InputError, printing both, if it is none of it."""
    problem = InputError(f"{spec} returned {_shown(action)}; an action must be in {space} ({CONTRACT})")
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
