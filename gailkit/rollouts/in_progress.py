"""Episodes in progress: what brings environments back to where they stood, by beginning the same episodes again.

An environment cannot be stored. But an episode follows from its seed and its actions, so both are noted down, and an
environment that was given them again is where it was. Whether it is tells the observation that it stood at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from gailkit.rollouts.protocol import Environments
from gailkit.spaces import clip_to_space


class EpisodesInProgress:
    """Seeds and actions of the episodes that N environments are in the middle of.

    Where nothing ever ends an episode, its actions are as many as the steps of the run, and so is what is repeated.
    """

    def __init__(self, num_envs: int) -> None:
        self.seeds = np.zeros(num_envs, dtype=np.int64)
        self.lengths = np.zeros(num_envs, dtype=np.int64)
        self._actions: deque[np.ndarray] = deque()  # (T, N, *act) of the last rollouts, as far back as one reaches

    def note_seeds(self, seeds: list[int | None]) -> None:
        """Those of ``seeds`` that are not None begin an episode."""
        for i, seed in enumerate(seeds):
            if seed is not None:
                self.seeds[i], self.lengths[i] = seed, 0

    def note_actions(self, actions: np.ndarray) -> None:
        """The actions (T, N, *act) of a rollout, after whose last step the episodes have their ``lengths``."""
        self._actions.append(actions)
        spare = sum(map(len, self._actions)) - int(self.lengths.max())
        while spare >= len(self._actions[0]) > 0 and len(self._actions) > 1:
            spare -= len(self._actions.popleft())

    def actions_of(self, index: int) -> np.ndarray:
        """The actions (L, *act) of the episode of an environment, from its first on."""
        length = int(self.lengths[index])
        taken = np.concatenate([block[:, index] for block in self._actions]) if self._actions else np.empty(0)
        return taken[len(taken) - length :]

    def state_dict(self) -> dict[str, Any]:
        """Seeds, lengths, and the actions of all episodes one behind the other."""
        actions = [self.actions_of(index) for index in np.flatnonzero(self.lengths).tolist()]
        joined = torch.from_numpy(np.concatenate(actions)) if actions else None
        return {"seeds": self.seeds.tolist(), "lengths": self.lengths.tolist(), "actions": joined}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.seeds, self.lengths = np.array(state["seeds"]), np.array(state["lengths"])
        self._actions.clear()
        if state["actions"] is None:
            return
        joined, longest = state["actions"].numpy(), int(self.lengths.max())
        block = np.zeros((longest, len(self.lengths), *joined.shape[1:]), joined.dtype)
        for index, own in enumerate(np.split(joined, np.cumsum(self.lengths)[:-1])):
            block[longest - len(own) :, index] = own
        self._actions.append(block)

    def replay(self, envs: Environments, standing_at: np.ndarray) -> list[int]:
        """Bring the environments to where they stood, observing ``standing_at`` (N, *obs).

        Returns:
            The numbers of those that are elsewhere now: one and the same seed, and the same actions, led to another
            observation, or to an end, or to an error.
        """
        space = envs.single_action_space
        actions = [clip_to_space(space, self.actions_of(index)) for index in range(envs.num_envs)]
        found = envs.replay([int(seed) for seed in self.seeds], actions)
        return [i for i, seen in enumerate(found) if not _same(seen, standing_at[i])]


def _same(seen: np.ndarray | None, standing_at: np.ndarray) -> bool:
    """Whether an observation that an environment came to is the one it stood at, in the type of that."""
    if seen is None:
        return False
    with np.errstate(over="ignore"):
        return np.array_equal(np.asarray(seen).astype(standing_at.dtype), standing_at)
