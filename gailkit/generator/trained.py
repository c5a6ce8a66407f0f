"""A policy that is ready to act."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from gymnasium import Space
from numpy.typing import ArrayLike
from torch import Tensor, nn

from gailkit.errors import InputError
from gailkit.generator.learning import CHUNK
from gailkit.memory import blocks
from gailkit.networks.acting import Actions, ActionsAndStates
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.distributions import ActionDistribution, joined
from gailkit.spaces import Flat, Stacking, as_batch, clip_to_space, in_parts, to_gymnasium, unflatten_values
from gailkit.types import RememberingPolicy

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


class Remembered(NamedTuple):
    """What is to be remembered of an episode."""

    last: np.ndarray  # (K, *obs), its last observations
    state: Tensor  # (M,), what the policy's network remembers; (0,) without a memory


@dataclass(frozen=True)
class TrainedPolicy(RememberingPolicy):
    """An actor's policy as a function of observations to actions, and what it was trained on.

    Wherever it takes observations, it takes one (*obs) or a batch of them (N, *obs), and answers with one action
    (*act), a NumPy integer where actions are Discrete, or with N of them (N, *act). Its likeliest actions, or samples:
    ``sampling`` and ``deterministic`` return the one and the other. Where they have several parts it takes them as the
    environment has them, a dict of arrays say, of which N have one more dimension, or flat, and answers in the former
    way.

    One that ``remembers`` acts by what its episode was so far: it is asked by ``predict`` or ``follow``, which hand on
    what is to be remembered. Whatever runs episodes here does so by itself.

    Raises:
        InputError: when it acts, for observations of another shape, and for one that is not finite or not in a
            Discrete space: the number is named. For observations alone, if it remembers.
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
    frames: int = 1  # of the last observations of an episode, by which it acts

    def __call__(self, observations: ArrayLike) -> Any:
        """Actions in the environment's units, unclipped."""
        self._require_no_memory()
        return self._act(observations, self.seed is None, None)[0]

    @property
    def remembers(self) -> bool:
        """Whether it acts by more than the present observation."""
        return self.frames > 1 or self.actor_critic.memory is not None

    def follow(self, observations: np.ndarray, remembered: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        """See ``RememberingPolicy``; what is remembered of an episode is a ``Remembered``."""
        return self._act(observations, self.seed is None, remembered)

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
            state: what this returned for the observations before, None for those that begin an episode. A policy that
                does not remember returns it as it is.
            episode_start: (N,), or () for one: whether an episode begins, of which nothing is remembered; makes no
                difference to a policy that does not remember.
            deterministic: True for the likeliest actions, False to draw them from ``seed``, or from seed 0 where the
                policy has none, None, the default, for whichever the policy does when it is called.
        """
        likeliest = self.seed is None if deterministic is None else deterministic
        if not self.remembers:
            return self._act(observation, likeliest, None, clip=True)[0], state
        remembered: Any = state
        if remembered is not None and episode_start is not None:
            starts = np.broadcast_to(np.asarray(episode_start, bool), len(remembered))
            remembered = [None if begins else own for own, begins in zip(remembered, starts, strict=True)]
        return self._act(observation, likeliest, remembered, clip=True)

    @torch.no_grad()
    def log_likelihood(self, observations: ArrayLike, actions: ArrayLike) -> np.ndarray:
        """ln pi(a|s), (N,), or () for one: of a probability for Discrete actions, of a density for Box actions."""
        self._require_no_memory()
        batch = as_batch(self.observation_space, observations)
        values = self._log_prob(self._distribution(batch.values), actions, len(batch.values))
        return values[0] if batch.alone else values

    @torch.no_grad()
    def log_likelihood_along(self, episodes: Sequence[ArrayLike], actions: ArrayLike) -> np.ndarray:
        """ln pi(a|s), (steps,), of the actions (steps, *act) in whole episodes of observations (L, *obs), one behind
        the other; steps is the sum of all L."""
        values = [as_batch(self.observation_space, episode).values for episode in episodes]
        lengths = np.array([len(own) for own in values])
        found, places, remembered = [], [], [None] * len(values)
        for t in range(lengths.max()):
            going = np.flatnonzero(lengths > t)
            seen, before = np.stack([values[i][t] for i in going]), [remembered[i] for i in going]
            distribution, after = self._followed(seen, before)
            for i, own in zip(going, after, strict=True):
                remembered[i] = own
            found.append(distribution)
            places.append(np.cumsum(lengths)[going] - lengths[going] + t)
        order = torch.from_numpy(np.concatenate(places).argsort()).to(self.device)
        return self._log_prob(joined(found)[order], actions, int(lengths.sum()))

    @property
    def network(self) -> nn.Module:
        """Observations (B, *obs) to actions (B, *act), clipped, as a module of its own, for any B.

        It shares the policy's parameters and is for ``torch.export.export``, ``torch.jit.trace`` and the like: both
        are tensors of the types that the environment's spaces are stored in, and nothing is checked. A policy that
        samples draws from torch's global generator here. Where it acts by several observations, these are one in the
        space of ``of_stacked``; one with a memory takes (observations, states) and returns (actions, states after
        them), the states (B, M) being 0 where an episode begins.
        """
        sampled = self.seed is not None
        if self.actor_critic.memory is not None:
            return ActionsAndStates(self.actor_critic, sampled).to(self.device)
        return Actions(self.actor_critic, sampled).to(self.device)

    def sampling(self, seed: int) -> TrainedPolicy:
        """The same policy with actions sampled from it, drawn from ``seed``."""
        return replace(self, seed=seed)

    def with_networks(self, actor_critic: ActorCritic) -> TrainedPolicy:
        """The same policy with other networks."""
        return replace(self, actor_critic=actor_critic)

    def of_stacked(self) -> TrainedPolicy:
        """The same policy on observations that are stacked already, see ``spaces.stacking``."""
        return replace(self, observation_space=self._stacking.space, frames=1)

    @property
    def device(self) -> torch.device:
        """Where its networks are."""
        return self.actor_critic.device

    def to(self, device: torch.device | str) -> TrainedPolicy:
        """The same policy on a device, with networks of its own; itself where it is there."""
        here = self.device == torch.device(device)
        return self if here else self.with_networks(copy.deepcopy(self.actor_critic).to(device))

    def deterministic(self) -> TrainedPolicy:
        """The same policy taking its likeliest actions."""
        return replace(self, seed=None)

    @torch.no_grad()
    def _act(
        self, observations: ArrayLike, likeliest: bool, remembered: Sequence[Any] | None, clip: bool = False
    ) -> tuple[Any, Any]:
        """Actions, and what is remembered after them; nothing was before where that is None."""
        batch = as_batch(self.observation_space, observations)
        before = [None] * len(batch.values) if remembered is None else remembered
        if len(before) != len(batch.values):
            raise InputError(f"one state is of one observation; found {len(before)} for {len(batch.values)}")
        distribution, after = self._followed(batch.values, before)
        chosen = distribution.mode() if likeliest else distribution.sample(self._random)
        found: np.ndarray = chosen.cpu().numpy()
        actions = clip_to_space(self.action_space, found) if clip else found
        if not isinstance(self.action_space, Flat):
            return actions[0] if batch.alone else actions, after
        stated, values = self.action_space.stated, unflatten_values(self.action_space, actions)
        return to_gymnasium(stated, values, 0) if batch.alone else in_parts(stated, values), after

    def _followed(self, values: np.ndarray, remembered: Sequence[Any]) -> tuple[ActionDistribution, Sequence[Any]]:
        """pi(.|s) for observations (N, *obs) in their type of storage, and what is remembered after them."""
        if not self.remembers:
            return self._distribution(values), remembered
        begun = self._stacking.begun(values)
        past = np.stack([own if before is None else before.last for own, before in zip(begun, remembered, strict=True)])
        last = self._stacking.followed(past, values)
        nothing = torch.zeros(self.actor_critic.policy_state_size, device=self.device)
        states = torch.stack([nothing if before is None else before.state for before in remembered])
        seen, encoder = self._stacking.stacked(last), self.actor_critic.encoder
        if self.actor_critic.memory is None:
            return self._distribution(seen), list(map(Remembered, last, states))
        distribution, states = self.actor_critic.follow(encoder(torch.from_numpy(seen).to(self.device)), states)
        return distribution, list(map(Remembered, last, states))

    def _distribution(self, seen: np.ndarray) -> ActionDistribution:
        """pi(.|s) for what is seen (N, *seen), of pictures some at a time."""
        encoder, told = self.actor_critic.encoder, torch.from_numpy(seen).to(self.device)
        chunks = blocks(len(seen), encoder.size, CHUNK) if encoder.pictures else [slice(None)]
        found: list[ActionDistribution] = [self.actor_critic(told[chunk]) for chunk in chunks]
        return found[0] if len(found) == 1 else joined(found)

    def _log_prob(self, distribution: ActionDistribution, actions: ArrayLike, count: int) -> np.ndarray:
        taken = as_batch(self.action_space, actions, "action").values
        if len(taken) != count:
            raise InputError(f"there must be one action for each observation; found {len(taken)} for {count}")
        values: np.ndarray = distribution.log_prob(torch.from_numpy(taken).to(self.device)).cpu().numpy()
        return values

    def _require_no_memory(self) -> None:
        if self.remembers:
            raise InputError(
                f"this policy acts by {self._looks_at}, which observations alone do not tell: "
                "predict(observation, state, episode_start) hands on what it remembers; evaluate, record and play do "
                "so by themselves"
            )

    @property
    def _looks_at(self) -> str:
        if self.actor_critic.memory is not None:
            return "what it has seen of an episode so far"
        return f"the last {self.frames} observations of an episode"

    @cached_property
    def _stacking(self) -> Stacking:
        return Stacking(self.observation_space, self.frames)

    @cached_property
    def _random(self) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(self.seed or 0)
