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
from gailkit.spaces import (
    brief,
    flatten_values,
    from_gymnasium,
    leaf,
    leaves,
    misfit,
    stated_space,
    to_gymnasium,
    unflatten_values,
)
from gailkit.types import BatchPolicy, Policy

AS_CALLABLE = "lambda observation: model.predict(observation, deterministic=True)[0]"
CONTRACT = "one observation -> one action; gailkit.Batched(function) is a function of N observations"


def function_policy(
    spec: str, observation_space: Space[Any], action_space: Space[Any], clip_actions: bool = False
) -> Policy:
    """The callable ``module:attribute`` as a policy, by the contract of ``as_policy``.

    The module may lie in the current folder.

    Raises:
        InputError: if the module or the attribute is missing (near matches are listed), and as ``as_policy``.
    """
    return as_policy(import_attribute(spec), observation_space, action_space, spec, clip_actions)


def as_policy(
    policy: object,
    observation_space: Space[Any],
    action_space: Space[Any],
    name: str | None = None,
    clip_actions: bool = False,
) -> Policy:
    """``policy`` as it is asked by whoever runs episodes, with N observations at a time.

    A plain callable is called with one observation and returns one action of ``action_space``, wherever it is named: on
    the command line and in Python. It sees an element of ``observation_space`` as the environment itself gives it, a
    dict of arrays for a Dict and a whole number for Discrete, while whoever runs episodes asks about values of
    ``flattened_space(observation_space)``; an action of several parts is likewise what the environment takes, and
    becomes a vector of ``flattened_space(action_space)``. A ``BatchPolicy``, such as a trained one, is returned as it
    is and gets those; ``Batched(function)`` makes one of a function of N observations.

    Args:
        clip_actions: clip what a callable returns to a Box instead of refusing what lies outside.

    Raises:
        InputError: calling the policy ``name``, if it is not callable; when it runs, if the callable raises or returns
            something that is not an action, printing both.
    """
    if isinstance(policy, BatchPolicy):
        return policy
    called = name or str(getattr(policy, "__qualname__", type(policy).__name__))
    if not callable(policy):
        shown = _shown(policy) if name is None else f"{name} is {_shown(policy)}"
        raise InputError(f"{shown}; it must be a callable: {CONTRACT}{_of_predict(policy)}")
    function: Callable[[Any], Any] = policy
    observed, acted = stated_space(observation_space), stated_space(action_space)
    check = _checked if isinstance(acted, Box | Discrete) else _checked_parts

    def act(observations: np.ndarray) -> np.ndarray:
        values = unflatten_values(observation_space, observations)
        seen = (to_gymnasium(observed, values, index) for index in range(len(values)))
        return np.stack([check(called, _call(called, function, each), acted, clip_actions) for each in seen])

    return act


def function_source(spec: str) -> Path | None:
    """The file that ``module:attribute`` is written in, or None if it is not a file."""
    origin = import_module(spec.partition(":")[0]).__spec__
    return Path(origin.origin) if origin and origin.origin and origin.has_location else None


def _call(spec: str, function: Callable[[Any], Any], observation: Any) -> Any:
    try:
        return function(observation)
    except Exception as error:  # the function is foreign code and may raise anything
        shape = f" of shape {observation.shape}" if isinstance(observation, np.ndarray) else ""
        told = describe_foreign(error, __file__)
        raise InputError(f"{spec} failed for an observation{shape}: {told} ({CONTRACT})") from error


def _checked(spec: str, action: Any, space: Space[Any], clip_actions: bool) -> np.ndarray:
    """``action`` as an array (*act) of the type of ``space``; InputError, saying what is wrong, if it is none of it."""
    if isinstance(action, tuple) and len(action) == 2 and action[1] is None:  # what a predict returns
        raise _refused(spec, action, space, f"; {AS_CALLABLE} gives the action alone")
    try:
        values = np.asarray(action)
    except ValueError as error:  # a ragged list
        raise _refused(spec, action, space, f" ({CONTRACT})") from error
    kinds = "iub" if isinstance(space, Discrete) else "iuf"
    if values.shape != space.shape or values.dtype.kind not in kinds:
        raise _refused(spec, action, space, f" ({CONTRACT})")
    typed: np.ndarray = values.astype(space.dtype)
    if isinstance(space, Discrete) and not 0 <= int(typed) - int(space.start) < int(space.n):
        raise _refused(spec, action, space)
    if isinstance(space, Box) and not bool(np.all((typed >= space.low) & (typed <= space.high))):
        if clip_actions and not np.isnan(typed).any():
            clipped: np.ndarray = np.clip(typed, space.low, space.high)
            return clipped
        raise _refused(spec, action, space, _first_outside(typed, space))
    return typed


def _checked_parts(spec: str, action: Any, space: Space[Any], clip_actions: bool) -> np.ndarray:
    """``action`` of a space of several parts as one vector; InputError, naming the part, if it is none of it."""
    try:
        values = from_gymnasium(space, [action])
    except InputError as error:
        raise _refused(spec, action, space, f"; {error}") from error
    for path, part in leaves(space):
        if isinstance(part, Box) and clip_actions:
            own = leaf(values, path)
            np.clip(own, part.low, part.high, out=own)
    problem = misfit(space, values)
    if problem is not None:
        raise _refused(spec, action, space, f"; {problem}")
    flat: np.ndarray = flatten_values(space, values)[0]
    return flat


def _refused(spec: str, action: Any, space: Space[Any], more: str = "") -> InputError:
    return InputError(f"{spec} returned {_shown(action)}; an action must be in {brief(space)}{more}")


def _first_outside(action: np.ndarray, space: Box) -> str:
    """Which number of an action is beyond which bound of the Box, and what serves."""
    index = tuple(np.argwhere(~((action >= space.low) & (action <= space.high)))[0].tolist())
    name = f"its element {', '.join(map(str, index))}" if index else "it"
    value, low, high = action[index], space.low[index], space.high[index]
    if np.isnan(value):
        return f", and {name} is not a number"
    beyond = f"above {high}" if value > high else f"below {low}"
    return f", and {name} is {value}, {beyond}; --clip-actions clips such actions, as numpy.clip does"


def _of_predict(policy: object) -> str:
    """How what has a ``predict``, as models of Stable-Baselines3 and its like do, becomes a callable."""
    if not hasattr(policy, "predict"):
        return ""
    return f"; {AS_CALLABLE} makes one of what has a predict"


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    shape = f" of shape {value.shape}" if isinstance(value, np.ndarray) else ""
    return f"{text if len(text) <= 80 else text[:77] + '...'}{shape} ({type(value).__name__})"
