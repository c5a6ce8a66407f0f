"""What action values are learned towards."""

from typing import NamedTuple

import torch
from torch import Tensor


class Ahead(NamedTuple):
    """Where a run of up to n steps leads."""

    rewards: Tensor  # (B,), sum_{k < m} gamma^k r_k of the m steps until the episode ends or the run does
    last: Tensor  # (B,) int64, m - 1: whose successor is bootstrapped from
    discount: Tensor  # (B,), gamma^m, and 0 where the last step terminated


def look_ahead(rewards: Tensor, terminated: Tensor, truncated: Tensor, gamma: float) -> Ahead:
    """The n-step return of runs (n, B) without the value that it ends with. Sutton 1988; Mnih et al. 2016, section 4.

    A termination has nothing after it; a truncation is bootstrapped from its own last state, and neither lets the next
    episode in.
    """
    ended = terminated | truncated
    before = torch.cat((torch.zeros_like(ended[:1]), ended[:-1])).cumsum(0) == 0  # steps that are of the first episode
    powers = gamma ** torch.arange(len(rewards), dtype=rewards.dtype, device=rewards.device).unsqueeze(-1)
    last = before.sum(0) - 1
    terminal = terminated.gather(0, last.unsqueeze(0)).squeeze(0)
    discount = gamma ** (last + 1).to(rewards.dtype) * ~terminal
    return Ahead((powers * rewards * before).sum(0), last, discount)


def value_target(ahead: Ahead, following: Tensor) -> Tensor:
    """y = sum gamma^k r_k + gamma^m V(s_m), with V(s_m) ``following`` (B,); (B,)."""
    return ahead.rewards + ahead.discount * following


def double_q(online: Tensor, target: Tensor) -> Tensor:
    """Q'(s, argmax_a Q(s, a)): values (B, A) of the network that learns choose, its target's judge; (B,).

    van Hasselt et al. 2016, equation 4.
    """
    return target.gather(-1, online.argmax(-1, keepdim=True)).squeeze(-1)


def soft_value(values: Tensor, log_probs: Tensor, temperature: Tensor | float) -> Tensor:
    """V(s) = sum_a pi(a|s) (Q(s, a) - alpha ln pi(a|s)), (B,), of values and log-probabilities (B, A).

    Christodoulou 2019, equation 10.
    """
    return (log_probs.exp() * (values - temperature * log_probs)).sum(-1)
