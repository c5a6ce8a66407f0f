"""Putting an environment into the state that an observation shows, for the few tasks where one shows enough of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from gailkit.rollouts.environments import environment_failures

SetState = Callable[[np.ndarray], None]
"""Takes one observation (*obs)."""

_CLASSIC: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # class of the environment -> observation to its state
    "CartPoleEnv": lambda seen: seen,
    "MountainCarEnv": lambda seen: seen,
    "Continuous_MountainCarEnv": lambda seen: seen,
    "PendulumEnv": lambda seen: np.array([np.arctan2(seen[1], seen[0]), seen[2]]),
    "AcrobotEnv": lambda seen: np.array([np.arctan2(seen[1], seen[0]), np.arctan2(seen[3], seen[2]), seen[4], seen[5]]),
}
MOST_HIDDEN = 2  # positions at the front of a MuJoCo state that observations leave out: x, or x and y


def state_setter(env: gymnasium.Env[Any, Any]) -> SetState | None:
    """What puts ``env`` into the state of an observation; None where observations do not show the state.

    The positions that MuJoCo's observations leave out are set to 0: nothing but where the body is depends on them.
    """
    bare: Any = env.unwrapped
    if env.observation_space != bare.observation_space:  # as of pictures of it
        return None
    name = type(bare).__name__
    if type(bare).__module__.startswith("gymnasium.envs.classic_control") and name in _CLASSIC:
        return lambda seen: _set_classic(env, _CLASSIC[name](seen.astype(np.float64)))
    if not all(hasattr(bare, part) for part in ("set_state", "init_qpos", "init_qvel")):
        return None
    positions, velocities = len(bare.init_qpos), len(bare.init_qvel)
    shape = env.observation_space.shape or (0,)
    hidden = positions + velocities - shape[0]
    if len(shape) != 1 or not 0 <= hidden <= MOST_HIDDEN:
        return None

    def set_state(seen: np.ndarray) -> None:
        state = np.concatenate([np.zeros(hidden), seen.astype(np.float64)])
        bare.set_state(state[:positions], state[positions:])

    return set_state if _shows_state(env, set_state) else None


def _set_classic(env: gymnasium.Env[Any, Any], state: np.ndarray) -> None:
    bare: Any = env.unwrapped
    bare.state = state
    if hasattr(bare, "steps_beyond_terminated"):
        bare.steps_beyond_terminated = None


def _shows_state(env: gymnasium.Env[Any, Any], set_state: SetState) -> bool:
    """Whether a step from the state of an observation is the step that was taken from there."""
    with environment_failures("its state was set"):
        seen, _ = env.reset(seed=0)
        action = env.action_space.sample()
        expected = env.step(action)[0]
        env.reset(seed=1)
        set_state(np.asarray(seen))
        found = env.unwrapped.step(action)[0]
    return bool(np.allclose(expected, found, rtol=1e-3, atol=1e-3))
