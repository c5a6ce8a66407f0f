"""What simulators have in common that are written here: seeds, time limits, and states that come back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import Space
from torch import Tensor

from gailkit.errors import InputError
from gailkit.simulators.protocol import Step


class Simulation(ABC):
    """N environments, each a row of one tensor of states. A subclass gives the spaces, and how they begin, move and are
    seen; it is a ``Simulator`` then.

    States are of the type that ``begin`` gives them; ``uniform`` has float64, as environments of NumPy do. What is
    returned, observations and rewards, is float32.
    """

    single_observation_space: Space[Any]
    single_action_space: Space[Any]

    def __init__(self, num_envs: int, device: str | torch.device = "cpu", max_episode_steps: int | None = None) -> None:
        """
        Args:
            num_envs: N.
            max_episode_steps: after which an episode is truncated; None for never.

        Raises:
            InputError: if a number is below 1, or ``begin`` returns something else than a row for each environment.
        """
        limit = 1 if max_episode_steps is None else max_episode_steps
        for name, number in (("num_envs", num_envs), ("max_episode_steps", limit)):
            if not isinstance(number, int) or number < 1:
                raise InputError(f"{name} must be a whole number, 1 or more; found {number!r}")
        self.num_envs, self.device, self.max_episode_steps = num_envs, torch.device(device), max_episode_steps
        self.states = self.begin(torch.zeros(num_envs, dtype=torch.int64, device=self.device))  # (N, S) float64
        if self.states.ndim != 2 or len(self.states) != num_envs:
            raise InputError(
                f"begin must return states ({num_envs}, S), a row for each environment; found shape "
                f"{tuple(self.states.shape)}"
            )
        self.steps = torch.zeros(num_envs, dtype=torch.int64, device=self.device)  # (N,), of the episodes so far

    @abstractmethod
    def begin(self, seeds: Tensor) -> Tensor:
        """Seeds (N,) int64 to the states (N, S) in which their episodes begin."""

    @abstractmethod
    def move(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States (N, S) and actions (N, *act) to the next states (N, S), rewards (N,) and whether they are terminal."""

    @abstractmethod
    def see(self, states: Tensor) -> Tensor:
        """States (N, S) to observations (N, *obs)."""

    def reset(self, which: Tensor, seeds: Tensor) -> Tensor:
        """As ``Simulator.reset``."""
        self.states = torch.where(which.unsqueeze(-1), self.begin(seeds), self.states)
        self.steps = self.steps * ~which
        return self.see(self.states).float()

    def step(self, actions: Tensor) -> Step:
        """As ``Simulator.step``."""
        self.states, rewards, terminated = self.move(self.states, actions)
        self.steps = self.steps + 1
        limit = self.max_episode_steps
        truncated = torch.zeros_like(terminated) if limit is None else self.steps >= limit
        return Step(self.see(self.states).float(), rewards.float(), terminated, truncated)

    def state_dict(self) -> dict[str, Tensor]:
        """Where the environments stand."""
        return {"states": self.states, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what ``state_dict`` returned, of as many environments on any device.

        Raises:
            InputError: if it is of another number of environments.
        """
        for name, own in (("states", self.states), ("steps", self.steps)):
            if state[name].shape != own.shape:
                raise InputError(
                    f"the {name} of the environments are {tuple(own.shape)}; found {tuple(state[name].shape)}"
                )
        self.states = state["states"].to(self.device, self.states.dtype)
        self.steps = state["steps"].to(self.device, self.steps.dtype)


def uniform(seeds: Tensor, count: int) -> Tensor:
    """``count`` numbers in [0, 1) for each of the seeds (N,) int64, (N, count) float64: the same ones on any device.

    The generator SplitMix64, of Steele et al. 2014, figure 15, whose state is a seed times a constant and a counter.
    """
    counter = torch.arange(1, count + 1, device=seeds.device)
    mixed = seeds.unsqueeze(-1) * _SPREAD + counter * _GAMMA
    mixed = (mixed ^ _shifted(mixed, 30)) * -4658895280553007687
    mixed = (mixed ^ _shifted(mixed, 27)) * -7723592293110705685
    return _shifted(mixed ^ _shifted(mixed, 31), 11).double() * 2.0**-53


_GAMMA = -7046029254386353131  # 2^64 over the golden ratio, odd
_SPREAD = 6364136223846793005  # Knuth's multiplier: the counters of seeds side by side do not meet


def _shifted(values: Tensor, bits: int) -> Tensor:
    """To the right, with zeros from the left."""
    return (values >> bits) & ((1 << (64 - bits)) - 1)
