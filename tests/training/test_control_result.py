"""What a bias control concludes, from episodes whose every number is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gailkit.training.control_result import Control, ControlResult, Played, Scale
from gailkit.types import Trajectory

SCALE = Scale(random_return_mean=20.0, expert_return_mean=120.0)


def episodes(*returns: float, length: int = 10, terminated: bool = True) -> list[Trajectory]:
    """One of ``length`` steps for each of ``returns``, all of it earned in the first."""
    first = np.eye(1, length)[0]
    nothing = np.zeros((length + 1, 2), np.float32), np.zeros(length, np.int64)
    return [Trajectory(*nothing, earned * first, terminated=terminated) for earned in returns]


def control(
    own: list[Trajectory], likeliest: list[Trajectory], sampled: list[Trajectory] | None = None, scale: Scale = SCALE
) -> Control:
    played = (own, likeliest, likeliest if sampled is None else sampled)
    return Control("constant", 9, *(Played.of(trajectories, scale) for trajectories in played))


def result(*controls: Control, scale: Scale = SCALE) -> ControlResult:
    return ControlResult("CartPole-v1", 1000, 0, 2, 4, scale, controls)


def test_scores_and_their_intervals_lie_where_the_scale_puts_the_returns() -> None:
    played = Played.of([*episodes(20.0, 120.0), *episodes(70.0, length=40, terminated=False)], SCALE)
    assert (played.return_mean, played.score) == (70.0, 0.5)  # halfway from 20 to 120
    assert (played.length_mean, played.terminated_fraction) == (20.0, 2 / 3)
    assert played.score_ci95 is not None
    assert played.score_ci95 == pytest.approx([(bound - 20.0) / 100.0 for bound in played.return_ci95])
    assert played.return_ci95[0] < 70.0 < played.return_ci95[1]


@pytest.mark.parametrize(
    ("likeliest", "sampled", "passes", "doubtful"),
    [
        (10.0, 10.0, True, False),
        (19.9, 19.9, True, False),  # 0.099 above the teacher's 10
        (20.1, 20.1, False, False),  # 0.101 above it
        (90.0, 19.9, True, True),
        (19.9, 90.0, True, True),
        (0.0, 0.0, True, False),  # worse than its teacher is no bias
    ],
)
def test_an_imitator_fails_where_it_is_more_than_a_tenth_above_its_teacher_either_way(
    likeliest: float, sampled: float, passes: bool, doubtful: bool
) -> None:
    found = control(episodes(10.0), episodes(likeliest), episodes(sampled))
    assert (found.passes, found.doubtful) == (passes, doubtful)
    assert result(found).passes is passes
    assert ("does not score without being taught" in result(found).verdict()) is passes
    assert ("perhaps" in result(found).verdict()) is doubtful


def test_one_imitator_that_fails_fails_the_method() -> None:
    good, bad = control(episodes(10.0), episodes(10.0)), control(episodes(10.0), episodes(80.0))
    assert not result(good, bad).passes
    assert result(good, good).passes


@pytest.mark.parametrize(
    ("own", "imitator", "said"),
    [
        (episodes(9.0), episodes(99.0, length=99), "pays for survival (its episodes last 99.0 steps, its teacher's 10"),
        (
            episodes(-200.0, length=200, terminated=False),
            episodes(99.0, length=5),
            "pays for ending early (its episodes last 5.0 steps, its teacher's 200.0)",
        ),
        (episodes(9.0, terminated=False), episodes(99.0, length=99, terminated=False), "pays for something else"),
        (episodes(9.0), episodes(99.0), "pays for something else than how long an episode lasts"),
    ],
    ids=["survival", "ending early", "longer without any end", "of one length"],
)  # fmt: skip
def test_a_failure_says_what_the_reward_pays_for(own: list[Trajectory], imitator: list[Trajectory], said: str) -> None:
    verdict = result(control(own, imitator)).verdict()
    assert verdict.startswith("Taught by constant actions, it scores 0.79 (0.79 with sampled actions) although nobody")
    assert said in verdict


@pytest.mark.parametrize(
    ("expert", "said"), [(20.0, "its mean return is 20.0 and theirs 20.0"), (None, "its mean return was not recorded")]
)
def test_without_a_scale_nothing_is_divided_and_the_intervals_of_returns_decide(
    expert: float | None, said: str
) -> None:
    scale = Scale(20.0, expert)
    same = control(episodes(10.0, 14.0), episodes(12.0, 15.0), scale=scale)
    above = control(episodes(10.0, 14.0), episodes(15.0, 16.0), scale=scale)  # none of its means is as low as 14
    assert (same.imitator.score, same.imitator.score_ci95) == (None, None)
    assert (same.passes, above.passes) == (True, False)
    assert said in result(same, scale=scale).rule()
    assert "scores a mean return of 15.5" in result(above, scale=scale).verdict()
    values = result(above, scale=scale).to_dict()
    assert json.loads(json.dumps(values, allow_nan=False))["expert_return_mean"] == expert
