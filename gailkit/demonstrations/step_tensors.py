"""The steps that are drawn from, as tensors ready for indexing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from torch import Tensor

from gailkit.errors import InputError
from gailkit.spaces import flatten_values, flattened_space, storage_dtype
from gailkit.types import Trajectory, Transitions


@dataclass(frozen=True)
class KeptSteps:
    """K steps that point into all observations and actions; a successor is the next row, so nothing is stored twice."""

    observations: Tensor  # (sum(L_i + 1), *obs)
    actions: Tensor  # (sum(L_i), *act)
    at_observation: Tensor  # (K,) int64, row of each step's observation
    at_action: Tensor  # (K,) int64, row of each step's action
    terminated: Tensor  # (K,) bool, whether the step ended its episode in a terminal state
    observation_dtype: torch.dtype  # of what is drawn
    action_dtype: torch.dtype

    @classmethod
    def of(
        cls,
        trajectories: Sequence[Trajectory],
        stride: int,
        offsets: Sequence[int],
        spaces: tuple[Space[Any] | None, Space[Any] | None],
    ) -> KeptSteps:
        """Steps offsets[i], offsets[i] + stride, ... of trajectory i; ``spaces`` of observations and of actions."""
        rows, terminated, start = [], [], 0
        for trajectory, offset in zip(trajectories, offsets, strict=True):
            steps = np.arange(offset, len(trajectory), stride)
            rows.append(start + steps)
            terminated.append((steps == len(trajectory) - 1) & trajectory.terminated)
            start += len(trajectory)
        episode = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
        at_action = np.concatenate(rows)
        return cls.assembled(
            np.concatenate([trajectory.observations for trajectory in trajectories]),
            np.concatenate([trajectory.actions for trajectory in trajectories]),
            at_action + episode,
            at_action,
            np.concatenate(terminated),
            spaces,
        )

    @classmethod
    def assembled(
        cls,
        observations: np.ndarray,
        actions: np.ndarray,
        at_observation: np.ndarray,
        at_action: np.ndarray,
        terminated: np.ndarray,
        spaces: tuple[Space[Any] | None, Space[Any] | None],
    ) -> KeptSteps:
        """From arrays of the shapes that the fields have, or in spaces that are flattened (``flatten_values``).

        Raises:
            InputError: for structured arrays of a space that is not known, or a number that is not in its set.
        """
        observed, acted = _tensor(observations, spaces[0]), _tensor(actions, spaces[1])
        return cls(
            observed,
            acted,
            torch.from_numpy(at_observation),
            torch.from_numpy(at_action),
            torch.from_numpy(terminated),
            _drawn_dtype(observed, spaces[0]),
            _drawn_dtype(acted, spaces[1]),
        )

    def __len__(self) -> int:
        return len(self.at_action)

    def __getitem__(self, index: Tensor) -> Transitions:
        """The steps at ``index`` (B,) int64, in that order."""
        row = self.at_observation.index_select(0, index)
        return Transitions(
            self.observations.index_select(0, row).to(self.observation_dtype),
            self.actions.index_select(0, self.at_action.index_select(0, index)).to(self.action_dtype),
            self.observations.index_select(0, row + 1).to(self.observation_dtype),
            self.terminated.index_select(0, index),
        )


def _tensor(values: np.ndarray, space: Space[Any] | None) -> Tensor:
    """Flat values: floating numbers as float32, integers as int64, uint8 (images) as it is."""
    if space is not None:
        values = flatten_values(space, values)
    elif values.dtype.names is not None:
        raise InputError(
            f"steps with the parts {', '.join(values.dtype.names)} can be drawn where their space is known; it is not"
        )
    dtype = np.float32 if values.dtype.kind == "f" else np.uint8 if values.dtype == np.uint8 else np.int64
    with np.errstate(over="ignore"):  # it is found out right below
        held = values.astype(dtype, copy=False)
    too_large = values > np.iinfo(np.int64).max if values.dtype == np.uint64 else ~np.isfinite(held)
    if np.any(too_large):
        raise InputError(f"a number is too large for {np.dtype(dtype)}, in which steps are drawn")
    return torch.from_numpy(held)


def _drawn_dtype(stored: Tensor, space: Space[Any] | None) -> torch.dtype:
    """What a rollout in ``space`` has; where the space is not known, what is stored."""
    return stored.dtype if space is None else torch.from_numpy(np.empty(0, storage_dtype(flattened_space(space)))).dtype
