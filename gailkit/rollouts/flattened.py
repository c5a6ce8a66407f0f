"""Environments of which everything that is seen and done is one vector."""

from __future__ import annotations

from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.spaces import flatten

from gailkit.spaces import (
    Flat,
    flatten_values,
    flattened_space,
    from_gymnasium,
    leave_out_text,
    text_parts,
    to_gymnasium,
    unflatten_values,
    without_text,
)


class Flattened(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Observations and actions of several parts as one vector, which is what networks and everything that measures them
    see and do. Text in a Dict of observations is left out."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.left_out = text_parts(env.observation_space)
        self.observation_space = flattened_space(without_text(env.observation_space))
        self.action_space = flattened_space(env.action_space)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As that of the environment."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._flat(observation), info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """As that of the environment."""
        if isinstance(self.action_space, Flat):
            action = to_gymnasium(self.action_space.stated, unflatten_values(self.action_space, action[np.newaxis]), 0)
        observation, *answer = self.env.step(action)
        return self._flat(observation), *answer

    def _flat(self, observation: Any) -> Any:
        space = self.observation_space
        if not isinstance(space, Flat):
            return observation
        if self.left_out:
            observation = leave_out_text(space.stated, observation)
        if not space.pictures:
            return flatten(space.stated, observation)
        values = flatten_values(space, from_gymnasium(space.stated, [observation]))
        numbers = space.vector_of(values)
        if not np.isfinite(numbers).all():  # nobody else would see it in the bytes
            index = int(np.flatnonzero(~np.isfinite(numbers[0]))[0])
            raise ValueError(f"{space.place(index)} of an observation is {numbers[0, index]}")
        return values[0]
