"""What flows between the rooms of the house: small frozen records whose fields state their shapes.

Letters: B batch, T steps of a rollout, N environments, L length of an episode, A number of discrete actions;
``*obs`` and ``*act`` are the shapes of one observation and one action (``()`` for Discrete spaces).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from gailkit.errors import InputError
from gailkit.memory import blocks
from gailkit.windows import Before, Lead

Policy = Callable[[np.ndarray], np.ndarray]
"""Observations (N, *obs) of N environments to actions (N, *act); what record and evaluate run."""

OneByOne = Callable[[np.ndarray], Any]
"""One observation (*obs) to one action (*act); what users write, for the command line and for Python."""


class BatchPolicy(ABC):
    """A ``Policy`` by its type, for places that also take a plain function: that is asked for one action at a time."""

    @abstractmethod
    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Observations (N, *obs) to actions (N, *act)."""


@dataclass(frozen=True)
class Batched(BatchPolicy):
    """``act`` as it is: a function of observations (N, *obs) of N environments to actions (N, *act)."""

    act: Policy

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        return self.act(observations)


class RememberingPolicy(BatchPolicy):
    """A ``BatchPolicy`` that may look back in its episodes.

    It remembers nothing itself. Whoever runs it keeps, beside each episode, what it says is to be remembered of that,
    and hands it over with the next observation: an episode that begins, or is given up, takes nothing more.
    """

    @abstractmethod
    def follow(self, observations: np.ndarray, remembered: Sequence[Any]) -> tuple[np.ndarray, Sequence[Any]]:
        """The present observations (N, *obs) of N episodes to actions (N, *act).

        Args:
            remembered: what was to be remembered of each episode, None where it begins.

        Returns:
            The actions, and what is to be remembered of each episode now.
        """


