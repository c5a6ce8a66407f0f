"""Some environments in the process that this runs in: what is told to them and what they answer stands in arrays.

The arrays may lie in memory that several processes share. One process or many, the environments are stepped by this
code, so that it makes no difference to what they do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from gailkit.importing import describe_foreign
from gailkit.rollouts.protocol import About, Failure
from gailkit.spaces import not_finite

EnvFactory = Callable[[], gymnasium.Env[Any, Any]]
Buffer = Any  # bytearray, mmap: whatever NumPy makes arrays on
ALIGNED = 64
NO_SEED = -1
NOT_TOLD = -1


class Arrays(NamedTuple):
    """What goes to N environments and comes from them."""

    actions: np.ndarray  # (N, *act)
    observations: np.ndarray  # (N, *obs)
    rewards: np.ndarray  # (N,) float64
    seeds: np.ndarray  # (N,) int64, NO_SEED for none
    calls: np.ndarray  # (N,) int64: goes up when an environment is called and when it answers; odd while it is at work
    which: np.ndarray  # (N,) bool: who is meant
    terminated: np.ndarray  # (N,) bool
    truncated: np.ndarray  # (N,) bool
    succeeded: np.ndarray  # (N,) int8, of those that ended 1 for a success, 0 for none, NOT_TOLD where nothing was said

    @classmethod
    def size(cls, about: About, num_envs: int) -> int:
        """Bytes that they take."""
        return sum(_aligned(_bytes(dtype, shape)) for dtype, shape in _layout(about, num_envs))

    @classmethod
    def on(cls, buffer: Buffer, about: About, num_envs: int) -> Arrays:
        """The arrays in ``buffer``, which has the right ``size``."""
        arrays, offset = [], 0
        for dtype, shape in _layout(about, num_envs):
            arrays.append(np.ndarray(shape, dtype, buffer, offset))
            offset += _aligned(_bytes(dtype, shape))
        return cls(*arrays)


class Group:
    """The environments with the numbers ``indices``, made by ``factory``; one that failed is made anew when reset."""

    def __init__(self, factory: EnvFactory, indices: Sequence[int]) -> None:
        """Raises whatever the factory raises."""
        self.factory = factory
        self.envs: dict[int, gymnasium.Env[Any, Any]] = {}
        self._broken: set[int] = set()
        try:
            for index in indices:
                self.envs[index] = factory()
        except BaseException:
            self.close()
            raise
        self.about = About.of(self.envs[indices[0]])

    def attach(self, arrays: Arrays) -> None:
        """Take what is told from ``arrays``, and answer there."""
        self.arrays = arrays
        self._shape, self._dtype = arrays.observations.shape[1:], arrays.observations.dtype

    def reset(self) -> dict[int, Failure]:
        """Reset those of ``which`` with their ``seeds``."""
        return self._each(self._reset)

    def step(self) -> dict[int, Failure]:
        """Step those of ``which`` with their ``actions``."""
        return self._each(self._step)

    def replay(self, episodes: dict[int, tuple[int, np.ndarray]]) -> dict[int, Failure]:
        """Begin each of the episodes, seed and actions (L, *act) by number, and take its actions.

        ``truncated`` says afterwards which came to an end on the way.
        """
        return self._each(lambda index: self._replay(index, *episodes[index]))

    def close(self) -> None:
        """Close the environments; what one of them raises then is of no use to anybody."""
        while self.envs:
            _close(self.envs.popitem()[1])

    def _each(self, work: Callable[[int], None]) -> dict[int, Failure]:
        failures, calls, which = {}, self.arrays.calls, self.arrays.which.tolist()
        for index in self.envs:
            if not which[index]:
                continue
            calls[index] += 1
            try:
                work(index)
            except _Unfit as error:
                failures[index] = error.failure
            except Exception as error:  # an environment is foreign code and may raise anything
                failures[index] = Failure("failed", describe_foreign(error, __file__))
            calls[index] += 1
        if failures:
            self._broken.update(failures)
        return failures

    def _reset(self, index: int) -> None:
        if index in self._broken:
            _close(self.envs[index])
            self.envs[index] = self.factory()
            self._broken.discard(index)
        seed = int(self.arrays.seeds[index])
        observation, _ = self.envs[index].reset(seed=None if seed == NO_SEED else seed)
        self._observe(index, observation)

    def _step(self, index: int) -> None:
        arrays = self.arrays
        action = arrays.actions[index]
        # a copy, for the environment may keep it; the elements of a Discrete space are none to be copied
        answer = self.envs[index].step(action.copy() if isinstance(action, np.ndarray) else action)
        observation, reward, terminated, truncated, info = answer
        self._observe(index, observation)
        arrays.rewards[index] = reward
        arrays.terminated[index], arrays.truncated[index] = terminated, truncated
        if terminated or truncated:
            arrays.succeeded[index] = _success_in(info)

    def _replay(self, index: int, seed: int, actions: np.ndarray) -> None:
        self.arrays.seeds[index], self.arrays.truncated[index] = seed, False
        self._reset(index)
        for action in actions:
            observation, _, terminated, truncated, _ = self.envs[index].step(action)
            self._observe(index, observation)
            self.arrays.calls[index] += 2  # it has answered, and is called again
            if terminated or truncated:
                self.arrays.truncated[index] = True
                return

    def _observe(self, index: int, observation: Any) -> None:
        found = np.asarray(observation)
        if found.shape != self._shape:
            shapes = f"returned an observation of shape {found.shape}, where its space has {self._shape},"
            raise _Unfit(Failure(shapes))
        if found.dtype != self._dtype:
            found = _cast(found, self._dtype, self.about)
        self.arrays.observations[index] = found


def _success_in(info: Any) -> int:
    """What the last info of an episode says of its success, by either of the names that are in use; whatever it says
    otherwise is no fault of the environment's."""
    names = ("is_success", "success") if isinstance(info, Mapping) else ()
    told = next((info[name] for name in names if name in info), None)
    told = told.item() if isinstance(told, np.ndarray) and told.size == 1 else told
    return int(bool(told)) if isinstance(told, bool | int | float | np.number | np.bool_) else NOT_TOLD


class _Unfit(Exception):
    """An environment answered what is none of its space."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.how)
        self.failure = failure


def _cast(found: np.ndarray, dtype: np.dtype[Any], about: About) -> np.ndarray:
    """An observation in the type of its space; it may come in another, and then has to be finite here already."""
    with np.errstate(over="ignore", invalid="ignore"):  # what the type cannot hold is found out next
        stored = found.astype(dtype)
    held = stored if dtype.kind == "f" else found
    if held.dtype.kind == "f" and not np.isfinite(held).all():
        flattened = about.flattened_from if found.ndim else None
        raise _Unfit(Failure("returned an observation that is not finite", not_finite(found, held, flattened)))
    return stored


def _close(env: gymnasium.Env[Any, Any]) -> None:
    with suppress(Exception):  # foreign code, of which nothing more is needed
        env.close()


def _layout(about: About, num_envs: int) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
    lead = (num_envs,)
    spaces = [
        (np.dtype(space.dtype), (*lead, *(space.shape or ())))
        for space in (about.action_space, about.observation_space)
    ]
    flags = [*[(np.dtype(bool), lead)] * 3, (np.dtype(np.int8), lead)]
    return [*spaces, (np.dtype(np.float64), lead), *[(np.dtype(np.int64), lead)] * 2, *flags]


def _bytes(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    return dtype.itemsize * math.prod(shape)


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
