"""How far ahead the policy looks: a shorter way where nothing ends an episode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gailkit.generator import Generator
from gailkit.ranks.merging import total
from gailkit.types import Rollout


class Discount:
    """The discount of a generator: ``endless`` until an episode has terminated on either side, and ``gamma`` from then.

    The discriminator rewards every single step for being the expert's, so that a policy needs a long view for one thing
    above all: what ends an episode shows only in the rewards that are missing afterwards. Where nothing ends one, a
    long view mostly adds the noise of many later steps to the advantage of each.
    """

    def __init__(self, generator: Generator, gamma: float, endless: float, terminates: bool) -> None:
        """``terminates``: whether the expert shows an episode that did. ``endless`` is ``gamma`` at most."""
        self.generator = generator
        self.gamma, self.endless = gamma, min(gamma, endless)
        self.terminates = terminates
        self._apply()

    def observe(self, rollout: Rollout) -> None:
        """Look for a termination in a rollout, of any rank."""
        self.terminates = self.terminates or total(float(rollout.terminated.sum()))[0] > 0
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """All that changes."""
        return {"terminates": self.terminates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.terminates = state["terminates"]
        self._apply()

    @property
    def value(self) -> float:
        """The discount as it is now."""
        return self.gamma if self.terminates else self.endless

    def _apply(self) -> None:
        if hasattr(self.generator, "gamma"):  # a generator of somebody's own may discount as it likes
            self.generator.gamma = self.value
