"""The last steps of several environments, for windows that reach back behind a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from gailkit.types import Rollout
from gailkit.windows import Lead

PARTS = ("obs", "act", "next_obs", "begins")


class RecentSteps:
    """So many of the last steps in each of N environments, which are before those of the next rollout."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._last: dict[str, Tensor] | None = None  # each (count, N, ...)

    def before(self, rollout: Rollout) -> Rollout:
        """The rollout with what was before it, and its own steps are the last ones now; itself where nobody asks.

        Of a run that has begun with it there was nothing, which its first steps say: they begin episodes. They stand
        there for what is not looked at, as elements of their spaces.
        """
        if not self.count:
            return rollout
        own = {name: getattr(rollout, name) for name in PARTS}
        known = self._last or {name: values[:1].expand(self.count, *values.shape[1:]) for name, values in own.items()}
        last = {name: values.to(rollout.terminated.device) for name, values in known.items()}
        self._last = {
            name: torch.cat([last[name], values[-self.count :]])[-self.count :] for name, values in own.items()
        }
        begins = torch.cat([last.pop("begins"), rollout.begins])
        return replace(rollout, lead=Lead(**last, begins=begins))

    def state_dict(self) -> dict[str, Tensor] | None:
        """The steps, by the names of what they consist of; None before the first."""
        return self._last

    def load_state_dict(self, state: Mapping[str, Tensor] | None, num_envs: int) -> None:
        """Go on from what ``state_dict`` returned. Raises ValueError for what is no such state."""
        shapes = None if state is None else {name: tuple(values.shape[:2]) for name, values in state.items()}
        if shapes is not None and shapes != dict.fromkeys(PARTS, (self.count, num_envs)):
            raise ValueError(f"{shapes} are not the last {self.count} steps in each of {num_envs} environments")
        self._last = None if state is None else dict(state)
