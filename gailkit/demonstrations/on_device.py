"""Steps to be drawn from on a device: sent there once, or batch by batch where they would not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from gailkit.demonstrations.step_tensors import KeptSteps
from gailkit.devices import free_memory
from gailkit.memory import blocks
from gailkit.types import Transitions, Walks
from gailkit.windows import Before

SHARE = 0.5  # of the free memory of a device that demonstrations may take


class Steps(Protocol):
    """K steps, to be looked at some at a time; what is given out is on the device that the numbers asked for are on."""

    @property
    def device(self) -> torch.device:
        """Where it is."""

    def __len__(self) -> int:
        """K."""

    def __getitem__(self, index: Tensor) -> Transitions:
        """The steps at ``index`` (B,) int64, in that order."""

    def in_windows(self, index: Tensor, window: int) -> Transitions:
        """The steps at ``index`` (B,) int64, in that order, each with the ``window`` - 1 before it in its episode,
        whether or not these are kept."""

    def observations_at(self, index: Tensor) -> Tensor:
        """Observations (B, *obs) of the steps at ``index`` (B,) int64, in that order."""

    def actions_at(self, index: Tensor) -> Tensor:
        """Actions (B, *act) of the steps at ``index`` (B,) int64, in that order."""

    def in_blocks(self) -> Iterator[Tensor]:
        """The observations of all steps in their order, some at a time."""

    def steps_in_blocks(self) -> Iterator[Transitions]:
        """All steps in their order, some at a time."""

    def walks(self) -> Walks:
        """The episodes as one goes through them, from their first observation to their last kept step."""


def steps_on(device: torch.device, kept: KeptSteps) -> Steps:
    """``kept`` as steps on ``device``: on the CPU as they are, elsewhere sent there once where SHARE has room."""
    if device.type == "cpu":
        return kept
    if kept.num_bytes > SHARE * free_memory(device):
        return SentSteps(kept, device)
    observations, actions = kept.as_tensors()
    rows = (*kept.observation_rows(), kept.at_action, kept.terminated, kept.begun)
    seen, following, acted, ended, begun = (torch.from_numpy(each).to(device) for each in rows)
    return MovedSteps(observations.to(device), actions.to(device), seen, following, acted, ended, begun, kept)


@dataclass(frozen=True)
class MovedSteps:
    """All of them on a device; the fields are those of ``KeptSteps``."""

    observations: Tensor  # (rows, *obs)
    actions: Tensor  # (rows, *act)
    at_observation: Tensor  # (K,) int64
    at_following: Tensor  # (K,) int64, row of what was observed after each step
    at_action: Tensor  # (K,) int64
    terminated: Tensor  # (K,) bool
    begun: Tensor  # (K,) int64, of the rows that are held where nothing is stacked
    kept: KeptSteps  # where they come from

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.terminated.device

    def __len__(self) -> int:
        return len(self.terminated)

    def __getitem__(self, index: Tensor) -> Transitions:
        following = self.observations[self.at_following[index]]
        return Transitions(self.observations_at(index), self.actions_at(index), following, self.terminated[index])

    def in_windows(self, index: Tensor, window: int) -> Transitions:
        """As ``Steps``; where several observations are drawn as one, those before are sent when they are drawn."""
        if window == 1:
            return self[index]
        if self.kept.stacking is not None:
            return self.kept.in_windows(index.cpu(), window).to(self.device)
        seen, done = (rows[index, None] + self._back(window) for rows in (self.at_observation, self.at_action))
        there = seen >= self.begun[index, None]
        seen, done = (torch.where(there, rows, 0).flatten() for rows in (seen, done))
        rows = torch.where(there, torch.arange(len(seen), device=self.device).reshape(there.shape), -1)
        before = Before(self.observations[seen], self.actions[done], self.observations[seen + 1], rows)
        return replace(self[index], before=before)

    def _back(self, window: int) -> Tensor:
        return torch.arange(1 - window, 0, device=self.device)

    def observations_at(self, index: Tensor) -> Tensor:
        """As ``Steps``."""
        return self.observations[self.at_observation[index]]

    def actions_at(self, index: Tensor) -> Tensor:
        """As ``Steps``."""
        return self.actions[self.at_action[index]]

    def in_blocks(self) -> Iterator[Tensor]:
        """As ``Steps``."""
        for block in blocks(len(self), self.observations[:1].numel()):
            yield self.observations[self.at_observation[block]]

    def steps_in_blocks(self) -> Iterator[Transitions]:
        """As ``Steps``."""
        for block in blocks(len(self), 2 * self.observations[:1].numel()):
            yield self[torch.arange(block.start, block.stop, device=self.device)]

    def walks(self) -> Walks:
        """As ``Steps``; their observations are sent when they are asked for."""
        return _sent_walks(self.kept, self.device)


@dataclass(frozen=True)
class SentSteps:
    """They stay where they are, and what is asked for is sent to the device."""

    kept: KeptSteps
    device: torch.device

    def __len__(self) -> int:
        return len(self.kept)

    def __getitem__(self, index: Tensor) -> Transitions:
        return self.kept[index.cpu()].to(self.device)

    def in_windows(self, index: Tensor, window: int) -> Transitions:
        """As ``Steps``."""
        return self.kept.in_windows(index.cpu(), window).to(self.device)

    def observations_at(self, index: Tensor) -> Tensor:
        """As ``Steps``."""
        return self.kept.observations_at(index.cpu()).to(self.device)

    def actions_at(self, index: Tensor) -> Tensor:
        """As ``Steps``."""
        return self.kept.actions_at(index.cpu()).to(self.device)

    def in_blocks(self) -> Iterator[Tensor]:
        """As ``Steps``."""
        return (block.to(self.device) for block in self.kept.in_blocks())

    def steps_in_blocks(self) -> Iterator[Transitions]:
        """As ``Steps``."""
        return (block.to(self.device) for block in self.kept.steps_in_blocks())

    def walks(self) -> Walks:
        """As ``Steps``."""
        return _sent_walks(self.kept, self.device)


def _sent_walks(kept: KeptSteps, device: torch.device) -> Walks:
    walks = kept.walks()

    def observations_at(index: Tensor) -> Tensor:
        return walks.observations_at(index.cpu()).to(device)

    return Walks(observations_at, *(each.to(device) for each in (walks.lengths, walks.pair, walks.places)))
