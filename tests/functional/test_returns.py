"""Advantages by hand, and as the mixture of n-step advantages that lambda is defined by."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gailkit.functional.returns import Values, explained_variance, generalized_advantages
from gailkit.types import Rollout


def rollout(terminated: Tensor, truncated: Tensor) -> Rollout:
    """A rollout of which only the endings matter, (T, N)."""
    nothing = torch.zeros(*terminated.shape, 1)
    return Rollout(nothing, nothing, nothing, terminated, truncated)


def column(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64).unsqueeze(-1)


# Five steps in one environment: an episode that terminates at t = 1, one that is truncated at t = 3, one that goes on.
REWARDS = column(1, 2, 3, 4, 5)
VALUES = Values(column(4, 1, 6, 8, 2), column(1, 10, 8, 12, 20))
STEPS = rollout(terminated=column(0, 1, 0, 0, 0).bool(), truncated=column(0, 0, 0, 1, 0).bool())


def test_with_lambda_0_the_advantage_is_the_one_step_error() -> None:
    # 1 + 1/2 - 4, 2 + nothing - 1 (terminated), 3 + 8/2 - 6, 4 + 12/2 - 8 (truncated: its value counts), 5 + 20/2 - 2
    estimates = generalized_advantages(STEPS, VALUES, REWARDS, gamma=0.5, lam=0.0)
    assert estimates.advantages[:, 0].tolist() == [-2.5, 1.0, 1.0, 2.0, 13.0]
    assert estimates.returns[:, 0].tolist() == [1.5, 2.0, 7.0, 10.0, 15.0]


def test_with_lambda_1_the_target_is_the_discounted_return_of_the_episode() -> None:
    # 1 + 2/2; 2; 3 + 4/2 + 12/4 (bootstrapped); 4 + 12/2; 5 + 20/2 (the rollout ends, the episode does not)
    estimates = generalized_advantages(STEPS, VALUES, REWARDS, gamma=0.5, lam=1.0)
    assert estimates.returns[:, 0].tolist() == [2.0, 2.0, 8.0, 10.0, 15.0]
    assert estimates.advantages[:, 0].tolist() == [-2.0, 1.0, 2.0, 2.0, 13.0]


def test_an_episode_that_terminates_in_the_step_of_its_time_limit_is_terminated() -> None:
    yes = torch.tensor([[True]])
    estimates = generalized_advantages(rollout(yes, yes), Values(column(1), column(100)), column(3), 0.9, lam=0.9)
    assert estimates.returns.item() == 3.0


def n_step_advantage(steps: Rollout, values: Values, rewards: Tensor, gamma: float, t: int, n: int, i: int) -> float:
    """sum_{k<n} gamma^k r_{t+k} + gamma^n V(s_{t+n}) - V(s_t), with nothing after a termination."""
    last = t + n - 1
    total = sum(gamma**k * float(rewards[t + k, i]) for k in range(n))
    tail = 0.0 if steps.terminated[last, i] else gamma**n * float(values.following[last, i])
    return total + tail - float(values.here[t, i])


def mixture(steps: Rollout, values: Values, rewards: Tensor, gamma: float, lam: float, t: int, i: int) -> float:
    """(1 - lambda) sum_n lambda^(n-1) A^(n), the longest one there is taking all the weight that is left."""
    ended = (steps.terminated | steps.truncated)[t:, i].nonzero()
    longest = int(ended[0]) + 1 if len(ended) else len(rewards) - t
    weights = [(1 - lam) * lam ** (n - 1) for n in range(1, longest)] + [lam ** (longest - 1)]
    return sum(w * n_step_advantage(steps, values, rewards, gamma, t, n + 1, i) for n, w in enumerate(weights))


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.95, 1.0])
def test_the_advantage_is_the_lambda_mixture_of_n_step_advantages(lam: float) -> None:
    random = torch.Generator().manual_seed(5)
    value, next_value, rewards = torch.randn(3, 12, 4, generator=random, dtype=torch.float64)
    next_value[:-1] = value[1:]  # where an episode goes on its next state is the one acted in next
    endings = torch.rand(12, 4, generator=random)
    steps, values = rollout(terminated=endings < 0.15, truncated=endings > 0.85), Values(value, next_value)
    assert steps.terminated.sum() > 3 and steps.truncated.sum() > 3
    advantages = generalized_advantages(steps, values, rewards, 0.9, lam).advantages
    expected = [[mixture(steps, values, rewards, 0.9, lam, t, i) for i in range(4)] for t in range(12)]
    torch.testing.assert_close(advantages, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-6)


def test_what_happens_after_an_ending_or_elsewhere_does_not_reach_an_episode() -> None:
    before = generalized_advantages(STEPS, VALUES, REWARDS, gamma=0.9, lam=0.9).advantages
    for first_step, ending in ((2, "termination"), (4, "truncation")):
        later = REWARDS.clone()
        later[first_step:] += 100.0
        after = generalized_advantages(STEPS, VALUES, later, gamma=0.9, lam=0.9).advantages
        assert torch.equal(after[:first_step], before[:first_step]), ending
        assert (after[first_step:] > before[first_step:]).all()


def test_explained_variance_is_1_for_the_truth_0_for_a_constant_and_below_for_worse() -> None:
    target = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    assert explained_variance(target, target) == 1.0
    assert explained_variance(target + 7, target) == pytest.approx(1.0)  # an offset is not variance
    assert explained_variance(torch.full((2, 2), 3.0), target) == pytest.approx(0.0)
    assert explained_variance(target / 2, target) == pytest.approx(0.75)  # half the deviation is a quarter the variance
    assert explained_variance(-target, target) == pytest.approx(-3.0)
    assert explained_variance(target, torch.ones(2, 2)) == 0.0
