"""Which episodes of a recording are kept."""

from __future__ import annotations

import math

from gailkit.errors import InputError
from gailkit.types import Trajectory


class LeastReturn:
    """Keeps the episodes whose return is at least ``bound``, and gives up after ``patience`` misses in a row.

    Raises:
        InputError: if ``bound`` is not a number.
    """

    def __init__(self, bound: float, patience: int) -> None:
        if math.isnan(bound):
            raise InputError("the least return is not a number; accepted is any number, such as 475")
        self.bound = bound
        self.patience = patience
        self.rejected = 0
        self._in_a_row = 0
        self._best = -math.inf

    def keeps(self, trajectory: Trajectory) -> bool:
        """Whether the episode is good enough. Raises InputError when ``patience`` is at its end."""
        earned = trajectory.episode_return or 0.0
        if earned >= self.bound:
            self._in_a_row, self._best = 0, -math.inf
            return True
        self.rejected += 1
        self._in_a_row += 1
        self._best = max(self._best, earned)
        if self._in_a_row >= self.patience:
            raise InputError(
                f"{self._in_a_row} episodes in a row returned less than {self.bound:g}, the best of them "
                f"{self._best:.1f}; accepted is a --min-return that the policy reaches more often"
            )
        return False
