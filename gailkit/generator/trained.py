"""A policy that is ready to act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box
from numpy.typing import ArrayLike
from torch import Tensor, nn

from gailkit.errors import InputError
from gailkit.generator.learning import CHUNK
from gailkit.memory import blocks
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution, joined
from gailkit.spaces import Flat, as_batch, clip_to_space, in_parts, to_gymnasium, unflatten_values
from gailkit.types import BatchPolicy

State = TypeVar("State")


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
class TrainedPolicy(BatchPolicy):
    """An actor's policy as a function of observations to actions, and what it was trained on.

    Wherever it takes observations, it takes one (*obs) or a batch of them (N, *obs), and answers with one action
    (*act), a NumPy integer where actions are Discrete, or with N of them (N, *act). Its likeliest actions, or samples:
    ``sampling`` and ``deterministic`` return the one and the other. Where they have several parts it takes them as the
    environment has them, a dict of arrays say, of which N have one more dimension, or flat, and answers in the former
    way.

    Raises:
        InputError: when it acts, for observations of another shape, and for one that is not finite or not in a
            Discrete space: the number is named.
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

    def __call__(self, observations: ArrayLike) -> Any:
        """Actions in the environment's units, unclipped."""
        return self._act(observations, self.seed is None)

    def predict(
        self,
        observation: ArrayLike,
        state: State | None = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool | None = None,
    ) -> tuple[Any, State | None]:
        """Actions as the environment takes them, clipped to its Box, and ``state``: as Stable-Baselines3 has it.

        Code that evaluates a model of that library can be given this policy instead.

        Args:
            state: is returned as it is; the policy remembers nothing, so None will do, and None comes back.
            episode_start: makes no difference, for the same reason.
            deterministic: True for the likeliest actions, False to draw them from ``seed``, or from seed 0 where the
                policy has none, None, the default, for whichever the policy does when it is called.
        """
        actions = self._act(observation, self.seed is None if deterministic is None else deterministic, clip=True)
        return actions, state

    @torch.no_grad()
    def log_likelihood(self, observations: ArrayLike, actions: ArrayLike) -> np.ndarray:
        """ln pi(a|s), (N,), or () for one: of a probability for Discrete actions, of a density for Box actions."""
        distribution, alone = self._distribution(observations)
        taken = as_batch(self.action_space, actions, "action").values
        count = len(distribution.parameters()[0])
        if len(taken) != count:
            raise InputError(f"there must be one action for each observation; found {len(taken)} for {count}")
        values: np.ndarray = distribution.log_prob(torch.from_numpy(taken)).numpy()
        return values[0] if alone else values

    @property
    def network(self) -> nn.Module:
        """Observations (B, *obs) to actions (B, *act), clipped, as a module of its own, for any B.

        It shares the policy's parameters and is for ``torch.export.export``, ``torch.jit.trace`` and the like: both
        are tensors of the types that the environment's spaces are stored in, and nothing is checked. A policy that
        samples draws from torch's global generator here.
        """
        return Actions(self.actor_critic, sampled=self.seed is not None)

    def sampling(self, seed: int) -> TrainedPolicy:
        """The same policy with actions sampled from it, drawn from ``seed``."""
        return replace(self, seed=seed)

    def with_networks(self, actor_critic: ActorCritic) -> TrainedPolicy:
        """The same policy with other networks."""
        return replace(self, actor_critic=actor_critic)

    def deterministic(self) -> TrainedPolicy:
        """The same policy taking its likeliest actions."""
        return replace(self, seed=None)

    @torch.no_grad()
    def _act(self, observations: ArrayLike, likeliest: bool, clip: bool = False) -> Any:
        distribution, alone = self._distribution(observations)
        chosen = distribution.mode() if likeliest else distribution.sample(self._random)
        actions: np.ndarray = clip_to_space(self.action_space, chosen.numpy()) if clip else chosen.numpy()
        if not isinstance(self.action_space, Flat):
            return actions[0] if alone else actions
        stated, values = self.action_space.stated, unflatten_values(self.action_space, actions)
        return to_gymnasium(stated, values, 0) if alone else in_parts(stated, values)

    def _distribution(self, observations: ArrayLike) -> tuple[ActionDistribution, bool]:
        """pi(.|s) of a batch, and whether that is one observation."""
        batch, encoder = as_batch(self.observation_space, observations), self.actor_critic.encoder
        seen = torch.from_numpy(batch.values)
        chunks = blocks(len(seen), encoder.size, CHUNK) if encoder.pictures else [slice(None)]
        found: list[ActionDistribution] = [self.actor_critic(seen[chunk]) for chunk in chunks]
        return found[0] if len(found) == 1 else joined(found), batch.alone

    @cached_property
    def _random(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed or 0)


class Actions(nn.Module):
    """Observations (B, *obs) to the likeliest actions (B, *act), or to ``sampled`` ones, clipped to a Box."""

    def __init__(self, actor_critic: ActorCritic, sampled: bool) -> None:
        super().__init__()
        self.actor_critic, self.sampled = actor_critic, sampled
        space = actor_critic.action_space
        self.register_buffer("low", torch.as_tensor(space.low).float() if isinstance(space, Box) else None)
        self.register_buffer("high", torch.as_tensor(space.high).float() if isinstance(space, Box) else None)
        self.low: Tensor | None
        self.high: Tensor | None

    def forward(self, obs: Tensor) -> Tensor:
        distribution: ActionDistribution = self.actor_critic(obs)
        actions = distribution.sample() if self.sampled else distribution.mode()
        return actions if self.low is None else actions.clamp(self.low, self.high)
