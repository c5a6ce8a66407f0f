"""An episode that was recorded, gone through once more in the environment, so that it can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from gailkit.checks.states import SetState, state_setter
from gailkit.errors import InputError
from gailkit.rollouts.environments import environment_failures
from gailkit.spaces import to_gymnasium
from gailkit.types import Trajectory
from gailkit.viewing.rendering import Filmed
from gailkit.wording import counted

ABSOLUTE, RELATIVE = 1e-3, 1e-3  # within these an observation is the one that was recorded


class Retelling(NamedTuple):
    """How to go through an episode: reset ``env`` with its seed, then take its first ``steps`` actions."""

    env: gymnasium.Env[Any, Any]
    steps: int  # those of the episode that can be shown
    note: str = ""  # what a viewer should know, a sentence without its full stop


def retelling(env: gymnasium.Env[Any, Any], trajectory: Trajectory, whose: str) -> Retelling:
    """The best way to go through ``trajectory``, the episode of ``whose`` (policy, expert), in ``env``.

    That is a replay from its seed if all observations come out as recorded, else the states that they show, set one
    after another; where they show none, the part of the replay that does come out.

    Raises:
        InputError: if there is none.
        EnvironmentFailure: if the environment raises.
    """
    expected, found = env.observation_space.shape, trajectory.observations.shape[1:]
    if found != expected:
        raise InputError(f"observations of the {whose} have shape {found}, those of the environment {expected}")
    steps = faithful_steps(env, trajectory)
    if steps == len(trajectory):
        return Retelling(env, steps)
    why = f"the {whose}'s episode {_why_not_replayed(trajectory, steps)}"
    set_state = state_setter(env)
    if set_state is not None:
        told = StateByState(env, set_state, trajectory)
        return Retelling(told, len(trajectory), f"{why}, so its states are set from its observations")
    if steps == 0:
        raise InputError(f"{why}, and observations of this environment do not show its state")
    return Retelling(env, steps, f"{why}, so it is shown up to there")


def faithful_steps(env: gymnasium.Env[Any, Any], trajectory: Trajectory) -> int:
    """How many steps lead to the observations recorded when they are replayed from the seed; 0 without a seed or
    actions."""
    if trajectory.seed is None or not trajectory.has_actions:
        return 0
    with environment_failures(f"it was reset with seed {trajectory.seed}"):
        seen, _ = env.reset(seed=trajectory.seed)
    if not _same(seen, trajectory.observations[0]):
        return 0
    for index in range(len(trajectory)):
        seen, _, terminated, _, _ = _step(env, trajectory, index)
        if not _same(seen, trajectory.observations[index + 1]):
            return index
        if terminated:  # what follows would be outside every episode
            return index + 1
    return len(trajectory)


def draw(told: Retelling, trajectory: Trajectory, stride: int, on_frame: Callable[[np.ndarray], None]) -> None:
    """Hand ``on_frame`` a frame (H, W, 3) of every ``stride``-th state, the first and the last always among them.

    Raises:
        InputError, EnvironmentFailure: if the environment raises or cannot be drawn, or ``on_frame`` refuses a frame.
    """
    filmed = Filmed(told.env, stride, on_frame)
    with environment_failures("a recorded episode was drawn"):
        filmed.reset(seed=trajectory.seed)
    for index in range(told.steps):
        if filmed.failure is not None:
            break
        if index == told.steps - 1:
            filmed.stride = 1
        _step(filmed, trajectory, index)
    if filmed.failure is not None:
        raise filmed.failure


class StateByState(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Goes through the states that the observations of an episode show, whatever the actions."""

    def __init__(self, env: gymnasium.Env[Any, Any], set_state: SetState, trajectory: Trajectory) -> None:
        super().__init__(env)
        self.set_state = set_state
        self.trajectory = trajectory
        self.moment = 0
        self.travelled = np.zeros(0)  # positions at the front of a MuJoCo state that observations leave out

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The first state of the episode."""
        _, about = self.env.reset(seed=0, options=options)
        self.moment = 0
        self.travelled = np.zeros(self._hidden())
        return self._show(), about

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """The next state of the episode."""
        self.moment += 1
        observation = self._show()
        return observation, 0.0, False, False, {}

    def _show(self) -> np.ndarray:
        observation: np.ndarray = self.trajectory.observations[self.moment]
        with environment_failures("its state was set"):
            self.set_state(observation)
            if len(self.travelled):
                self._move_along()
        return observation

    def _hidden(self) -> int:
        bare: Any = self.env.unwrapped
        if not hasattr(bare, "set_state"):
            return 0
        return len(bare.init_qpos) + len(bare.init_qvel) - len(self.trajectory.observations[0])

    def _move_along(self) -> None:
        """Put the body where its speed has brought it, so that the ground passes by."""
        bare: Any = self.env.unwrapped
        hidden = len(self.travelled)
        positions, velocities = bare.data.qpos.copy(), bare.data.qvel.copy()
        if self.moment:
            self.travelled = self.travelled + velocities[:hidden] * bare.dt
        positions[:hidden] = self.travelled
        bare.set_state(positions, velocities)


def _why_not_replayed(trajectory: Trajectory, steps: int) -> str:
    if not trajectory.has_actions:
        return "holds no actions that could be replayed"
    if trajectory.seed is None:
        return "was recorded without its seed"
    if steps == 0:
        return f"does not come out as recorded from seed {trajectory.seed}"
    return (
        f"leads elsewhere after {steps} of {counted(len(trajectory), 'step')} when it is replayed "
        f"from seed {trajectory.seed}"
    )


def _step(env: gymnasium.Env[Any, Any], trajectory: Trajectory, index: int) -> tuple[Any, Any, bool, bool, Any]:
    space = env.action_space
    if not trajectory.has_actions:  # then states are set, one after another
        return env.step(None)
    action = to_gymnasium(space, trajectory.actions, index)
    if isinstance(space, Box):
        action = np.clip(action, space.low, space.high)
    with environment_failures("a recorded action was replayed"):
        return env.step(action)


def _same(seen: Any, recorded: np.ndarray) -> bool:
    found = np.asarray(seen)
    return found.shape == recorded.shape and np.allclose(
        found.astype(np.float64), recorded.astype(np.float64), rtol=RELATIVE, atol=ABSOLUTE
    )
