"""Where the episodes of a data set are: in memory, or in a file that is larger than that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from gymnasium import Space

from gailkit.demonstrations.common_dtypes import widened
from gailkit.demonstrations.joined_episodes import digest_of
from gailkit.demonstrations.step_tensors import KeptSteps
from gailkit.types import Trajectory, Transitions

Spaces = tuple[Space[Any] | None, Space[Any] | None]
"""Of observations and of actions; None where it is not known."""


class Drawn(ABC):
    """K steps that can be drawn from."""

    @abstractmethod
    def __len__(self) -> int:
        """K."""

    @abstractmethod
    def sample(self, batch_size: int, generator: torch.Generator) -> Transitions:
        """``batch_size`` of them at random."""

    @abstractmethod
    def overview(self) -> KeptSteps:
        """All of them where they are in memory; else as many of them, at random, as fit there easily."""

    @abstractmethod
    def place(self) -> dict[str, int]:
        """How far ``sample`` has come, as far as the generator of random numbers does not tell."""

    @abstractmethod
    def go_to(self, place: Mapping[str, int]) -> None:
        """Go on from where ``place`` was asked for."""


class Episodes(Sequence[Trajectory], ABC):
    """N episodes, at least one, and what is known of them without reading their steps."""

    lengths: np.ndarray  # (N,) int64
    terminated: np.ndarray  # (N,) bool
    in_memory: bool
    has_actions: bool  # whether it is known what was done

    @property
    @abstractmethod
    def seeds(self) -> list[int | None]:
        """What the environment was reset with for each; None where that is not known."""

    @abstractmethod
    def digests(self) -> list[str]:
        """SHA-256 of each, as hexadecimal digits."""

    @abstractmethod
    def digests_of_states(self) -> list[str]:
        """The digest that each would have without its actions."""

    @abstractmethod
    def returns(self) -> np.ndarray | None:
        """Undiscounted return of each (N,) float64; None where the rewards were not recorded."""

    @abstractmethod
    def pick(self, indices: Sequence[int]) -> Self:
        """Those at ``indices``, in that order."""

    @abstractmethod
    def drawn(self, stride: int, offsets: Sequence[int], spaces: Spaces, frames: int = 1) -> Drawn:
        """Steps offsets[i], offsets[i] + stride, ... of episode i, as Transitions in ``spaces``.

        Of more ``frames`` than one, so many of the last observations are drawn as one (``spaces.stacking``).
        """


class HeldSteps(Drawn):
    """Steps in memory."""

    def __init__(self, kept: KeptSteps) -> None:
        self.kept = kept

    def __len__(self) -> int:
        return len(self.kept)

    def sample(self, batch_size: int, generator: torch.Generator) -> Transitions:
        """Uniformly, with replacement."""
        return self.kept[torch.randint(len(self.kept), (batch_size,), generator=generator)]

    def overview(self) -> KeptSteps:
        """Every step once, in the order of the episodes."""
        return self.kept

    def place(self) -> dict[str, int]:
        """Nowhere: every draw stands for itself."""
        return {}

    def go_to(self, place: Mapping[str, int]) -> None:
        """Nothing is to be done."""


class HeldEpisodes(Episodes):
    """Episodes in memory."""

    def __init__(self, trajectories: Sequence[Trajectory]) -> None:
        self._trajectories = tuple(trajectories)
        self.in_memory = True
        self.has_actions = all(trajectory.has_actions for trajectory in self._trajectories)
        self.lengths = np.array([len(trajectory) for trajectory in self._trajectories], dtype=np.int64)
        self.terminated = np.array([trajectory.terminated for trajectory in self._trajectories], dtype=np.bool_)

    def __len__(self) -> int:
        return len(self._trajectories)

    def __getitem__(self, index: Any) -> Any:
        return self._trajectories[index]

    @property
    def seeds(self) -> list[int | None]:
        """As the trajectories have them."""
        return [trajectory.seed for trajectory in self._trajectories]

    def digests(self) -> list[str]:
        """Computed from what is in memory."""
        return list(self._digests)

    def digests_of_states(self) -> list[str]:
        """Computed likewise."""
        alone = [trajectory.without_actions() for trajectory in self._trajectories]
        return [digest_of(trajectory).hex() for trajectory in widened(alone)]

    def returns(self) -> np.ndarray | None:
        """Sums of the rewards."""
        returns = [trajectory.episode_return for trajectory in self._trajectories]
        return None if None in returns else np.array(returns, dtype=np.float64)

    def pick(self, indices: Sequence[int]) -> HeldEpisodes:
        """The same trajectories, not copies."""
        return HeldEpisodes([self._trajectories[index] for index in indices])

    def drawn(self, stride: int, offsets: Sequence[int], spaces: Spaces, frames: int = 1) -> Drawn:
        """All in memory."""
        return HeldSteps(KeptSteps.of(self._trajectories, stride, offsets, spaces, frames))

    @cached_property
    def _digests(self) -> list[str]:
        return [digest_of(trajectory).hex() for trajectory in widened(self._trajectories)]


def as_episodes(trajectories: Sequence[Trajectory]) -> Episodes:
    """The same trajectories, as Episodes where they are only a sequence."""
    return trajectories if isinstance(trajectories, Episodes) else HeldEpisodes(trajectories)
