"""Uniform actions: the lower end of every scale."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from gymnasium import Space

from gailkit.types import Batched, BatchPolicy


def random_policy(action_space: Space[Any], seed: int) -> BatchPolicy:
    """A policy that ignores the observation and samples ``action_space``; the same ``seed`` gives the same actions.

    A bounded Box and a Discrete space are sampled uniformly, an unbounded dimension of a Box as Gymnasium does
    (normal, or exponential where one bound is finite); of actions of several parts each by itself.
    """
    space = copy.deepcopy(action_space)
    space.seed(seed)

    def act(observations: np.ndarray) -> np.ndarray:
        return np.stack([np.asarray(space.sample()) for _ in observations])

    return Batched(act)