def followed(policy: Policy, observations: np.ndarray, remembered: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
    """As ``RememberingPolicy.follow``, of any policy."""
    if isinstance(policy, RememberingPolicy):
        return policy.follow(observations, remembered)
    return policy(observations), remembered


RewardForm = Callable[[Tensor], Tensor]
"""Logits of D (...,) to rewards u (...,), element by element."""


def no_actions(steps: int) -> np.ndarray:
    """The actions (L, 0) of an episode of so many steps that holds none: the one form that they have."""
    return np.zeros((steps, 0), np.float32)


@dataclass(frozen=True)
class Trajectory:
    """One whole episode of L >= 1 steps.

    An episode that did not terminate was truncated, by a time limit or otherwise; what would have followed its last
    observation is unknown. ``rewards`` are the environment's own, kept for reports; nothing trains on them. Where only
    states were seen there are ``no_actions``.

    Raises:
        InputError: if the lengths of the fields contradict each other or a number is not finite.
    """

    observations: np.ndarray  # (L + 1, *obs); structured (L + 1,) for Dict and Tuple spaces, see ``gailkit.spaces``
    actions: np.ndarray  # (L, *act), likewise; (L, 0) where none are known
    rewards: np.ndarray | None  # (L,)
    terminated: bool
    seed: int | None = None  # what the environment was reset with
    success: bool | None = None  # as the environment called it in the end; known of what was just run, kept in no file

    def __post_init__(self) -> None:
        steps = len(self.actions)
        if steps < 1 or len(self.observations) != steps + 1:
            raise InputError(
                f"a trajectory needs at least one action and one more observation than actions; "
                f"found observations {self.observations.shape} and actions {self.actions.shape}"
            )
        if self.rewards is not None and self.rewards.shape != (steps,):
            raise InputError(f"rewards must have shape ({steps},), one for each action; found {self.rewards.shape}")
        for name in ("observations", "actions", "rewards"):
            values = getattr(self, name)
            if values is not None and not all(map(finite, plain_arrays(values))):
                where = f"(NaN or infinity), the first at step {_first_not_finite(values)}"
                raise InputError(f"{name} of a trajectory hold a number that is not finite {where}")
        if not self.has_actions:  # of whatever type nothing was
            object.__setattr__(self, "actions", no_actions(steps))

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def has_actions(self) -> bool:
        """Whether it is known what was done."""
        return holds_actions(self.actions)

    def without_actions(self) -> Trajectory:
        """The same episode of which only the states are known."""
        return replace(self, actions=no_actions(len(self)))

    @property
    def episode_return(self) -> float | None:
        """Sum of the environment's own rewards, undiscounted; None where they were not recorded."""
        return None if self.rewards is None else float(np.sum(self.rewards, dtype=np.float64))


@dataclass(frozen=True)
class Transitions:
    """B steps in no particular order."""

    obs: Tensor  # (B, *obs)
    act: Tensor  # (B, *act); (B, 0) of an expert whose actions are not known
    next_obs: Tensor  # (B, *obs)
    terminated: Tensor  # (B,) bool
    before: Before | None = None  # the steps before each in its episode, where windows of several are judged

    def __post_init__(self) -> None:
        sizes = {name: len(values) for name, values in self.to_dict().items()}
        if self.before is not None:
            sizes["before"] = len(self.before.rows)
        if len(set(sizes.values())) != 1:
            raise InputError(f"the fields of Transitions must have one batch size; found {sizes}")

    def __len__(self) -> int:
        return len(self.obs)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.obs.device

    def __getitem__(self, index: Tensor) -> Transitions:
        """The transitions at ``index`` (K,) int64, in that order."""
        return self._taken(index)

    def observations_at(self, index: Tensor) -> Tensor:
        """Observations (K, *obs) of the transitions at ``index`` (K,) int64, in that order."""
        return self.obs[index]

    def actions_at(self, index: Tensor) -> Tensor:
        """Actions (K, *act) of the transitions at ``index`` (K,) int64, in that order."""
        return self.act[index]

    def last(self, count: int) -> Transitions:
        """The last ``count`` transitions, or all where there are fewer."""
        return self._taken(slice(max(len(self) - count, 0), None))

    def _taken(self, index: Tensor | slice) -> Transitions:
        before = None if self.before is None else self.before.take(index)
        return Transitions(self.obs[index], self.act[index], self.next_obs[index], self.terminated[index], before)

    def to_dict(self) -> dict[str, Tensor]:
        """What the steps are themselves, by name."""
        return {"obs": self.obs, "act": self.act, "next_obs": self.next_obs, "terminated": self.terminated}

    def to(self, device: torch.device) -> Transitions:
        """The same on a device; themselves where they are there."""
        before = None if self.before is None else self.before.to(device)
        obs, act, next_obs, terminated = (values.to(device) for values in self.to_dict().values())
        return Transitions(obs, act, next_obs, terminated, before)

    @classmethod
    def joined(cls, parts: Sequence[Transitions]) -> Transitions:
        """All ``parts``, one after another, without what came before them."""
        obs, act, next_obs, terminated = map(torch.cat, zip(*(part.to_dict().values() for part in parts), strict=True))
        return cls(obs, act, next_obs, terminated)


class Pairs(Protocol):
    """K observations and the actions taken there, to be looked at some at a time: all at once, encoded for a network,
    may take many times their memory. Transitions are such pairs."""

    def __len__(self) -> int:
        """K."""

    def observations_at(self, index: Tensor) -> Tensor:
        """Observations (B, *obs) at ``index`` (B,) int64, in that order."""

    def actions_at(self, index: Tensor) -> Tensor:
        """Actions (B, *act) at ``index`` (B,) int64, in that order."""


@dataclass(frozen=True)
class Walks:
    """E episodes, one behind the other: W observations, of which those of K pairs belong to actions."""

    observations_at: Callable[[Tensor], Tensor]  # index (B,) int64 among the W to observations (B, *obs)
    lengths: Tensor  # (E,) int64, W in all
    pair: Tensor  # (W,) int64, the number of the pair, -1 where there is none
    places: Tensor  # (K,) int64, where the pairs are among the W


@runtime_checkable
class PairsInEpisodes(Pairs, Protocol):
    """Pairs of which it is known what was observed before them, for policies that remember it."""

    def walks(self) -> Walks:
        """The episodes as one goes through them, from their first observation to their last pair."""


@dataclass(frozen=True)
class Rollout:
    """T steps in N environments under one policy. It has no reward: what is not there cannot be trained on."""

    obs: Tensor  # (T, N, *obs)
    act: Tensor  # (T, N, *act), as sampled; the environment saw it clipped to its Box
    next_obs: Tensor  # (T, N, *obs), the true successor also where the episode ended
    terminated: Tensor  # (T, N) bool
    truncated: Tensor  # (T, N) bool
    first: int = 0  # steps that the run took before it, of all environments together
    states: Tensor | None = None  # (N, M), what a policy with memory remembered before the first step
    begun: Tensor | None = None  # (N,) bool, whether the first step begins an episode, where that is known
    lead: Lead | None = None  # the steps before it, where windows of several are judged

    def __post_init__(self) -> None:
        tensors = (self.obs, self.act, self.next_obs, self.terminated, self.truncated)
        shapes = [tuple(tensor.shape[:2]) for tensor in tensors]
        if len(set(shapes)) != 1:
            named = dict(zip((field.name for field in fields(self)), shapes, strict=False))
            raise InputError(f"the fields of a Rollout must share their first two sizes (T, N); found {named}")

    @property
    def shape(self) -> torch.Size:
        """(T, N)."""
        return self.terminated.shape

    @property
    def numbers(self) -> Tensor:
        """Which steps of the run these are, counted from 0 in the order of time, then of environments: (T, N) int64."""
        return self.first + torch.arange(self.terminated.numel(), device=self.terminated.device).reshape(self.shape)

    @property
    def begins(self) -> Tensor:
        """Which steps are known to begin an episode, (T, N) bool."""
        begun = torch.zeros_like(self.terminated[0]) if self.begun is None else self.begun
        return torch.cat([begun[None], (self.terminated | self.truncated)[:-1]])

    def transitions(self) -> Transitions:
        """All T * N steps, flattened."""
        before = None if self.lead is None else self.lead.before(self.obs, self.act, self.next_obs)
        obs, act, next_obs = (part.flatten(0, 1) for part in (self.obs, self.act, self.next_obs))
        return Transitions(obs, act, next_obs, self.terminated.flatten(), before)


@dataclass(frozen=True)
class Experience:
    """What a discriminator is shown of the policy."""

    steps: Transitions  # drawn alike from
    num_steps: int  # so many,
    num_terminated: int  # of which so many terminated

    @classmethod
    def of(cls, rollout: Rollout) -> Experience:
        """All steps of a rollout."""
        return cls(rollout.transitions(), rollout.terminated.numel(), int(rollout.terminated.sum()))


@dataclass(frozen=True)
class Replayed:
    """Steps of a run's past, of any shape (...), as a replay gives them out again. They have no reward either."""

    obs: Tensor  # (..., *obs)
    act: Tensor  # (..., *act), as sampled
    next_obs: Tensor  # (..., *obs)
    terminated: Tensor  # (...) bool
    truncated: Tensor  # (...) bool
    numbers: Tensor  # (...) int64, which steps of the run they are
    lead: Lead | None = None  # of steps (T, N) in a row, those before them, where windows of several are judged

    @property
    def shape(self) -> torch.Size:
        """(...)."""
        return self.terminated.shape

    def transitions(self) -> Transitions:
        """All of them, flattened."""
        last = self.terminated.ndim - 1
        before = None if self.lead is None else self.lead.before(self.obs, self.act, self.next_obs)
        obs, act, next_obs = (part.flatten(0, last) for part in (self.obs, self.act, self.next_obs))
        return Transitions(obs, act, next_obs, self.terminated.flatten(), before)


Reward = Callable[["Rollout | Replayed"], Tensor]
"""Steps of the run, of any shape (...), to their rewards (...) as the teacher sees them now."""


class EpisodeSummary(NamedTuple):
    """How one episode went in the environment's own terms; for reports only."""

    length: int
    true_return: float
    terminated: bool


def parts_of(values: np.ndarray, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """Path and view of each plain array that a structured one consists of; a plain one is its own only part."""
    if values.dtype.names is None:
        yield path, values
        return
    for name in values.dtype.names:
        yield from parts_of(values[name], (*path, name))


def plain_arrays(values: np.ndarray) -> Iterator[np.ndarray]:
    """``parts_of`` without the paths."""
    return (part for _, part in parts_of(values))


def _first_not_finite(values: np.ndarray) -> int:
    """The first place along the first axis that holds a number that is not finite; there is one."""
    return min(int(np.argwhere(~np.isfinite(part))[0, 0]) for part in plain_arrays(values) if not finite(part))


def finite(values: np.ndarray) -> bool:
    """Whether no number of a plain array (N, ...) is NaN or infinite."""
    if not np.issubdtype(values.dtype, np.floating):
        return True
    return all(bool(np.isfinite(values[block]).all()) for block in blocks(len(values), values[:1].size))


def holds_actions(actions: np.ndarray) -> bool:
    """Whether actions (L, ...) are any: no space has elements without a number, so that (L, 0) are none."""
    return 0 not in actions.shape[1:]


def all_finite(tensor: Tensor) -> bool:
    """Whether no element is NaN or infinite."""
    return bool(torch.isfinite(tensor).all())
