"""The steps that are drawn from, without a copy of them: what is drawn is made ready when it is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.demonstrations.joined_episodes import rows_in_common
from gailkit.errors import InputError
from gailkit.memory import blocks
from gailkit.spaces import Stacking, flatten_values, flattened_space, rows_before, storage_dtype
from gailkit.types import Trajectory, Transitions, Walks, finite
from gailkit.windows import Before

Spaces = tuple[Space[Any] | None, Space[Any] | None]
"""Of observations and of actions; None where it is not known."""


@dataclass(frozen=True)
class KeptSteps:
    """K steps that point into all observations and actions; a successor is the next row, so nothing is stored twice."""

    observations: np.ndarray  # (rows, *obs), in whatever numbers they are held
    actions: np.ndarray  # (rows, *act), likewise
    at_observation: np.ndarray  # (K,) int64, row of each step's observation
    at_action: np.ndarray  # (K,) int64, row of each step's action
    terminated: np.ndarray  # (K,) bool, whether the step ended its episode in a terminal state
    begun: np.ndarray  # (K,) int64, row of the first observation of each step's episode
    observation_dtype: np.dtype[Any]  # of what is drawn
    action_dtype: np.dtype[Any]
    stacking: Stacking | None = None  # of the last observations, where more than one are drawn

    @classmethod
    def of(
        cls,
        trajectories: Sequence[Trajectory],
        stride: int,
        offsets: Sequence[int],
        spaces: Spaces,
        frames: int = 1,
    ) -> KeptSteps:
        """Steps offsets[i], offsets[i] + stride, ... of trajectory i.

        Of more ``frames`` than one, what is drawn of a step are so many of the last observations of its trajectory,
        whether or not their own steps are kept (``spaces.stacking``).

        The trajectories are copied only where they are not rows of one array, as those of a native file are, or where
        their spaces have several parts, which are drawn flat.

        Raises:
            InputError: as ``assembled``.
        """
        observations, seen = _held([trajectory.observations for trajectory in trajectories], spaces[0])
        actions, done = _held([trajectory.actions for trajectory in trajectories], spaces[1])
        at_observation, at_action, terminated, begun = [], [], [], []
        for trajectory, offset, first, first_action in zip(trajectories, offsets, seen, done, strict=True):
            steps = np.arange(offset, len(trajectory), stride)
            at_observation.append(first + steps)
            at_action.append(first_action + steps)
            terminated.append((steps == len(trajectory) - 1) & trajectory.terminated)
            begun.append(np.full(len(steps), first))
        stacking = None if frames == 1 else _stacking(spaces[0], frames)
        return cls(
            observations,
            actions,
            np.concatenate(at_observation),
            np.concatenate(at_action),
            np.concatenate(terminated),
            np.concatenate(begun),
            _drawn_dtype(observations, spaces[0] if stacking is None else stacking.space),
            _drawn_dtype(actions, spaces[1]),
            stacking,
        )

    @classmethod
    def assembled(
        cls,
        observations: np.ndarray,
        actions: np.ndarray,
        at_observation: np.ndarray,
        at_action: np.ndarray,
        terminated: np.ndarray,
        spaces: Spaces,
    ) -> KeptSteps:
        """From arrays of the shapes that the fields have, or in spaces that are flattened (``flatten_values``).

        Of their episodes nothing is known but what the steps say.

        Raises:
            InputError: for structured arrays of a space that is not known, or a number that is not in its set.
        """
        (observed, _), (acted, _) = _held([observations], spaces[0]), _held([actions], spaces[1])
        dtypes = _drawn_dtype(observed, spaces[0]), _drawn_dtype(acted, spaces[1])
        return cls(observed, acted, at_observation, at_action, terminated, at_observation, *dtypes)

    def __len__(self) -> int:
        return len(self.at_action)

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    @property
    def num_bytes(self) -> int:
        """What they take as tensors."""
        frames = 1 if self.stacking is None else self.stacking.frames
        rows = len(self.observations) if self.stacking is None else 2 * frames * len(self)
        seen = rows * self.observations[:1].size * self.observation_dtype.itemsize
        return seen + self.actions.size * self.action_dtype.itemsize + len(self) * (4 * 8 + 1)  # four rows, terminated

    def as_tensors(self) -> tuple[Tensor, Tensor]:
        """Observations (rows, *obs), at ``observation_rows``, and actions (rows, *act), in the types of what is drawn.

        Several observations that are drawn as one are put together, of every step and of what followed it.
        """
        actions = torch.from_numpy(self.actions.astype(self.action_dtype))
        if self.stacking is None:
            return torch.from_numpy(self.observations.astype(self.observation_dtype)), actions
        return torch.cat([self._observed(slice(None), later) for later in (0, 1)]), actions

    def observation_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the K steps' observations are among those of ``as_tensors``, and those after them, each (K,) int64."""
        if self.stacking is None:
            return self.at_observation, self.at_observation + 1
        return np.arange(len(self)), np.arange(len(self)) + len(self)

    def __getitem__(self, index: Tensor) -> Transitions:
        """The steps at ``index`` (B,) int64, in that order."""
        return Transitions(
            self.observations_at(index),
            self.actions_at(index),
            self._observed(index.numpy(), 1),
            torch.from_numpy(self.terminated[index.numpy()]),
        )

    def in_windows(self, index: Tensor, window: int) -> Transitions:
        """The steps at ``index`` (B,) int64, in that order, each with the ``window`` - 1 before it in its episode,
        whether or not these are kept."""
        if window == 1:
            return self[index]
        at, begun = index.numpy(), np.repeat(self.begun[index.numpy()], window - 1)
        seen, done = (rows_before_each(rows[at], window) for rows in (self.at_observation, self.at_action))
        there = seen >= begun
        seen, done = np.maximum(seen, begun), np.where(there, done, self.at_action[:1])
        pool = replace(self, at_observation=seen, at_action=done, terminated=np.zeros(len(seen), bool), begun=begun)
        held = pool[torch.arange(len(pool))]
        rows = np.where(there, np.arange(len(there)), -1).reshape(len(at), window - 1)
        return replace(self[index], before=Before(held.obs, held.act, held.next_obs, torch.from_numpy(rows)))

    def observations_at(self, index: Tensor) -> Tensor:
        """Observations (B, *obs) of the steps at ``index`` (B,) int64, in that order."""
        return self._observed(index.numpy())

    def actions_at(self, index: Tensor) -> Tensor:
        """Actions (B, *act) of the steps at ``index`` (B,) int64, in that order."""
        return _drawn(self.actions, self.at_action[index.numpy()], self.action_dtype)

    def in_blocks(self) -> Iterator[Tensor]:
        """The observations of all steps in their order, some at a time."""
        frames = 1 if self.stacking is None else self.stacking.frames
        for block in blocks(len(self), frames * self.observations[:1].size):
            yield self._observed(block)

    def walks(self) -> Walks:
        """The episodes as one goes through them, from their first observation to their last kept step."""
        episodes, episode = np.unique(self.begun, return_inverse=True)
        last = np.full(len(episodes), -1)
        np.maximum.at(last, episode, self.at_observation)
        lengths = last + 1 - episodes
        starts = np.cumsum(lengths) - lengths
        pair, places = np.full(int(lengths.sum()), -1), starts[episode] + self.at_observation - self.begun
        pair[places] = np.arange(len(self))
        rows = np.arange(len(pair)) + np.repeat(episodes - starts, lengths)
        begun = np.repeat(episodes, lengths)
        observed = replace(self, at_observation=rows, begun=begun)
        return Walks(observed.observations_at, *map(torch.from_numpy, (lengths, pair, places)))

    def steps_in_blocks(self) -> Iterator[Transitions]:
        """All steps in their order, some at a time."""
        for block in blocks(len(self), 2 * self.observations[:1].size):
            yield self[torch.arange(block.start, block.stop)]

    def chosen(self, index: Tensor) -> KeptSteps:
        """Those at ``index`` (K',) int64 alone, in that order."""
        at = index.numpy()
        rows = {name: getattr(self, name)[at] for name in ("at_observation", "at_action", "terminated", "begun")}
        return replace(self, **rows)

    def _observed(self, index: np.ndarray | slice, later: int = 0) -> Tensor:
        """What is observed in the steps at ``index``, or so many steps ``later``: (B, *obs)."""
        rows = self.at_observation[index] + later
        if self.stacking is None:
            return _drawn(self.observations, rows, self.observation_dtype)
        last = np.take(self.observations, rows_before(rows, self.begun[index], self.stacking.frames), axis=0)
        return torch.from_numpy(self.stacking.stacked(last).astype(self.observation_dtype, copy=False))


