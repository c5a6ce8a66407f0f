"""A policy in an ONNX file: a network that anybody exported from any library.

Nothing but the file is read, and what is in it are operators of the ONNX standard and numbers for them. Operators that
run others, in loops and choices, are refused. The rest is run once in a process of its own, on an observation of zeros:
what hangs, crashes or takes too much memory does so there. Later calls are bounded in memory, and not in time: a model
whose work grows with the numbers in an observation can still hang.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Discrete

from gailkit.errors import InputError
from gailkit.experts.onnx_model import NUMBERS, brief, content_of, session_of
from gailkit.experts.onnx_trial import try_out
from gailkit.spaces import clip_to_space
from gailkit.types import Policy

NAMED = ("action", "actions")


def onnx_policy(path: Path, observation_space: Space[Any], action_space: Space[Any]) -> Policy:
    """The policy in the ONNX model at ``path``: one input (B, *obs), B of any size or 1, and the actions as an output.

    The output is the one called action or actions, else the first. For Discrete actions it holds scores (B, A), of
    which the best is taken, or the actions themselves, whole numbers (B,); for a Box actions (B, *act), which are
    clipped.

    Raises:
        InputError: if the extra ``gailkit[onnx]`` is not installed, the model reads other files, uses operators of
            its own or ones that run others, or does not fit the spaces, printing both shapes; when the policy runs, if
            it returns no number.
        DataError: if the file is damaged, or takes too much memory or time to run.
    """
    network = _Network(path, _session(path, observation_space.shape or ()), observation_space)
    outputs = network(np.zeros((1, *(observation_space.shape or ())), observation_space.dtype))
    _check_output(path, outputs, action_space)
    if isinstance(action_space, Discrete):
        return lambda observations: _choices(path, network(observations), action_space)
    return lambda observations: clip_to_space(action_space, network(observations))


def _session(path: Path, shape: tuple[int, ...]) -> Any:
    """An onnxruntime session of the model in ``path``, which has been tried out on an observation of ``shape``."""
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{path} needs a package that is not installed: pip install 'gailkit[onnx]'")
    content = content_of(path)
    try_out(path, content, shape)
    return session_of(path, content)


class _Network:
    """Observations (N, *obs) to the output (N, ...) that means actions."""

    def __init__(self, path: Path, session: Any, space: Space[Any]) -> None:
        self.path = path
        self.session = session
        inputs = session.get_inputs()
        found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs) or "none"
        expected = f"accepted is one input of numbers of shape {['B', *(space.shape or ())]}"
        if len(inputs) != 1 or inputs[0].type not in NUMBERS or not _fits(inputs[0].shape, space.shape or ()):
            raise InputError(f"{path} has the inputs {found}; {expected}, B being 1 or any number")
        self.input, self.dtype = inputs[0].name, NUMBERS[inputs[0].type]
        self.one_by_one = inputs[0].shape[0] == 1
        names = [output.name for output in session.get_outputs()]
        self.output = next((name for name in names if name in NAMED), names[0])

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        rows = np.ascontiguousarray(observations, dtype=self.dtype)
        if self.one_by_one:
            return np.concatenate([self._run(rows[index : index + 1]) for index in range(len(rows))])
        return self._run(rows)

    def _run(self, rows: np.ndarray) -> np.ndarray:
        try:
            (values,) = self.session.run([self.output], {self.input: rows})
        except Exception as error:  # the library declares no base of what it raises
            raise InputError(f"{self.path} failed for observations of shape {rows.shape}: {brief(error)}") from error
        found = np.asarray(values)
        if found.ndim < 1 or len(found) != len(rows):
            raise InputError(
                f"{self.path} returned {found.shape} for {len(rows)} observations; accepted is one row each"
            )
        return found


def _fits(declared: list[Any], shape: tuple[int, ...]) -> bool:
    """Whether a declared shape, in which names and None stand for any size, is that of rows of ``shape``."""
    if len(declared) != 1 + len(shape) or (isinstance(declared[0], int) and declared[0] != 1):
        return False
    return all(not isinstance(size, int) or size == own for size, own in zip(declared[1:], shape, strict=True))


def _check_output(path: Path, outputs: np.ndarray, space: Space[Any]) -> None:
    kind, shape = outputs.dtype.kind, outputs.shape[1:]
    if isinstance(space, Discrete):
        fitting = (kind in "iu" and shape == ()) or (kind == "f" and shape == (int(space.n),))
        accepted = f"scores of shape ['B', {space.n}] or whole numbers of shape ['B']"
    else:
        fitting = kind == "f" and shape == space.shape
        accepted = f"numbers of shape {['B', *(space.shape or ())]}"
    if not fitting:
        raise InputError(
            f"{path} returns {outputs.dtype} of shape {['B', *shape]} as actions of {space}; accepted are {accepted}"
        )


def _choices(path: Path, outputs: np.ndarray, space: Discrete[Any]) -> np.ndarray:
    """Scores (N, A) or actions (N,) to actions (N,) of the space."""
    if outputs.ndim == 2:
        if np.isnan(outputs).any():
            raise InputError(f"{path} returned a score that is not a number (NaN)")
        best: np.ndarray = outputs.argmax(axis=1) + int(space.start)
        return best
    outside = (outputs < space.start) | (outputs >= space.start + space.n)
    if outside.any():
        raise InputError(f"{path} returned the action {outputs[outside][0]}; an action must be in {space}")
    return outputs
