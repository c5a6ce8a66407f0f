"""Advantages and value targets of a rollout."""

from typing import NamedTuple

import torch
from torch import Tensor

from gailkit.types import Rollout


class Estimates(NamedTuple):
    """What a generator learns from."""

    advantages: Tensor  # (T, N)
    returns: Tensor  # (T, N), the targets of the value function


class Values(NamedTuple):
    """What a value function says of a rollout."""

    here: Tensor  # (T, N), of obs
    following: Tensor  # (T, N), of next_obs


def generalized_advantages(rollout: Rollout, values: Values, rewards: Tensor, gamma: float, lam: float) -> Estimates:
    """GAE(gamma, lambda): A_t = delta_t + gamma lambda A_{t+1}, delta_t = r_t + gamma V(s_{t+1}) - V(s_t).

    A termination has nothing after it: V(s_{t+1}) counts as 0. A truncation bootstraps from the value of the last
    state. Either ends the sum. Targets are A + V. Schulman et al. 2016, equation 16.

    Args:
        rewards: (T, N).
        gamma: discount in [0, 1).
        lam: 0 gives the one-step error, 1 the discounted return minus the value.
    """
    deltas = rewards + gamma * values.following * ~rollout.terminated - values.here
    carry = gamma * lam * ~(rollout.terminated | rollout.truncated)
    advantages = torch.empty_like(deltas)
    running = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        running = deltas[t] + carry[t] * running
        advantages[t] = running
    return Estimates(advantages, advantages + values.here)


def explained_variance(predicted: Tensor, target: Tensor) -> float:
    """1 - Var(target - predicted) / Var(target): 1 is perfect, 0 no better than a constant; 0 for a constant target."""
    variance, left = torch.stack((target.var(), (target - predicted).var())).tolist()
    return 0.0 if variance == 0 else 1.0 - left / variance
