"""Coverage: what is missed lowers recall, what is invented lowers precision, and the expert is the yardstick."""

from __future__ import annotations

import numpy as np
import pytest

from gailkit.evaluation import coverage as module
from gailkit.evaluation.coverage import CLOSE, NEIGHBOURS, Coverage, measure_coverage
from gailkit.evaluation.steps_as_points import Feature, Points

NUMBERS = [Feature("place", (0,), False, False), Feature("action", (1,), True, False)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps than a user gets."""
    monkeypatch.setattr(module, "POINTS", 300)


def around(seed: int, *places: float, episodes: int = 12, steps: int = 60, spread: float = 1.0) -> Points:
    """Episodes that are at each of ``places`` for a while."""
    random = np.random.default_rng(seed)
    centers = np.repeat(places, -(-steps // len(places)))[:steps, None]
    return [centers + spread * random.normal(size=(steps, 2)) for _ in range(episodes)]


def measured(policy: Points, expert: Points) -> Coverage:
    found = measure_coverage(policy, expert, NUMBERS)
    assert found is not None
    return found


def test_the_same_distribution_covers_as_the_expert_does() -> None:
    found = measured(around(1, 0.0, 20.0), around(2, 0.0, 20.0))
    assert found.recall == pytest.approx(found.expert_recall, abs=0.03)
    assert found.precision == pytest.approx(found.expert_precision, abs=0.05)
    assert found.expert_recall == pytest.approx(1 - 2**-NEIGHBOURS, abs=0.02)


def test_a_mode_that_is_missed_costs_its_share_of_recall_and_no_precision() -> None:
    found = measured(around(1, 0.0), around(2, 0.0, 20.0))
    assert found.recall == pytest.approx(0.5, abs=0.03)
    assert found.precision > found.expert_precision - 0.05
    assert found.expert_recall > 0.9


def test_a_mode_that_is_invented_costs_its_share_of_precision_and_no_recall() -> None:
    found = measured(around(1, 0.0, 20.0), around(2, 0.0))
    assert found.precision == pytest.approx(found.expert_precision / 2, abs=0.05)
    assert found.recall > 0.85


def test_who_is_elsewhere_covers_nothing() -> None:
    found = measured(around(1, 50.0), around(2, 0.0))
    assert (found.recall, found.precision) == (0.0, 0.0)
    assert found.expert_precision > 0.8


def test_one_place_of_the_experts_is_precise_and_covers_little() -> None:
    found = measured(around(1, 0.0, spread=0.01), around(2, 0.0))
    assert found.precision == 1.0
    assert found.recall < 0.1


def resting(seed: int, place: float) -> Points:
    """Episodes that stay at ``place`` for the first half, and are around 20, with another choice, for the other."""
    moving = around(seed, 20.0, episodes=9, steps=30)
    return [np.pad(np.concatenate([np.full((30, 2), place), rows]), ((0, 0), (0, 2))) + SECOND_HALF for rows in moving]


SECOND_HALF = np.outer(np.arange(60) >= 30, [0, 0, 0, 1])


def test_who_rests_a_little_beside_where_the_expert_rests_is_close() -> None:
    """CLOSE in each of the two numbers that vary; a number that nobody varies and a choice do not count."""
    features = [*NUMBERS, Feature("still", (2,), False, False), Feature("choice", (3,), True, True)]
    near, far = (
        measure_coverage(resting(2, share * CLOSE), resting(1, 0.0), features, seed=1) for share in (0.95, 1.05)
    )
    assert near is not None and far is not None
    assert near.recall > 0.95
    assert far.recall == pytest.approx(0.5, abs=0.05)
    assert near.precision - far.precision == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("policy", "expert", "known"), [(5, 2, False), (5, 3, True), (1, 3, True), (1, 30, True)])
def test_three_episodes_of_the_expert_are_needed_and_one_of_the_policy(policy: int, expert: int, known: bool) -> None:
    found = measure_coverage(around(1, 0.0, episodes=policy), around(2, 0.0, episodes=expert), NUMBERS)
    assert (found is not None) == known


@pytest.mark.parametrize(("episodes", "steps"), [(9, 5), (9, 20), (30, 3)])
def test_few_steps_are_not_counted_as_many(episodes: int, steps: int) -> None:
    """Copies of steps would be each other's neighbours: half of what is alike would not be reached."""
    found = [
        measured(
            around(seed, 0.0, episodes=episodes, steps=steps), around(100 + seed, 0.0, episodes=episodes, steps=steps)
        )
        for seed in range(10)
    ]
    expected = 1 - 2**-NEIGHBOURS
    assert np.mean([each.recall for each in found]) == pytest.approx(expected, abs=0.06)
    assert np.mean([each.expert_recall for each in found]) == pytest.approx(expected, abs=0.06)


def test_without_as_many_steps_as_neighbours_there_is_no_coverage() -> None:
    assert measure_coverage(around(1, 0.0, episodes=9, steps=1), around(2, 0.0, episodes=9, steps=1), NUMBERS) is None


def test_one_short_episode_does_not_cost_the_coverage() -> None:
    policy = around(1, 0.0, episodes=9)
    policy = [policy[0][:1], *policy[1:]]
    found = measured(policy, around(2, 0.0, episodes=9))
    assert found.recall == pytest.approx(found.expert_recall, abs=0.15)


def test_of_equally_many_episodes_more_of_the_policy_do_not_count_as_more_coverage() -> None:
    """Each episode is at a place of its own: three cover less than eighty."""
    random = np.random.default_rng(0)
    expert = around(1, *random.normal(0, 5, 1), episodes=9)
    expert = [rows + 8 * random.normal(size=2) for rows in expert]
    policy = [rows + 8 * random.normal(size=2) for rows in around(2, 0.0, episodes=80)]
    found = measured(policy, expert)
    assert found.recall < found.expert_recall + 0.25
    assert found.recall < 0.6


def test_the_seed_decides() -> None:
    policy, expert = around(1, 0.0, 3.0, spread=2.0), around(2, 0.0, spread=2.0)
    assert measure_coverage(policy, expert, NUMBERS, 1) == measure_coverage(policy, expert, NUMBERS, 1)
    assert measure_coverage(policy, expert, NUMBERS, 1) != measure_coverage(policy, expert, NUMBERS, 2)
