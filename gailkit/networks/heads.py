"""What a policy network's outputs stand for: deviations within a range, greedy choices, and which heads there are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.errors import InputError
from gailkit.spaces import Flat, brief

STDS = ("free", "state")
BOUNDS = ("clip", "tanh")
EPSILON = 0.05  # of a greedy policy, when actions are drawn from it
LOG_STD_RANGE = (-5.0, 2.0)  # of a deviation that depends on the state


def greedy_logits(values: Tensor, epsilon: float) -> Tensor:
    """Logits (B, A) of the epsilon-greedy policy: any action with probability epsilon, else that of the largest value.

    They have no gradient.
    """
    actions = values.shape[-1]
    best = torch.nn.functional.one_hot(values.argmax(-1), actions)
    return (epsilon / actions + (1.0 - epsilon) * best).log()


def bounded_log_std(outputs: Tensor, initial: float) -> Tensor:
    """Outputs o of any shape to log deviations in LOG_STD_RANGE: m + h tanh(o / h + artanh((initial - m) / h)).

    m and h are the range's middle and half-width; o = 0 gives ``initial``, and the slope is 1 at most. Smooth, because
    a hard clamp has no gradient beyond its ends: a state that once came there would keep its deviation for good.
    """
    low, high = LOG_STD_RANGE
    middle, half = (low + high) / 2, (high - low) / 2
    return middle + half * (outputs / half + math.atanh((initial - middle) / half)).tanh()


def unbounded_log_std(log_std: Tensor, initial: float) -> Tensor:
    """The outputs o that ``bounded_log_std`` turns into ``log_std``, of any shape."""
    low, high = LOG_STD_RANGE
    middle, half = (low + high) / 2, (high - low) / 2
    return half * (torch.atanh((log_std - middle) / half) - math.atanh((initial - middle) / half))


def check_head(action_space: Space[Any], initial_log_std: float, std: str, bounds: str) -> None:
    """Raise InputError unless there is such a policy for such actions."""
    numbers = number_columns(action_space)
    for name, found, accepted in (("std", std, STDS), ("bounds", bounds, BOUNDS)):
        if found not in accepted:
            raise InputError(f"{name} must be {' or '.join(accepted)}; found {found!r}")
        if not len(numbers) and found != accepted[0]:
            raise InputError(
                f"{name} {found!r} is for Box actions; found {brief(action_space)}, which takes {accepted[0]!r}"
            )
    low, high = LOG_STD_RANGE
    if std == "state" and not low < initial_log_std < high:
        raise InputError(
            f"initial_log_std must lie between {low:g} and {high:g} for std 'state'; found {initial_log_std}"
        )
    if bounds == "tanh" and isinstance(action_space, Box):
        wide = _wide(action_space)[torch.from_numpy(numbers)]
        if not wide.all():
            raise InputError(
                f"bounds 'tanh' needs a Box that is bounded on both sides and has a width in every dimension; found "
                f"{brief(action_space)}, of which {int((~wide).sum())} of {len(wide)} are not so: it takes bounds "
                "'clip'"
            )


def _wide(space: Box) -> Tensor:
    """Which dimensions have two bounds, as far as float32 can tell, that differ, (size,)."""
    low, high = (torch.as_tensor(bound.reshape(-1)).double() for bound in (space.low, space.high))
    return (high > low) & ((high - low) < torch.finfo(torch.float32).max)


def number_columns(action_space: Space[Any]) -> np.ndarray:
    """Which columns (K,) int64 of flat actions are numbers, of which a policy has a mean and a deviation."""
    if isinstance(action_space, Flat):
        return action_space.numbers
    return np.arange(0 if isinstance(action_space, Discrete) else int(np.prod(action_space.shape or ())))
