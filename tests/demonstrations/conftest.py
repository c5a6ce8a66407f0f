"""Small demonstrations whose every number is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.types import Trajectory

MakeDemonstrations = Callable[..., Demonstrations]


def numbered(lengths: Sequence[int]) -> Demonstrations:
    """Episode i of lengths[i] steps observes [i, t] and does action t % 2; odd episodes terminate; rewards are 1."""
    trajectories = [
        Trajectory(
            np.array([[episode, time] for time in range(steps + 1)], dtype=np.float32),
            np.arange(steps) % 2,
            np.ones(steps),
            terminated=bool(episode % 2),
            seed=None if episode == 0 else 100 + episode,
        )
        for episode, steps in enumerate(lengths)
    ]
    bounds = np.array([1000, 1000], dtype=np.float32)
    spaces = Box(-bounds, bounds), Discrete(2)
    return Demonstrations(tuple(trajectories), *spaces, "Numbers-v0", {"size": 3}, {"source": "made by hand"})


@pytest.fixture
def make_demonstrations() -> MakeDemonstrations:
    """``make_demonstrations([5, 3])``: demonstrations with episodes of these lengths."""
    return numbered
