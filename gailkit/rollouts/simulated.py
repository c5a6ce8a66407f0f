"""A simulator of tensors as environments that are stepped together, for whatever works with arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gailkit.errors import EnvironmentFailure, InputError
from gailkit.importing import describe_foreign, leads_to, where_defined
from gailkit.rollouts.protocol import About
from gailkit.rollouts.simulators import checked_simulator, close_simulator
from gailkit.simulators.protocol import Simulator, Step

Infos = dict[str, Any]


class Simulated:
    """``rollouts.protocol.Environments`` of a simulator, whose tensors go to the CPU and back.

    ``which`` lets none stand still: the simulator moves all of them, and one that was left out is to be reset before it
    counts again.
    """

    def __init__(self, simulator: Simulator, name: str, *, own: bool = True) -> None:
        """``own`` is False of a simulator that somebody else closes."""
        self.simulator, self.own = checked_simulator(simulator, name), own
        self.num_envs = simulator.num_envs
        self.single_observation_space = simulator.single_observation_space
        self.single_action_space = simulator.single_action_space
        limit = getattr(simulator, "max_episode_steps", None)
        self.about = About(name, self.single_observation_space, self.single_action_space, limit)
        self._seen = np.zeros(())

    def begin(self, which: Tensor, seeds: Tensor) -> Tensor:
        """As ``Simulator.reset``, seen to answer observations. Raises EnvironmentFailure if it fails."""
        try:
            observations = self.simulator.reset(which, seeds)
        except Exception as error:  # a simulator is foreign code and may raise anything
            raise self._failure("it was reset", error) from error
        self._check("reset", "observations", observations, self.single_observation_space.shape or ())
        return observations

    def take(self, actions: Tensor) -> Step:
        """As ``Simulator.step``, seen to answer what it should. Raises EnvironmentFailure if it fails."""
        try:
            step = Step(*self.simulator.step(actions))
        except Exception as error:  # a simulator is foreign code and may raise anything
            raise self._failure("it took a step", error) from error
        shapes = (self.single_observation_space.shape or (), (), (), ())
        for name, values, shape in zip(Step._fields, step, shapes, strict=True):
            self._check("step", name, values, shape)
        return step

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, Infos]:
        """As ``Environments.reset``; where no seed is given it is 0."""
        count, device = self.num_envs, self.simulator.device
        seeds = [seed] * count if seed is None else range(seed, seed + count) if isinstance(seed, int) else seed
        mask = np.ones(count, bool) if options is None else np.broadcast_to(options.get("reset_mask", True), count)
        told = torch.tensor([own or 0 for own in seeds], device=device)
        begun = self.begin(torch.as_tensor(mask.copy(), device=device), told).cpu().numpy()
        self._seen = begun
        return begun.copy(), {}

    def step(
        self, actions: np.ndarray, which: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Infos]:
        """As ``Environments.step``."""
        observations, *others = self.take(torch.as_tensor(actions).to(self.simulator.device))
        seen, (rewards, terminated, truncated) = observations.cpu().numpy(), (each.cpu().numpy() for each in others)
        if which is not None:
            seen = np.where(which.reshape(-1, *(1,) * (seen.ndim - 1)), seen, self._seen)
        self._seen = seen
        return seen.copy(), rewards.astype(np.float64), terminated, truncated, {}

    def replay(self, seeds: Sequence[int], actions: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        """As ``Environments.replay``: since none can stand still, shorter episodes begin later, and all are there at
        once."""
        lengths = np.array([len(each) for each in actions])
        longest = int(lengths.max(initial=0))
        space = self.single_action_space
        told = np.zeros((self.num_envs, *(space.shape or ())), space.dtype)
        over = np.zeros(self.num_envs, bool)
        for left in range(longest, -1, -1):
            begins, going = lengths == left, np.flatnonzero(lengths >= left)
            seen = self.reset(seed=list(seeds), options={"reset_mask": begins})[0] if begins.any() else self._seen
            if not left:
                break
            told[going] = [actions[i][len(actions[i]) - left] for i in going.tolist()]
            _, _, terminated, truncated, _ = self.step(told)
            over[going] |= (terminated | truncated)[going]
        return [None if gone else own for gone, own in zip(over, seen, strict=True)]

    def close(self) -> None:
        """Have done with the simulator, unless it is somebody else's."""
        if self.own:
            close_simulator(self.simulator)

    def _check(self, doing: str, name: str, values: object, shape: tuple[int, ...]) -> None:
        wanted = (self.num_envs, *shape)
        if not isinstance(values, Tensor) or values.shape != wanted:
            found = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
            raise InputError(f"{doing} of the simulator {self.about.name} must return {name} {wanted}; found {found}")
        if (values.dtype == torch.bool) != name.endswith("ated"):
            kind = "bool" if name.endswith("ated") else "numbers"
            raise InputError(
                f"{doing} of the simulator {self.about.name} must return {name} as {kind}; found {values.dtype}"
            )

    def _failure(self, doing: str, error: Exception) -> EnvironmentFailure:
        return EnvironmentFailure(
            f"the simulator {self.about.name} failed while {doing}: {describe_foreign(error, __file__)}"
        )


def name_of(simulator: Simulator) -> str:
    """What a simulator is called: ``module:attribute`` where another process could make one like it, else its type."""
    name = where_defined(simulator)
    return name if leads_to(name, type(simulator)) else type(simulator).__name__
