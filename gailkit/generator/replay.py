"""The last steps of a run, to be learned from again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from torch import Tensor

from gailkit.devices import free_memory
from gailkit.errors import InputError
from gailkit.spaces import storage_dtype
from gailkit.types import Replayed, Rollout
from gailkit.windows import Lead

FIELDS = ("obs", "act", "next_obs", "terminated", "truncated", "begins")


def check_fits(size: int, observation_space: Space[Any], action_space: Space[Any], device: torch.device) -> None:
    """Raise InputError if a replay of so many steps, once it is full, does not fit into the memory of ``device``."""
    observation, action = (_bytes(space) for space in (observation_space, action_space))
    needed, free = size * (2 * observation + action + 3), free_memory(device)
    if needed > free:
        raise InputError(
            f"a replay of {size:,} steps takes {needed / 1e6:,.0f} MB of memory, and {free / 1e6:,.0f} MB are free"
        )


def _bytes(space: Space[Any]) -> int:
    return int(np.prod(space.shape or ())) * np.dtype(storage_dtype(space)).itemsize


class Replay:
    """A ring of the last steps of N environments. Lin 1992.

    What it gives out are copies, of the types that the rollouts had: images stay bytes.
    """

    def __init__(self, size: int) -> None:
        """``size`` is how many steps, of all environments together, are kept; rounded up to whole rows of these."""
        self.size = size
        self.earlier = 0  # how many steps before those that are drawn are given out too
        self.rows = 0  # that were added, each a step in all N environments
        self._ring: dict[str, Tensor] = {}  # each (capacity, N, ...); row t lies at t modulo the capacity

    def __len__(self) -> int:
        """How many steps it holds."""
        return min(self.rows, self._capacity) * self._num_envs if self._ring else 0

    def add(self, rollout: Rollout) -> None:
        """Take in a rollout, over the oldest steps where there is no room left."""
        if not self._ring:
            self._allocate(rollout)
        places = self._arange(self.rows, self.rows + len(rollout.terminated)) % self._capacity
        for name in FIELDS:
            self._ring[name][places] = getattr(rollout, name)[-self._capacity :]
        self.rows += len(rollout.terminated)

    def draw(self, count: int, length: int = 1, share: float = 1.0) -> Replayed:
        """Runs of ``length`` successive steps of one environment, ``count`` of them at random: (length, count).

        Each possible start in the newest ``share`` of the steps is drawn alike, with replacement. A run may go on into
        the next episode. What was before a run is there too, or it had not been: no run starts where it is forgotten.
        """
        oldest, held = self.rows - min(self.rows, self._capacity), max(self._newest(share), length)
        first = max(self.rows - held, min(oldest + self.earlier, self.rows - length) if oldest else 0)
        start = first + torch.randint(self.rows - first - length + 1, (count,), device=self._device)
        rows = start + self._arange(-self.earlier, length).unsqueeze(-1)
        environment = torch.randint(self._num_envs, (count,), device=self._device).expand(len(rows), count)
        place = (rows.clamp(min=oldest) % self._capacity, environment)
        parts = {name: self._ring[name][place] for name in FIELDS}
        begins, steps = parts.pop("begins") | (rows <= oldest), {n: v[self.earlier :] for n, v in parts.items()}
        steps["truncated"] |= self._lost(rows[self.earlier :], environment[0]) & ~steps["terminated"]
        before = [parts[name][: self.earlier] for name in ("obs", "act", "next_obs")]
        lead = Lead(before[0], before[1], before[2], begins) if self.earlier else None
        numbers = (rows * self._num_envs + environment)[self.earlier :]
        return Replayed(**steps, numbers=numbers, lead=lead)

    def num_steps(self, share: float = 1.0) -> int:
        """How many steps the newest ``share`` of those that it holds are."""
        return self._newest(share) * self._num_envs

    def num_terminated(self, share: float = 1.0) -> int:
        """How many of them terminated."""
        places = self._arange(self.rows - self._newest(share), self.rows) % self._capacity
        return int(self._ring["terminated"][places].sum())

    def state_dict(self) -> dict[str, Any]:
        """All that it holds: the ring itself, no copy of it, in which row t lies at t modulo its length."""
        return {"rows": self.rows, "ring": dict(self._ring)}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device | None = None) -> None:
        """Go on from what ``state_dict`` returned, on ``device`` where it is given."""
        self.rows, self._ring = (
            state["rows"],
            {name: state["ring"][name].to(device) for name in FIELDS if state["ring"]},
        )

    def _lost(self, rows: Tensor, environment: Tensor) -> Tensor:
        """Whether the steps of an environment in ``rows`` (T, B) are known to be the last of their episodes by what
        followed them, as where it failed between two rollouts: (T, B) bool."""
        following = self._ring["begins"][(rows + 1) % self._capacity, environment]
        return following & (rows + 1 < self.rows)

    def _newest(self, share: float) -> int:
        """Rows, at least one."""
        return max(1, round(share * min(self.rows, self._capacity)))

    @property
    def _device(self) -> torch.device:
        return self._ring["terminated"].device

    def _arange(self, first: int, end: int) -> Tensor:
        return torch.arange(first, end, device=self._device)

    @property
    def _capacity(self) -> int:
        return len(self._ring["terminated"]) if self._ring else 0

    @property
    def _num_envs(self) -> int:
        return self._ring["terminated"].shape[1]

    def _allocate(self, rollout: Rollout) -> None:
        capacity = max(len(rollout.terminated), -(-self.size // rollout.shape[1]))
        shapes = {name: (capacity, *getattr(rollout, name).shape[1:]) for name in FIELDS}
        dtypes = {name: getattr(rollout, name).dtype for name in FIELDS}
        self._ring = {
            name: torch.zeros(shapes[name], dtype=dtypes[name], device=rollout.terminated.device) for name in FIELDS
        }