def rows_before_each(rows: np.ndarray, window: int) -> np.ndarray:
    """The ``window`` - 1 rows before each of ``rows`` (B,), the first first, one behind the other."""
    before: np.ndarray = (rows[:, np.newaxis] + np.arange(1 - window, 0)).reshape(-1)
    return before


def _held(arrays: Sequence[np.ndarray], space: Space[Any] | None) -> tuple[np.ndarray, np.ndarray]:
    """One array that holds the rows of all ``arrays``, flat, and the row (N,) int64 at which each of them begins."""
    starts = np.cumsum([0, *(len(values) for values in arrays[:-1])])
    if space is not None and not isinstance(space, Box | Discrete):
        return _flattened(arrays, starts, space), starts
    if arrays[0].dtype.names is not None:
        raise InputError(
            f"steps with the parts {', '.join(arrays[0].dtype.names)} can be drawn where their space is "
            "known; it is not"
        )
    for values in arrays:
        for block in blocks(len(values), values[:1].size):
            _check_magnitude(values[block])
    return rows_in_common(arrays) or (np.concatenate(arrays), starts)


def _flattened(arrays: Sequence[np.ndarray], starts: np.ndarray, space: Space[Any]) -> np.ndarray:
    """The rows of all ``arrays`` (sum(len), size), flat; each array begins at its start."""
    drawn = flattened_space(space)
    flat = np.empty((sum(map(len, arrays)), *(drawn.shape or ())), storage_dtype(drawn))
    for start, values in zip(starts.tolist(), arrays, strict=True):
        for block in blocks(len(values), flat[:1].size):
            own = flatten_values(space, values[block])
            _check_magnitude(own)
            flat[start + block.start : start + block.stop] = own
    return flat


