"""What environments that are stepped together have to be able to do, wherever they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from gymnasium import Space
from gymnasium.wrappers import FlattenObservation

from gailkit.rollouts.environments import time_limit_of, wrappers_of
from gailkit.rollouts.flattened import Flattened
from gailkit.rollouts.simulators import OneSimulated
from gailkit.spaces import Flat

FAILURES = "failures"
"""Where the infos of a step or a reset say which environments failed in it, a ``Failure`` each by its number."""

SUCCESSES = "successes"
"""Where the infos of a step say of environments whose episode ended, by their numbers, whether it was a success; of
those alone whose own info says so, as ``is_success`` or ``success``."""


class Failure(NamedTuple):
    """How an environment failed; the step or reset in which it did has not happened."""

    how: str  # "failed", "was ended by SIGSEGV"
    why: str = ""  # what it raised
    guilty: bool = True  # False where it only shared the process of one that failed


class About(NamedTuple):
    """What is to be known of an environment."""

    name: str
    observation_space: Space[Any]
    action_space: Space[Any]
    time_limit: int | None = None  # steps after which it truncates an episode
    flattened_from: Space[Any] | None = None  # the space of the observations that it flattens to one vector
    wrappers: tuple[str, ...] = ()  # the names of those around it, the innermost first, but for the usual ones
    left_out: tuple[str, ...] = ()  # parts of its observations that are text

    @classmethod
    def of(cls, env: gymnasium.Env[Any, Any]) -> About:
        """That of ``env``."""
        name = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
        limit, flattened = time_limit_of(env), _flattened_from(env)
        if isinstance(env, OneSimulated):
            return cls(env.name, env.observation_space, env.action_space, env.time_limit)
        left_out = ["/".join(path) for path in env.left_out] if isinstance(env, Flattened) else []
        return cls(name, env.observation_space, env.action_space, limit, flattened, wrappers_of(env), tuple(left_out))


class Environments(Protocol):
    """N environments that are stepped together, none of which resets itself.

    It is Gymnasium's vector environment with autoreset disabled, as far as rollouts need it: after a step that ends
    episodes the observations returned are the true last ones. Beyond Gymnasium's, ``which`` lets some stand still,
    ``replay`` brings back what was interrupted, and the infos tell of environments that failed (``FAILURES``) and of
    success (``SUCCESSES``). One that failed takes no further step before it is reset; ``reset`` makes it anew where it
    must.
    """

    about: About
    num_envs: int
    single_observation_space: Space[Any]
    single_action_space: Space[Any]

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode with its seed in each environment of ``options["reset_mask"]`` (N,), or in all.

        Returns:
            The observations (N, *obs), of the other environments as they last were, and infos.
        """

    def step(
        self, actions: np.ndarray, which: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Take a step with ``actions`` (N, *act) in each environment of the mask ``which`` (N,), or in all.

        Returns:
            Observations (N, *obs), rewards (N,), terminated (N,), truncated (N,), of the others as they last were, and
            infos.
        """

    def replay(self, seeds: Sequence[int], actions: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        """Begin an episode in each environment with its seed and take its actions (L, *act).

        Returns:
            The observation (*obs) that each stands at then; None for one that came to an end or failed on the way.
        """

    def close(self) -> None:
        """Have done with the environments, and with the processes that they run in."""


def _flattened_from(env: gymnasium.Env[Any, Any]) -> Space[Any] | None:
    if isinstance(env.observation_space, Flat):
        return env.observation_space.stated
    inner: gymnasium.Env[Any, Any] = env
    while isinstance(inner, gymnasium.Wrapper):
        if isinstance(inner, FlattenObservation):
            space: Space[Any] = inner.env.observation_space
            return space
        inner = inner.env
    return None
