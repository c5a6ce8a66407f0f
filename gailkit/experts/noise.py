"""Actions that stray from a policy's own, so that demonstrations show the way back as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Discrete

from gailkit.errors import InputError
from gailkit.spaces import Flat, as_batch, box_center_and_scale, clip_to_space
from gailkit.types import BatchPolicy, Policy, RememberingPolicy, followed

LARGEST = float(np.finfo(np.float32).max)

Straying = Callable[[Any, int], np.ndarray]
"""What a policy returned for N observations, and N, to other actions (N, *act)."""


@dataclass(frozen=True)
class Noisy(RememberingPolicy):
    """A policy whose actions stray; it remembers what that one does."""

    policy: Policy
    stray: Straying

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        return self.stray(self.policy(observations), len(observations))

    def follow(self, observations: np.ndarray, remembered: Sequence[Any]) -> tuple[np.ndarray, Sequence[Any]]:
        """See ``RememberingPolicy``."""
        answer, remembered = followed(self.policy, observations, remembered)
        return self.stray(answer, len(observations)), remembered


def noisy(policy: Policy, action_space: Space[Any], scale: float, seed: int) -> BatchPolicy:
    """``policy`` with noise: the same ``seed`` gives the same noise.

    In a Box, a' = clip(clip(a) + scale * h * e), e ~ N(0, I), with h half the width of a dimension, or 1 where it is
    not bounded. Of Discrete actions each is replaced, with probability ``scale``, by a uniformly random one. Of actions
    of several parts, which are flat, each by itself: every choice and bit as a Discrete one, and numbers as in a Box.

    Raises:
        InputError: if ``scale`` is negative or not finite, or more than 1 for actions that are chosen.
    """
    random = np.random.default_rng(seed)
    if isinstance(action_space, Flat):
        chosen = len(action_space.sets) + len(action_space.bits)
        _check(scale, 1.0 if chosen else LARGEST, "a probability, from 0 to 1, as actions are chosen")
        return Noisy(policy, _of_parts(action_space, scale, random))
    if isinstance(action_space, Discrete):
        _check(scale, 1.0, "a probability, from 0 to 1, as the actions are discrete")
        return Noisy(policy, _random_instead(action_space, scale, random))
    _check(scale, LARGEST, "0 or a positive number")
    return Noisy(policy, _around(action_space, scale, random))


def _check(scale: float, most: float, accepted: str) -> None:
    if not 0 <= scale <= most:
        raise InputError(f"the noise is {scale:g}; accepted is {accepted}")


def _random_instead(space: Discrete[Any], probability: float, random: np.random.Generator) -> Straying:
    def stray(answer: Any, count: int) -> np.ndarray:
        actions = np.asarray(answer)
        replaced = random.random(count) < probability
        drawn = space.start + random.integers(space.n, size=count)
        if actions.shape != replaced.shape or actions.dtype.kind not in "iub":
            return actions  # what is no action stays as it is, for whoever runs the episode to refuse
        return np.where(replaced, drawn, actions)

    return stray


def _of_parts(space: Flat, scale: float, random: np.random.Generator) -> Straying:
    choices = [np.arange(each.start, each.stop) for each in space.sets]
    numbers = space.numbers
    deviation = scale * box_center_and_scale(space)[1].numpy()[numbers]

    def stray(answer: Any, count: int) -> np.ndarray:
        actions = np.array(as_batch(space, answer, "action").values)
        for columns in choices:
            replaced = np.flatnonzero(random.random(count) < scale)
            actions[replaced[:, None], columns] = np.eye(len(columns))[
                random.integers(len(columns), size=len(replaced))
            ]
        for bit in space.bits:
            replaced = np.flatnonzero(random.random(count) < scale)
            actions[replaced, bit] = random.integers(2, size=len(replaced))
        clipped = clip_to_space(space, actions)
        clipped[:, numbers] = clipped[:, numbers] + deviation * random.standard_normal((count, len(numbers)))
        return clip_to_space(space, clipped)

    return stray


def _around(space: Space[Any], scale: float, random: np.random.Generator) -> Straying:
    deviation = scale * box_center_and_scale(space)[1].numpy().reshape(space.shape)

    def stray(answer: Any, count: int) -> np.ndarray:
        actions = np.asarray(answer)
        strayed = deviation * random.standard_normal((count, *deviation.shape))
        if actions.shape != strayed.shape or actions.dtype.kind not in "iuf":
            return actions
        return clip_to_space(space, clip_to_space(space, actions) + strayed)

    return stray
