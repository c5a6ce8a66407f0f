"""A policy that is ready to act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import Space

from gailkit.networks.actor_critic import ActorCritic
from gailkit.spaces import storage_dtype


class Training(NamedTuple):
    """How far a training had come at a checkpoint."""

    checkpoint: str  # chosen, last or best
    steps: int | None  # that it had learned from; None where the file does not say
    planned_steps: int  # of the whole run
    finished: bool  # whether the run came to its end

    def __str__(self) -> str:
        if self.finished and self.checkpoint != "best":
            return f"checkpoint {self.checkpoint}, after all {self.planned_steps:,} steps"
        reached = "an unknown number" if self.steps is None else f"{self.steps:,}"
        return f"checkpoint {self.checkpoint}, at {reached} of {self.planned_steps:,} steps"


@dataclass(frozen=True)
class TrainedPolicy:
    """An actor's policy as a function of observations (N, *obs) to actions (N, *act), and what it was trained on.

    It takes its likeliest actions, or samples them; ``sampling`` and ``deterministic`` return the one and the other.
    """

    actor_critic: ActorCritic
    observation_space: Space[Any]
    action_space: Space[Any]
    env_id: str
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    trained_on: frozenset[str] = frozenset()  # digests of the demonstrations it has seen
    checkpoint: Path | None = None  # the file it comes from
    seed: int | None = None  # of the sampled actions; None takes the likeliest
    training: Training | None = None  # that it comes from

    @torch.no_grad()
    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Observations (N, *obs) to actions (N, *act) in the environment's units, unclipped."""
        distribution = self.actor_critic(self._tensor(self.observation_space, observations))
        chosen = distribution.mode() if self.seed is None else distribution.sample(self._random)
        actions: np.ndarray = chosen.numpy()
        return actions

    @torch.no_grad()
    def log_likelihood(self, observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """ln pi(a|s), (N,): of a probability for Discrete actions, of a density for Box actions."""
        distribution = self.actor_critic(self._tensor(self.observation_space, observations))
        values: np.ndarray = distribution.log_prob(self._tensor(self.action_space, actions)).numpy()
        return values

    def sampling(self, seed: int) -> TrainedPolicy:
        """The same policy with actions sampled from it, drawn from ``seed``."""
        return replace(self, seed=seed)

    def with_networks(self, actor_critic: ActorCritic) -> TrainedPolicy:
        """The same policy with other networks."""
        return replace(self, actor_critic=actor_critic)

    def deterministic(self) -> TrainedPolicy:
        """The same policy taking its likeliest actions."""
        return replace(self, seed=None)

    @cached_property
    def _random(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed or 0)

    @staticmethod
    def _tensor(space: Space[Any], values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values).astype(storage_dtype(space)))