def _check_magnitude(values: np.ndarray) -> None:
    held = _held_dtype(values)
    with np.errstate(over="ignore"):  # it is found out right below
        fits = finite(values.astype(held, copy=False)) if held.kind == "f" else True
    if not fits or (values.dtype == np.uint64 and bool((values > np.iinfo(np.int64).max).any())):
        raise InputError(f"a number is too large for {held}, in which steps are drawn")


def _drawn(values: np.ndarray, rows: np.ndarray, dtype: np.dtype[Any]) -> Tensor:
    return torch.from_numpy(np.take(values, rows, axis=0).astype(dtype, copy=False))


def _stacking(space: Space[Any] | None, frames: int) -> Stacking:
    if space is None:
        raise InputError(
            "the last observations of an episode can be drawn as one where their space is known; it is not"
        )
    return Stacking(flattened_space(space), frames)


def _held_dtype(values: np.ndarray) -> np.dtype[Any]:
    """Floating numbers as float32, integers as int64, uint8 (images) as it is."""
    return np.dtype(np.float32 if values.dtype.kind == "f" else np.uint8 if values.dtype == np.uint8 else np.int64)


def _drawn_dtype(values: np.ndarray, space: Space[Any] | None) -> np.dtype[Any]:
    """What a rollout in ``space`` has; where the space is not known, that of the numbers themselves."""
    return _held_dtype(values) if space is None else np.dtype(storage_dtype(flattened_space(space)))
