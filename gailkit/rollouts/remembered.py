"""What a policy with memory remembers of the episodes of several environments while it is trained."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gailkit.errors import DivergenceError
from gailkit.generator.base import Generator
from gailkit.rollouts.environments import all_finite


class RememberedEpisodes:
    """The states (N, M) of the episodes in N environments; none of a policy without memory.

    A step is acted in before it is known to have been taken: ``go_on`` makes what was remembered after it what is
    remembered.
    """

    def __init__(self, num_envs: int) -> None:
        self._num_envs = num_envs
        self.states: Tensor | None = None
        self._after: Tensor | None = None

    def act(self, generator: Generator, observations: np.ndarray, which: np.ndarray | slice) -> np.ndarray:
        """Actions (B, *act) of the policy for observations (B, *obs) in the environments at ``which``.

        Raises:
            DivergenceError: for one that is not finite.
        """
        seen = torch.from_numpy(observations).to(generator.actor_critic.device)
        if generator.actor_critic.memory is not None:
            acted: np.ndarray = self._follow(generator, seen, which).cpu().numpy()
        else:
            with torch.inference_mode():
                acted = generator.act(seen).cpu().numpy()
        if not all_finite(acted):
            raise DivergenceError("the policy chose an action that is not finite (NaN or infinity)")
        return acted

    def go_on(self) -> None:
        """The step that was acted in last has been taken."""
        if self._after is not None:
            self.states, self._after = self._after, None

    def forget(self, which: np.ndarray) -> None:
        """New episodes begin in the environments of the mask ``which`` (N,)."""
        if self.states is not None:
            self.states = torch.where(torch.from_numpy(which)[:, None].to(self.states.device), 0.0, self.states)

    def _follow(self, generator: Generator, seen: Tensor, which: np.ndarray | slice) -> Tensor:
        if self.states is None:
            self.states = torch.zeros(self._num_envs, generator.actor_critic.state_size)
        self.states = self.states.to(seen.device)
        if self._after is None:
            self._after = self.states.clone()
        index = which if isinstance(which, slice) else torch.from_numpy(which).to(seen.device)
        actions, self._after[index] = generator.follow(seen, self.states[index])
        return actions
