"""Targets of action values by hand arithmetic, and n-step sums against a loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gailkit.functional.q_learning import double_q, look_ahead, soft_value, value_target


def column(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64).unsqueeze(-1)


NEVER = column(0, 0, 0).bool()
REWARDS = column(1, 10, 100)


def test_one_step_bootstraps_from_its_successor_unless_it_terminated() -> None:
    rewards = torch.tensor([[3.0, 3.0, 3.0]])
    terminated, truncated = torch.tensor([[False, True, False]]), torch.tensor([[False, False, True]])
    ahead = look_ahead(rewards, terminated, truncated, gamma=0.5)
    assert value_target(ahead, torch.full((3,), 8.0)).tolist() == [7.0, 3.0, 7.0]  # 3 + 8/2, 3, 3 + 8/2
    assert ahead.last.tolist() == [0, 0, 0]


def test_three_steps_add_up_discounted() -> None:
    ahead = look_ahead(REWARDS, NEVER, NEVER, gamma=0.5)
    assert (ahead.rewards.item(), ahead.last.item(), ahead.discount.item()) == (31.0, 2, 0.125)  # 1 + 10/2 + 100/4


def test_a_termination_ends_the_sum_and_has_no_value_after_it() -> None:
    ahead = look_ahead(REWARDS, column(0, 1, 0).bool(), NEVER, gamma=0.5)
    assert (ahead.rewards.item(), ahead.last.item(), ahead.discount.item()) == (6.0, 1, 0.0)


def test_a_truncation_ends_the_sum_and_is_bootstrapped_from_its_own_last_state() -> None:
    ahead = look_ahead(REWARDS, NEVER, column(1, 0, 1).bool(), gamma=0.5)
    assert (ahead.rewards.item(), ahead.last.item(), ahead.discount.item()) == (1.0, 0, 0.5)


def test_a_step_that_terminates_at_its_time_limit_is_terminated() -> None:
    both = column(0, 1, 0).bool()
    assert look_ahead(REWARDS, both, both, gamma=0.5).discount.item() == 0.0


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_sum_is_that_of_a_loop_over_the_steps_of_the_first_episode(n: int) -> None:
    random = torch.Generator().manual_seed(3)
    rewards = torch.randn(n, 200, generator=random, dtype=torch.float64)
    ends = torch.rand(n, 200, generator=random)
    terminated, truncated = ends < 0.15, ends > 0.85
    ahead = look_ahead(rewards, terminated, truncated, gamma=0.9)
    for i in range(200):
        total, k = 0.0, 0
        while True:
            total += 0.9**k * float(rewards[k, i])
            if terminated[k, i] or truncated[k, i] or k == n - 1:
                break
            k += 1
        assert ahead.rewards[i].item() == pytest.approx(total)
        assert ahead.last[i].item() == k
        assert ahead.discount[i].item() == pytest.approx(0.0 if terminated[k, i] else 0.9 ** (k + 1))


def test_double_q_takes_the_choice_of_one_and_the_judgement_of_the_other() -> None:
    online, target = torch.tensor([[1.0, 2.0], [5.0, 4.0]]), torch.tensor([[10.0, 20.0], [30.0, 90.0]])
    assert double_q(online, target).tolist() == [20.0, 30.0]


def test_the_soft_value_is_the_sum_over_the_actions_and_for_the_best_policy_the_log_of_a_sum() -> None:
    values = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    probabilities, alpha = [0.2, 0.3, 0.5], 0.7
    by_hand = sum(p * (q - alpha * math.log(p)) for p, q in zip(probabilities, values[0].tolist(), strict=True))
    logs = torch.tensor([probabilities], dtype=torch.float64).log()
    assert soft_value(values, logs, alpha).item() == pytest.approx(by_hand)
    best = (values / alpha).log_softmax(-1)  # pi = softmax(Q / alpha): V = alpha ln sum exp(Q / alpha)
    assert soft_value(values, best, alpha).item() == pytest.approx(alpha * float((values / alpha).logsumexp(-1)))
