"""What came before a step in its episode, for whoever judges several steps in a row as one: windows of K steps.

A window ends with the step that is judged. Nothing is stored K times: windows are rows among steps that are held once,
and are put together when they are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Before:
    """The K - 1 steps before each of B steps in its episode, as rows among M steps."""

    obs: Tensor  # (M, *obs)
    act: Tensor  # (M, *act)
    next_obs: Tensor  # (M, *obs)
    rows: Tensor  # (B, K - 1) int64 among the M, the oldest first; -1 for what was before the episode began

    @property
    def window(self) -> int:
        """K."""
        return self.rows.shape[1] + 1

    def take(self, index: Tensor | slice) -> Before:
        """What came before the steps at ``index`` (B',) int64."""
        return replace(self, rows=self.rows[index])

    def alone(self) -> Before:
        """The same of steps that are held for these B alone."""
        needed = self.rows.clamp(min=0).flatten()
        rows = torch.arange(len(needed), device=self.rows.device).reshape(self.rows.shape)
        rows = torch.where(self.rows >= 0, rows, -1)
        return Before(self.obs[needed], self.act[needed], self.next_obs[needed], rows)

    def to(self, device: torch.device) -> Before:
        """The same on a device; themselves where they are there."""
        return Before(self.obs.to(device), self.act.to(device), self.next_obs.to(device), self.rows.to(device))


@dataclass(frozen=True)
class Lead:
    """The E steps before T further ones, in each of N environments; some of them may be of earlier episodes."""

    obs: Tensor  # (E, N, *obs)
    act: Tensor  # (E, N, *act)
    next_obs: Tensor  # (E, N, *obs)
    begins: Tensor  # (E + T, N) bool, which of them, and of the further ones, begin an episode

    def before(self, obs: Tensor, act: Tensor, next_obs: Tensor) -> Before:
        """What came before each of the further steps (T, N, ...), flattened."""
        seen, done, following = (
            torch.cat(pair).flatten(0, 1) for pair in ((self.obs, obs), (self.act, act), (self.next_obs, next_obs))
        )
        return Before(seen, done, following, rows_before(self.begins, len(self.obs)))


def rows_before(begins: Tensor, earlier: int) -> Tensor:
    """The rows (T * N, E) of the E steps ``earlier`` than each of the last T in its episode, -1 where there is none.

    Args:
        begins: (E + T, N) bool, which steps begin an episode; row t * N + n is step t of environment n.
    """
    steps, envs = begins.shape
    times = torch.arange(steps, device=begins.device)
    begun = torch.where(begins, times[:, None], 0).cummax(0).values[earlier:, :, None]
    wanted = times[earlier:, None, None] + torch.arange(-earlier, 0, device=begins.device)
    rows = wanted * envs + torch.arange(envs, device=begins.device)[:, None]
    return torch.where(wanted >= begun, rows, -1).flatten(0, 1)
