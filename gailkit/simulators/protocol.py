"""What a simulator of tensors has to be able to do."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from gymnasium import Space
from torch import Tensor


class Step(NamedTuple):
    """What N environments answer to their actions, on their device. A plain tuple of these four will do."""

    observations: Tensor  # (N, *obs), where an episode ended its true last ones
    rewards: Tensor  # (N,), the environment's own
    terminated: Tensor  # (N,) bool
    truncated: Tensor  # (N,) bool


@runtime_checkable
class Simulator(Protocol):
    """N environments of one kind that are stepped together, none of which resets itself.

    Tensors go in and come out on ``device``. What is returned stays as it is: no later step writes into it.

    It may have more: ``state_dict()`` and ``load_state_dict(state)``, a tree of tensors and plain values, which are no
    views of what it goes on to change, let a run that was stopped go on in the same episodes; ``close()`` is called
    when a simulator that was made by its name is done with.
    """

    num_envs: int
    device: torch.device
    single_observation_space: Space[Any]  # a Box
    single_action_space: Space[Any]  # a Box or Discrete
    max_episode_steps: int | None  # after which it truncates an episode; None where it does not

    def reset(self, which: Tensor, seeds: Tensor) -> Tensor:
        """Begin an episode in each environment of the mask ``which`` (N,) bool.

        Args:
            seeds: (N,) int64 in [0, 2**31), for those of ``which``. An episode of equal seed and actions is the same
                one; a simulator that cannot seed its environments one by one lets them be.

        Returns:
            The observations (N, *obs), of the other environments as they stand.
        """

    def step(self, actions: Tensor) -> Step:
        """Take a step in every environment, with ``actions`` (N, *act) that lie in their space.

        One whose episode has ended, and was not reset, may answer whatever it likes.
        """
