"""What an environment is known to do: the side that demonstrations are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import Space

from gailkit.checks.subject import Subject
from gailkit.demonstrations.fitting_environment import flattened_by
from gailkit.errors import InputError
from gailkit.rollouts.environments import environment_failures, make_env, time_limit_of
from gailkit.spaces import Flat, flatten_values, flattened_space, from_gymnasium, unflatten_values

NUM_STARTS = 64
NUM_STEPS = 100


class Surroundings(NamedTuple):
    """An environment, its spaces, and a little of what happens in it."""

    env_id: str
    observation_space: Space[Any]
    action_space: Space[Any]
    time_limit: int | None = None  # after which it truncates an episode
    starts: np.ndarray | None = None  # (S, *obs), observations right after a reset
    rewards: np.ndarray | None = None  # (R,), of random actions
    env: gymnasium.Env[Any, Any] | None = None  # to act in


def surroundings_of(env_id: str, env_kwargs: Mapping[str, Any]) -> Surroundings:
    """Make the environment and look around in it; the caller closes ``env``.

    Raises:
        InputError, EnvironmentFailure: as ``make_env``.
    """
    env = make_env(env_id, env_kwargs)
    with environment_failures("it was looked at"):
        starts = [env.reset(seed=seed)[0] for seed in range(NUM_STARTS)]
        rewards = _rewards(env)
    limit, space = time_limit_of(env), env.observation_space
    observed = from_gymnasium(space, starts)
    if isinstance(space, Flat) and space.pictures:  # bytes in which numbers cannot be told
        space, observed = space.stated, unflatten_values(space, observed)
    return Surroundings(env_id, space, env.action_space, limit, observed, rewards, env)


def as_observed(subject: Subject, around: Surroundings) -> Subject:
    """The subject as the environment shows and takes it: observations and actions are flattened where those of it are.

    Numbers that are not in their set stay as they are, for a check to find them.
    """
    if not subject.trajectories:
        return subject
    first, about = subject.trajectories[0], subject.about
    observed = flattened_by(about.observation_space, around.observation_space, first.observations)
    acted = flattened_by(about.action_space, around.action_space, first.actions) if first.has_actions else None
    if observed is not None:
        with suppress(InputError):
            flat = [
                replace(each, observations=flatten_values(observed, each.observations)) for each in subject.trajectories
            ]
            about = about._replace(observation_space=flattened_space(observed))
            subject = replace(subject, trajectories=tuple(flat), about=about)
    if acted is not None:
        with suppress(InputError):
            flat = [replace(each, actions=flatten_values(acted, each.actions)) for each in subject.trajectories]
            about = about._replace(action_space=flattened_space(acted))
            subject = replace(subject, trajectories=tuple(flat), about=about)
    return subject


def _rewards(env: gymnasium.Env[Any, Any]) -> np.ndarray:
    env.action_space.seed(0)
    rewards = []
    ended = True
    for _ in range(NUM_STEPS):
        if ended:
            env.reset()
        _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        rewards.append(float(reward))
        ended = terminated or truncated
    return np.array(rewards)
