"""A policy in an ONNX file: a network that anybody exported from any library.

Nothing but the file is read, and what is in it are operators of the ONNX standard and numbers for them. Operators that
run others, in loops and choices, are refused. The rest is run once in a process of its own, on an observation of zeros:
what hangs, crashes or takes too much memory does so there. Later calls are bounded in memory, and not in time: a model
whose work grows with the numbers in an observation can still hang.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from gailkit.errors import InputError
from gailkit.experts.onnx_looking_back import NEXT_STATE, STATE, LookingBack, frames_of, state_size_of
from gailkit.experts.onnx_model import NUMBERS, content_of, first_line, session_of
from gailkit.experts.onnx_trial import try_out
from gailkit.importing import require
from gailkit.spaces import (
    Flat,
    Stacking,
    array_dtype,
    brief,
    clip_to_space,
    flatten_values,
    flattened_space,
    is_composite,
    leaf,
    leaves,
    unflatten_values,
)
from gailkit.types import Policy

NAMED = ("action", "actions")


def onnx_policy(path: Path, observation_space: Space[Any], action_space: Space[Any]) -> Policy:
    """The policy in the ONNX model at ``path``: one input (B, *obs), B of any size or 1, and the actions as an output.

    Where ``observation_space`` has parts, the model has an input for each, called as the part is (one within another
    "outer/inner"; a Discrete part is whole numbers (B,)), or a single one for the vector (B, size) that Gymnasium's
    ``flatten`` makes of them. In either case the policy is asked about values of ``flattened_space``.

    A file that ``gailkit.exporting`` made of a policy that looks back is one that does (``onnx_looking_back``): it
    takes several observations as one, or a second input ``state``.

    The output is the one called action or actions, else the first. For Discrete actions it holds scores (B, A), of
    which the best is taken, or the actions themselves, whole numbers (B,); for a Box actions (B, *act), which are
    clipped.

    Raises:
        InputError: if the extra ``gailkit[onnx]`` is not installed, the model reads other files, uses operators of
            its own or ones that run others, or does not fit the spaces, printing both shapes; when the policy runs, if
            it returns no number.
        DataError: if the file is damaged, or takes too much memory or time to run.
    """
    session = _session(path, observation_space)
    stacking = Stacking(flattened_space(observation_space), frames_of(path, session))
    size = state_size_of(path, session)
    network = _Network(path, session, observation_space if stacking.frames == 1 else stacking.space, size)
    zeros = stacking.stacked(stacking.begun(_zeros(observation_space)))
    _check_output(path, network.follow(zeros, np.zeros((1, size), np.float32))[0], action_space)
    actions = partial(_actions_of, path=path, space=action_space, flat=flattened_space(action_space))
    if stacking.frames > 1 or size:
        return LookingBack(path, stacking, size, network.follow, actions)
    return lambda observations: actions(network.follow(observations, np.zeros((len(observations), 0)))[0])


def _actions_of(outputs: np.ndarray, path: Path, space: Space[Any], flat: Space[Any]) -> np.ndarray:
    """Actions (N, *act) of ``flat``, the ``flattened_space`` of ``space``, out of what the network returned."""
    if isinstance(space, Discrete):
        return _choices(path, outputs, space)
    return _parts_of(outputs, flat) if isinstance(flat, Flat) else clip_to_space(space, outputs)


def check_installed(path: Path) -> None:
    """Raise InputError, with the command that installs them, unless the packages are here that run ONNX models."""
    require(str(path), "onnx", "onnx", "onnxruntime")


def _session(path: Path, space: Space[Any]) -> Any:
    """An onnxruntime session of the model in ``path``, which has been tried out on an observation of zeros."""
    check_installed(path)
    content = content_of(path)
    shapes = {name: part.shape or () for name, part in _parts(space).items()}
    try_out(path, content, flattened_space(space).shape or (), shapes)
    return session_of(path, content)


def _parts(space: Space[Any]) -> dict[str, Space[Any]]:
    """The parts that an input may be called by; none where the observation has no parts."""
    return {"/".join(path): part for path, part in leaves(space)} if is_composite(space) else {}


def _zeros(space: Space[Any]) -> np.ndarray:
    """The first element (1, ...) of each set, and zeros of everything else, flattened."""
    values = np.zeros(1, array_dtype(space))
    for path, part in leaves(space):
        if isinstance(part, Discrete | MultiDiscrete):
            leaf(values, path)[...] = part.start
    return flatten_values(space, values)


class _Network:
    """Observations (N, *obs), flattened, to the output (N, ...) that means actions; and states to the next ones."""

    def __init__(self, path: Path, session: Any, space: Space[Any], state_size: int) -> None:
        """``state_size`` is 0 where it has no states."""
        self.path, self.session, self.space = path, session, space
        self.state_size = state_size
        inputs = [each for each in session.get_inputs() if not (state_size and each.name == STATE)]
        parts = _parts(space)
        self.in_parts = bool(parts) and {each.name for each in inputs} == parts.keys()
        flat = flattened_space(space)
        wanted = {each.name: parts[each.name] if self.in_parts else flat for each in inputs}
        fitting = all(
            each.type in NUMBERS and _fits(each.shape, wanted[each.name].shape or ()) for each in inputs
        ) and (self.in_parts or len(inputs) == 1)
        if not fitting:
            found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs) or "none"
            several = f", or one for each of {', '.join(parts)}" if parts else ""
            raise InputError(
                f"{path} has the inputs {found}; accepted is one input of numbers of shape "
                f"{['B', *(flat.shape or ())]}{several}, B being 1 or any number"
            )
        self.dtypes = {each.name: NUMBERS[each.type] for each in inputs}
        self.one_by_one = any(each.shape[0] == 1 for each in inputs)
        names = [output.name for output in session.get_outputs()]
        self.outputs = [next((name for name in names if name in NAMED), names[0]), *[NEXT_STATE] * bool(state_size)]

    def follow(self, observations: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Outputs (N, ...) and the states (N, M) after them, M being 0 where it has none."""
        fed = {**self._fed(observations), **({STATE: states} if self.state_size else {})}
        runs = [slice(i, i + 1) for i in range(len(observations))] if self.one_by_one else [slice(None)]
        found = [self._run({name: part[run] for name, part in fed.items()}) for run in runs]
        outputs, *after = (np.concatenate(each) for each in zip(*found, strict=True))
        return outputs, after[0] if after else states

    def _fed(self, observations: np.ndarray) -> dict[str, np.ndarray]:
        """What each input gets, (N, *shape)."""
        given = dict.fromkeys(self.dtypes, observations)
        if self.in_parts:
            values = unflatten_values(self.space, observations)
            given = {"/".join(path): leaf(values, path) for path, _ in leaves(self.space)}
        return {name: np.ascontiguousarray(given[name], dtype=dtype) for name, dtype in self.dtypes.items()}

    def _run(self, fed: dict[str, np.ndarray]) -> list[np.ndarray]:
        rows = next(iter(fed.values()))
        try:
            returned = self.session.run(self.outputs, fed)
        except Exception as error:  # the library declares no base of what it raises
            raise InputError(
                f"{self.path} failed for observations of shape {rows.shape}: {first_line(error)}"
            ) from error
        found = [np.asarray(values) for values in returned]
        for values in found:
            if values.ndim < 1 or len(values) != len(rows):
                raise InputError(
                    f"{self.path} returned {values.shape} for {len(rows)} observations; accepted is one row each"
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
    elif not isinstance(space, Box):
        flat, whole = flattened_space(space).shape or (), None if is_composite(space) else space.shape
        fitting = (kind == "f" and shape == flat) or (kind in "iu" and shape == whole)
        accepted = f"numbers of shape {['B', *flat]}, the best of each set and bits above 0.5 being taken"
        accepted += "" if whole is None else f", or whole numbers of shape {['B', *whole]}"
    else:
        fitting = kind == "f" and shape == space.shape
        accepted = f"numbers of shape {['B', *(space.shape or ())]}"
    if not fitting:
        raise InputError(
            f"{path} returns {outputs.dtype} of shape {['B', *shape]} as actions of {brief(space)}; "
            f"accepted are {accepted}"
        )


def _parts_of(outputs: np.ndarray, space: Flat) -> np.ndarray:
    """Scores and numbers (N, size), or whole numbers (N, ...), to flat actions (N, size)."""
    if outputs.dtype.kind in "iu":
        return flatten_values(space, outputs)
    if not np.isfinite(outputs).all():
        raise InputError("an ONNX policy returned a number that is not finite (NaN or infinity)")
    actions = outputs.copy()
    for columns in space.sets:
        scores = outputs[:, columns]
        actions[:, columns] = scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])
    actions[:, space.bits] = outputs[:, space.bits] > 0.5
    return clip_to_space(space, actions)


def _choices(path: Path, outputs: np.ndarray, space: Discrete[Any]) -> np.ndarray:
    """Scores (N, A) or actions (N,) to actions (N,) of the space."""
    if outputs.ndim == 2:
        if np.isnan(outputs).any():
            raise InputError(f"{path} returned a score that is not a number (NaN)")
        best: np.ndarray = outputs.argmax(axis=1) + int(space.start)
        return best
    outside = (outputs < space.start) | (outputs >= space.start + space.n)
    if outside.any():
        raise InputError(f"{path} returned the action {outputs[outside][0]}; an action must be in {brief(space)}")
    return outputs
