"""Policies beside each other: hand arithmetic of pairs, wider intervals where runs differ, the order they came in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation.compare import Candidate, Comparison, compare
from gailkit.evaluation.evaluate import Reference
from gailkit.evaluation.evaluation import Evaluation
from gailkit.evaluation.plain import as_plain
from gailkit.evaluation.returns import compare_returns, side_of
from gailkit.functional.resampling import Estimate
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Batched, Trajectory

CARTPOLE = "CartPole-v1"


@Batched
def leaning(observations: np.ndarray) -> np.ndarray:
    """Push towards where the pole leans: some 40 steps."""
    return (observations[:, 2] > 0).astype(np.int64)


def earning(returns: Sequence[float], seeds: Sequence[int | None]) -> list[Trajectory]:
    """Episodes of one step."""
    return [
        Trajectory(np.zeros((2, 4), np.float32), np.zeros(1, np.int64), np.array([value]), True, seed)
        for value, seed in zip(returns, seeds, strict=True)
    ]


@pytest.fixture(scope="module")
def measured() -> Evaluation:
    """Some evaluation, whose closeness is measured once for all."""
    env = make_env(CARTPOLE)
    episodes = tuple(collect_episodes(leaning, lambda: make_env(CARTPOLE), range(4)))
    shown = Demonstrations(episodes, env.observation_space, env.action_space, CARTPOLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gailkit.evaluation.occupancy.RESAMPLES", 20)
        evaluation = Reference(shown, CARTPOLE, episodes=4).evaluate(leaning)
        assert evaluation.closeness.verdict  # measured now
    return evaluation


def beside(
    measured: Evaluation,
    method: str,
    returns: Sequence[float],
    seeds: Sequence[int | None] | None = None,
    closeness: Estimate | None = None,
) -> Candidate:
    """A run of ``method`` that earned these ``returns``, from the starts 0, 1, ... unless others are given."""
    played = earning(returns, range(len(returns)) if seeds is None else seeds)
    sides = side_of(played), side_of(measured.expert), side_of(measured.at_random)
    evaluation = dataclasses.replace(measured, played=played, returns=compare_returns(*sides))
    occupancy = dataclasses.replace(measured.closeness.occupancy, closeness=closeness)
    vars(evaluation)["closeness"] = dataclasses.replace(measured.closeness, occupancy=occupancy)
    return Candidate(f"{method} earns {returns}", method, evaluation)


def test_the_probability_of_improvement_counts_pairs_and_ties_half(measured: Evaluation) -> None:
    """3 and 3 beat 2 and tie with 3, 1 beats none, 4 beats both: (1.5 + 1.5 + 0 + 2) of 8 pairs."""
    (contrast,) = compare([beside(measured, "a", [3, 3, 1, 4]), beside(measured, "b", [2, 3])]).contrasts
    assert contrast.improvement.value == 5 / 8
    assert contrast.improvement.low < 5 / 8 < contrast.improvement.high
    (turned,) = compare([beside(measured, "b", [2, 3]), beside(measured, "a", [3, 3, 1, 4])]).contrasts
    assert turned.improvement.value == 3 / 8


def test_the_interval_of_the_probability_lies_around_it(measured: Evaluation) -> None:
    """Of 9 x 9 pairs the eight threes beat the eight twos."""
    better, worse = beside(measured, "a", [3] * 8 + [1]), beside(measured, "b", [2] * 8 + [4])
    value, low, high = compare([better, worse]).contrasts[0].improvement
    assert (value, high) == (64 / 81, 1.0)
    assert 0.4 < low < value


def test_the_runs_of_a_method_are_pooled_in_the_probability(measured: Evaluation) -> None:
    """The one loses, the other wins."""
    runs = [beside(measured, "a", [1]), beside(measured, "a", [3]), beside(measured, "b", [2])]
    assert compare(runs).contrasts[0].improvement == (0.5, 0.0, 1.0)


def test_episodes_are_paired_by_the_seed_they_began_with(measured: Evaluation) -> None:
    """Both began with seeds 1 and 2, in another order: 3 - 2 and 1 - 3."""
    other = beside(measured, "b", [3, 2], [2, 1])
    (contrast,) = compare([beside(measured, "a", [9, 3, 1, 9], [0, 1, 2, 7]), other]).contrasts
    assert contrast.paired is not None
    assert (contrast.paired.starts, contrast.paired.difference.value) == (2, -0.5)
    assert (contrast.paired.difference.low, contrast.paired.difference.high) == (-2.0, 1.0)
    for seeds in ([None, None], [1, 30]):
        (contrast,) = compare([beside(measured, "a", [9, 3], seeds), other]).contrasts
        assert contrast.paired is None


def test_the_runs_of_a_method_are_averaged_at_each_start(measured: Evaluation) -> None:
    """(1 + 3) / 2 - 0 and (3 + 7) / 2 - 1."""
    runs = [beside(measured, "a", [1, 3]), beside(measured, "a", [3, 7]), beside(measured, "b", [0, 1])]
    (contrast,) = compare(runs).contrasts
    assert contrast.paired is not None
    assert (contrast.paired.starts, contrast.paired.difference.value) == (2, 3.0)


def test_an_interval_is_wider_where_the_runs_of_a_method_differ(measured: Evaluation) -> None:
    """The same 40 returns: runs that earn 10 and 20 each, or two runs that earn half of either."""
    apart = compare([beside(measured, "a", [10] * 20), beside(measured, "a", [20] * 20)]).methods[0].returns.policy.mean
    alike = compare([beside(measured, "a", [10, 20] * 10)] * 2).methods[0].returns.policy.mean
    assert apart == (15.0, 10.0, 20.0)
    assert alike.value == 15.0
    assert alike.high - alike.low < 5


def test_a_single_run_keeps_its_own_numbers(measured: Evaluation) -> None:
    own = Estimate(0.3, 0.1, 0.4)
    candidate = beside(measured, "a", [1, 2, 3], closeness=own)
    comparison = compare([candidate], seed=7)
    assert comparison.methods[0].returns == candidate.evaluation.returns
    assert comparison.methods[0].closeness == own
    assert comparison.contrasts == ()


def closeness_of(measured: Evaluation, *estimates: Estimate | None) -> Estimate | None:
    return compare([beside(measured, "a", [1, 2], closeness=each) for each in estimates]).methods[0].closeness


def test_the_closeness_of_a_method_is_the_mean_over_its_runs(measured: Evaluation) -> None:
    """Of two runs at 0.2 and 0.8 a quarter of the draws takes 0.2 twice: the interval reaches from one to the other."""
    sure = closeness_of(measured, Estimate(0.2, 0.2, 0.2), Estimate(0.8, 0.8, 0.8))
    assert sure == pytest.approx((0.5, 0.2, 0.8))
    unsure = closeness_of(measured, Estimate(0.2, 0.1, 0.3), Estimate(0.8, 0.7, 0.9))
    assert unsure is not None
    assert unsure.low < 0.17 < 0.83 < unsure.high
    assert closeness_of(measured, Estimate(0.2, 0.2, 0.2), None) is None


def test_two_runs_that_agree_share_the_error_of_the_expert(measured: Evaluation) -> None:
    """More runs do not make it smaller: all are compared with the same episodes."""
    both = closeness_of(measured, Estimate(0.5, 0.4, 0.6), Estimate(0.5, 0.4, 0.6))
    assert both is not None
    assert both.high - both.low == pytest.approx(0.2, rel=0.1)


def test_methods_and_pairs_keep_the_order_they_came_in(measured: Evaluation) -> None:
    names = ["c", "a", "c", "b"]
    comparison: Comparison = compare([beside(measured, name, [1, index]) for index, name in enumerate(names)])
    assert [method.name for method in comparison.methods] == ["c", "a", "b"]
    assert [len(method.candidates) for method in comparison.methods] == [2, 1, 1]
    assert [(each.first, each.second) for each in comparison.contrasts] == [("c", "a"), ("c", "b"), ("a", "b")]
    assert comparison.methods[0].returns.policy.episodes == 4
    assert sum(comparison.methods[0].verdicts.values()) == 2


def test_the_same_seed_gives_the_same_comparison(measured: Evaluation) -> None:
    a, b, c = (np.random.default_rng(number).normal(size=9).tolist() for number in range(3))
    runs = [beside(measured, "a", a), beside(measured, "a", b), beside(measured, "b", c)]
    first, again, other = (as_plain(compare(runs, seed).contrasts) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert set(first[0]) == {"first", "second", "improvement", "paired"}
    assert set(first[0]["improvement"]) == {"value", "low", "high"}
