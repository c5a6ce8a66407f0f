"""Whole episodes under any policy: what `record` and `evaluate` are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import gymnasium
import numpy as np
from gymnasium import Space
from gymnasium.spaces import Discrete

from gailkit.errors import EnvironmentFailure, InputError
from gailkit.rollouts.environments import all_finite, environment_failures, not_finite_failure
from gailkit.rollouts.global_generators import seeded_globally
from gailkit.spaces import clip_to_space
from gailkit.types import Policy, Trajectory
from gailkit.wording import counted

EnvFactory = Callable[[], gymnasium.Env[Any, Any]]
LONGEST_EPISODE = 100_000


def run_episodes(
    policy: Policy,
    env_factory: EnvFactory,
    seeds: Sequence[int],
    num_envs: int = 8,
    max_episode_steps: int = LONGEST_EPISODE,
    on_steps: Callable[[int], None] | None = None,
) -> Iterator[tuple[int, Trajectory]]:
    """Run one episode for each seed and yield it as it ends: its index in ``seeds`` and its Trajectory.

    ``num_envs`` environments run side by side. One that is done takes the next seed, one that finds none left drops
    out of the batch: exactly the episodes that were asked for are run, none is preferred for being short.
    ``on_steps`` is called after each batch with the number of steps just taken; it may raise to stop the run, and no
    finished episode is lost then. Actions are stored as the environment saw them, clipped to its Box.

    Raises:
        EnvironmentFailure: if an environment raises, returns a number that is not finite or an observation of the
            wrong shape, or if an episode takes more than ``max_episode_steps`` steps.
        InputError: if the policy returns actions of the wrong shape or type, or ``num_envs`` is less than 1.
    """
    if num_envs < 1:
        raise InputError(f"the number of environments must be at least 1; found {num_envs}")
    with ExitStack() as opened:
        envs = [opened.enter_context(closing(env_factory())) for _ in range(min(num_envs, len(seeds)))]
        if not envs:
            return
        slots = [RunningEpisode(env, max_episode_steps) for env in envs]
        yield from _side_by_side(policy, slots, envs[0].action_space, iter(enumerate(seeds)), on_steps)


def _side_by_side(
    policy: Policy,
    slots: Sequence[RunningEpisode],
    action_space: Space[Any],
    queue: Iterator[tuple[int, int]],
    on_steps: Callable[[int], None] | None,
) -> Iterator[tuple[int, Trajectory]]:
    """Episodes as they end, until none is left in the ``queue`` and none runs."""
    running = [slot for slot in slots if slot.begin(next(queue, None))]
    while running:
        actions = _ask(policy, np.array([slot.observations[-1] for slot in running]), action_space)
        unfinished = []
        for slot, action in zip(running, actions, strict=True):
            ended = slot.step(action)
            if ended:
                yield slot.index, slot.trajectory()
            if not ended or slot.begin(next(queue, None)):
                unfinished.append(slot)
        if on_steps is not None:
            on_steps(len(running))
        running = unfinished


def collect_episodes(
    policy: Policy,
    env_factory: EnvFactory,
    seeds: Sequence[int],
    num_envs: int = 8,
    on_episode: Callable[[Trajectory], None] | None = None,
    on_steps: Callable[[int], None] | None = None,
) -> list[Trajectory]:
    """The episodes of ``run_episodes`` in the order of their seeds; ``on_episode`` sees each as it ends.

    The same seeds and number of environments give the same episodes, also where an environment draws from global
    generators.
    """
    finished: dict[int, Trajectory] = {}
    with seeded_globally([len(seeds), *seeds]):
        for index, trajectory in run_episodes(policy, env_factory, seeds, num_envs, on_steps=on_steps):
            finished[index] = trajectory
            if on_episode is not None:
                on_episode(trajectory)
    return [finished[index] for index in range(len(seeds))]


class RunningEpisode:
    """One environment and the episode that runs in it, kept step by step as the environment told it."""

    def __init__(self, env: gymnasium.Env[Any, Any], max_episode_steps: int) -> None:
        self.env = env
        self.max_episode_steps = max_episode_steps
        space = env.observation_space  # asked for once: it takes a walk through all wrappers
        self._dtype, self._shape = np.dtype(space.dtype), space.shape

    def begin(self, numbered_seed: tuple[int, int] | None) -> bool:
        """Start the episode (index, seed); False if there is none left to start."""
        if numbered_seed is None:
            return False
        self.index, self.seed = numbered_seed
        self.actions: list[np.ndarray | np.int64] = []
        self.rewards: list[float] = []
        self.terminated = False
        with environment_failures(f"it was reset with seed {self.seed}"):
            observation, _ = self.env.reset(seed=self.seed)
        self.observations = [self._checked(observation, 0)]
        return True

    def step(self, action: np.ndarray | np.int64) -> bool:
        """Take one step with ``action`` (*act), kept as it is; True if it ended the episode."""
        try:
            observation, reward, terminated, truncated, _ = self.env.step(action)
            reward = float(reward)
        except Exception:  # an environment is foreign code and may raise anything; a block around each step is slow
            with environment_failures(f"it took step {len(self.actions) + 1} of the episode with seed {self.seed}"):
                raise
        checked = self._checked(observation, len(self.actions) + 1)
        if not math.isfinite(reward):
            raise self._not_finite("a reward", np.array(reward), np.array(reward), len(self.actions) + 1)
        self.observations.append(checked)
        self.actions.append(action)
        self.rewards.append(reward)
        self.terminated = bool(terminated)
        ended = bool(terminated or truncated)
        if not ended and len(self.actions) >= self.max_episode_steps:
            raise EnvironmentFailure(
                f"an episode has not ended after {counted(self.max_episode_steps, 'step')}; "
                "give the environment a time limit (max_episode_steps where it is registered)"
            )
        return ended

    def trajectory(self) -> Trajectory:
        """What has happened since the episode began."""
        return Trajectory(
            observations=np.array(self.observations),
            actions=np.array(self.actions),
            rewards=np.array(self.rewards, dtype=np.float64),
            terminated=self.terminated,
            seed=self.seed,
        )

    def _checked(self, observation: Any, step: int) -> np.ndarray:
        """A copy of the observation (*obs) in the dtype of the space; environments may reuse their arrays."""
        try:
            found = np.asarray(observation)
            values = found.copy() if found.dtype == self._dtype else _cast(found, self._dtype)
        except Exception:  # what an environment returns may be anything
            with environment_failures("its observation was read"):
                raise
        if values.shape != self._shape:
            raise EnvironmentFailure(
                f"the environment returned an observation of shape {values.shape}; its space has {self._shape}"
            )
        held = values if self._dtype.kind == "f" else found
        if not (_surely_finite(held) or all_finite(held)):
            raise self._not_finite("an observation", found, held, step)
        return values

    def _not_finite(self, what: str, found: np.ndarray, stored: np.ndarray, step: int) -> EnvironmentFailure:
        return not_finite_failure(self.env, what, found, stored, self.seed, step)


def _cast(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # what the type cannot hold is refused afterwards
        return values.astype(dtype)


def _surely_finite(values: np.ndarray) -> bool:
    """False if a number is NaN or infinite, and also where the sum of squares is too large to tell; fast for few."""
    return values.dtype.kind != "f" or math.isfinite(np.vdot(values, values))


def _ask(policy: Policy, observations: np.ndarray, space: Space[Any]) -> np.ndarray:
    """The policy's actions (N, *act) as the environment takes them, checked."""
    actions = np.asarray(policy(observations))
    expected = (len(observations), *(space.shape or ()))
    kinds, wanted = ("iub", "integers") if isinstance(space, Discrete) else ("iuf", "real numbers")
    if actions.shape != expected or actions.dtype.kind not in kinds:
        raise InputError(
            f"the policy returned actions of shape {actions.shape} and type {actions.dtype}; "
            f"expected are {wanted} of shape {expected}"
        )
    if isinstance(space, Discrete):
        return actions.astype(np.int64)
    if not (_surely_finite(actions) or all_finite(actions)):
        raise InputError("the policy returned an action that is not finite (NaN or infinity)")
    return clip_to_space(space, actions)
