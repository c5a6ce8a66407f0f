"""The steps that are drawn from, as tensors ready for indexing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gailkit.types import Trajectory, Transitions


@dataclass(frozen=True)
class KeptSteps:
    """K steps that point into all observations and actions; a successor is the next row, so nothing is stored twice."""

    observations: Tensor  # (sum(L_i + 1), *obs)
    actions: Tensor  # (sum(L_i), *act)
    at_observation: Tensor  # (K,) int64, row of each step's observation
    at_action: Tensor  # (K,) int64, row of each step's action
    terminated: Tensor  # (K,) bool, whether the step ended its episode in a terminal state

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory], stride: int, offsets: Sequence[int]) -> KeptSteps:
        """Steps offsets[i], offsets[i] + stride, ... of trajectory i."""
        rows, terminated, start = [], [], 0
        for trajectory, offset in zip(trajectories, offsets, strict=True):
            steps = np.arange(offset, len(trajectory), stride)
            rows.append(start + steps)
            terminated.append((steps == len(trajectory) - 1) & trajectory.terminated)
            start += len(trajectory)
        episode = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
        at_action = np.concatenate(rows)
        return cls(
            _tensor([trajectory.observations for trajectory in trajectories]),
            _tensor([trajectory.actions for trajectory in trajectories]),
            torch.from_numpy(at_action + episode),
            torch.from_numpy(at_action),
            torch.from_numpy(np.concatenate(terminated)),
        )

    def __len__(self) -> int:
        return len(self.at_action)

    def __getitem__(self, index: Tensor) -> Transitions:
        """The steps at ``index`` (B,) int64, in that order."""
        row = self.at_observation.index_select(0, index)
        return Transitions(
            self.observations.index_select(0, row),
            self.actions.index_select(0, self.at_action.index_select(0, index)),
            self.observations.index_select(0, row + 1),
            self.terminated.index_select(0, index),
        )


def _tensor(parts: list[np.ndarray]) -> Tensor:
    """The parts one after another: floating numbers as float32, integers as int64, uint8 (images) as it is."""
    values = np.concatenate(parts)
    dtype = np.float32 if values.dtype.kind == "f" else np.uint8 if values.dtype == np.uint8 else np.int64
    return torch.from_numpy(values.astype(dtype, copy=False))
