"""Returns of three sides: by hand, on the same starts, and None where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from gailkit.errors import InputError
from gailkit.evaluation.returns import Paired, Returns, Side, compare_returns, paired, side_of
from gailkit.functional.resampling import Estimate
from gailkit.types import Trajectory


def episode(earned: float | None, seed: int | None = None) -> Trajectory:
    rewards = None if earned is None else np.array([earned - 1, 1.0])
    return Trajectory(np.zeros((3, 1), np.float32), np.zeros(2, np.int64), rewards, False, seed)


def side(*earned: float, seeds: list[int | None] | None = None) -> Side:
    return Side([np.array(earned)], [seeds or [None] * len(earned)])


def around(seed: int, mean: float, episodes: int = 20) -> Side:
    return side(*np.random.default_rng(seed).normal(mean, 10, episodes).tolist())


def test_the_sides_by_hand() -> None:
    found = compare_returns(side(10, 20, 60, 30), side(40, 50, 60), side(0, 0, 10, 90))
    assert (found.policy.episodes, found.policy.mean.value, found.policy.iqm.value) == (4, 30, 25)
    assert found.expert is not None
    assert (found.expert.episodes, found.expert.mean.value, found.expert.iqm.value) == (3, 50, 50)
    assert (found.random.episodes, found.random.mean.value, found.random.iqm.value) == (4, 25, 5)
    assert found.difference is not None and found.score is not None and found.score_iqm is not None
    assert found.difference.value == 30 - 50
    assert found.score.value == (30 - 25) / (50 - 25)
    assert found.score_iqm.value == pytest.approx((25 - 5) / (50 - 5))
    assert found.improvement is not None
    assert found.improvement.value == pytest.approx((2 + 1 / 2) / 12)  # 60 beats 40 and 50, and ties with 60
    assert found.over_random.value == pytest.approx((2.5 + 3 + 3 + 3) / 16)  # 10 ties with 10; nobody beats 90
    assert (found.paired_with_expert, found.paired_with_random) == (None, None)


def test_intervals_are_around_their_values_and_tell_what_differs() -> None:
    found = compare_returns(around(1, 100), around(2, 100), around(3, 0))
    estimates = [found.policy.mean, found.policy.iqm, found.random.mean, found.difference, found.score,
                 found.score_iqm, found.improvement, found.over_random]  # fmt: skip
    for estimate in estimates:
        assert estimate is not None
        assert estimate.low <= estimate.value <= estimate.high
    assert found.difference is not None and found.score is not None and found.improvement is not None
    assert found.difference.low < 0 < found.difference.high
    assert found.score.low < 1 < found.score.high
    assert found.improvement.low < 0.5 < found.improvement.high
    assert found.over_random == (1, 1, 1)
    # the deviation of a difference of two means of 20 is 10 sqrt(2 / 20)
    assert found.difference.high - found.difference.low == pytest.approx(2 * 1.96 * 10 * np.sqrt(0.1), rel=0.3)


def test_the_expert_scores_1_and_random_actions_0() -> None:
    expert, random = around(1, 50), around(2, 0)
    for policy, score in ((expert, 1.0), (random, 0.0)):
        found = compare_returns(policy, expert, random)
        assert found.score is not None and found.score_iqm is not None
        assert found.score.value == found.score_iqm.value == score


@pytest.mark.parametrize("expert", [side(1, 2, 3), side(5, 5), side(4, 6)])
def test_an_expert_that_is_no_better_than_random_actions_gives_no_score(expert: Side) -> None:
    found = compare_returns(side(7, 8), expert, side(5, 5))
    assert (found.score, found.score_iqm) == (None, None)
    assert found.difference is not None and found.improvement is not None
    assert found.difference.value > 0


def test_an_expert_that_is_barely_better_has_a_score_from_the_draws_in_which_it_is() -> None:
    found = compare_returns(around(1, 1.0), around(5, 3.0, 8), around(3, 0.0))
    assert found.score is not None
    assert np.isfinite(found.score).all()


def test_what_was_not_recorded_is_not_compared() -> None:
    assert side_of([episode(1.0), episode(2.0)], [episode(None)]) is None
    found = compare_returns(side(1, 2), None, side(0, 1))
    assert (found.expert, found.difference, found.score, found.score_iqm, found.improvement) == (None,) * 5
    assert found.paired_with_expert is None
    for policy, random in ((None, side(1)), (side(1), None)):
        with pytest.raises(InputError, match="the rewards of the policy's episodes and of random actions are needed"):
            compare_returns(policy, side(1), random)


def test_returns_are_those_of_the_episodes_run_by_run() -> None:
    found = side_of([episode(5.0, 7), episode(3.0)], [episode(4.0, 1)])
    assert found is not None
    assert [run.tolist() for run in found.runs] == [[5, 3], [4]]
    assert [list(seeds) for seeds in found.seeds] == [[7, None], [1]]
    assert found.all.tolist() == [5, 3, 4]


def test_runs_that_differ_make_every_interval_wider() -> None:
    runs = [np.random.default_rng(run).normal(50 * run, 10, 10) for run in range(4)]
    none: list[list[int | None]] = [[None] * 10] * 4
    apart = compare_returns(Side(runs, none), around(1, 75), around(2, 0))
    joined = compare_returns(side(*np.concatenate(runs).tolist()), around(1, 75), around(2, 0))
    assert apart.policy.mean.value == joined.policy.mean.value
    assert apart.policy.episodes == 40
    for name in ("mean", "iqm"):
        wide, narrow = getattr(apart.policy, name), getattr(joined.policy, name)
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_episodes_that_began_alike_are_compared_with_each_other() -> None:
    own = side(10, 20, 30, 99, 40, seeds=[1, 2, 3, None, 1])
    other = side(5, 0, 1, 77, seeds=[3, 1, 9, None])
    found = paired(own, other)
    assert found is not None
    assert (found.starts, found.difference.value) == (2, ((10 + 40) / 2 - 0 + 30 - 5) / 2)  # of starts 1 and 3
    assert (found.difference.low, found.difference.high) == (25, 25)
    assert paired(own, side(5, 0, seeds=[3, 9])) is None  # one start says nothing about its spread
    assert paired(own, side(5, 0)) is None


def test_the_interval_of_pairs_is_that_of_the_mean_over_starts() -> None:
    differences = np.random.default_rng(0).normal(2, 10, 100)
    seeds: list[int | None] = list(range(100))
    found = paired(side(*(50 + differences).tolist(), seeds=seeds), side(*[50] * 100, seeds=seeds))
    assert found is not None
    half = 1.96 * differences.std() / 10
    mean = differences.mean()
    assert found.difference == pytest.approx((mean, mean - half, mean + half), abs=0.15 * half)


@pytest.mark.parametrize(("runs", "expert_runs"), [(1, 1), (3, 1), (3, 3), (5, 2)])
def test_pairs_of_equal_returns_differ_by_exactly_0(runs: int, expert_runs: int) -> None:
    """A sum of shares of 500 is 500 only up to rounding; nobody is to read of a difference of 1e-13."""
    seeds: list[int | None] = list(range(15))
    own, other = (Side([np.full(15, 500.0)] * count, [seeds] * count) for count in (runs, expert_runs))
    assert paired(own, other) == Paired(15, Estimate(0.0, 0.0, 0.0))


def test_runs_are_paired_over_the_starts_that_all_of_them_share() -> None:
    """Runs of 1 and 5 more than the expert, from starts that make 100 apart: the spread is that of the runs alone."""
    starts = np.array([0.0, 100.0, 200.0, 300.0])
    own = Side([starts[:3] + 1, starts[1:] + 5], [[1, 2, 3], [2, 3, 4]])
    expert = side(*starts[[3, 2, 1, 0]].tolist(), seeds=[4, 3, 2, 1])
    found = paired(own, expert)
    assert found is not None
    assert (found.starts, found.difference) == (2, pytest.approx((3, 1, 5)))
    back = paired(expert, own)
    assert back is not None
    assert back.difference == pytest.approx((-3, -5, -1))


def test_pairs_take_away_what_the_starts_do() -> None:
    """Returns differ by hundreds from start to start, and by 1 between the sides: only pairs show that."""
    starts = np.random.default_rng(0).normal(0, 300, 15)
    seeds: list[int | None] = list(range(15))
    expert = side(*starts.tolist(), seeds=seeds)
    policy = side(*(starts - 1)[::-1].tolist(), seeds=seeds[::-1])
    found = compare_returns(policy, expert, side(-900, -900))
    assert found.difference is not None
    assert found.difference.low < 0 < found.difference.high
    assert found.paired_with_expert == Paired(15, pytest.approx((-1, -1, -1)))
    assert found.paired_with_random is None


def test_the_order_of_the_episodes_does_not_matter_and_the_seed_decides() -> None:
    values = [5.0, 9.0, 2.0, 2.0, 7.0, 1.0]
    expert, random = side(8, 9, 10, seeds=[4, 5, 6]), side(0, 1, 2)

    def compared(order: list[int], seed: int = 0) -> Returns:
        return compare_returns(
            side(*(values[place] for place in order), seeds=[4 + place for place in order]), expert, random, seed
        )

    assert compared([3, 1, 5, 0, 4, 2]) == compared([0, 1, 2, 3, 4, 5])
    assert compared([0, 1, 2, 3, 4, 5], 1) != compared([0, 1, 2, 3, 4, 5])


def test_one_episode_a_side_has_intervals_of_no_width() -> None:
    found = compare_returns(side(5), side(9), side(1))
    assert found.policy.mean == found.policy.iqm == (5, 5, 5)
    assert (found.score, found.improvement, found.over_random) == ((0.5,) * 3, (0,) * 3, (1,) * 3)
