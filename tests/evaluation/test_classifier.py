"""Whether a policy is told from the expert: when it should be, when it should not, and by what."""

from __future__ import annotations

import numpy as np
import pytest

from gailkit.evaluation import classifier as module
from gailkit.evaluation.classifier import MOST_LOOKED_AT, TwoSample, tell_apart
from gailkit.evaluation.steps_as_points import Feature, Points

PLACE, ACTION = Feature("place", (0,), False, False), Feature("action", (1,), True, False)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer waves and labellings than a user gets."""
    monkeypatch.setattr(module, "WAVES", 80)
    monkeypatch.setattr(module, "PERMUTATIONS", 99)


def acting(
    seed: int, episodes: int = 12, *, slope: float = 0.0, shift: float = 0.0, spread: float = 1.0, apart: float = 0.2
) -> Points:
    """Places (normal, around one of each episode's own) and actions: ``slope`` times the place, and noise."""
    random = np.random.default_rng(seed)
    points = []
    for _ in range(episodes):
        place = spread * random.normal(size=40) + apart * random.normal() + shift
        action = slope * place + np.sqrt(1 - slope**2) * random.normal(size=40)
        points.append(np.column_stack([place, action]))
    return points


def told(policy: Points, expert: Points, seed: int = 0) -> TwoSample:
    found = tell_apart(policy, expert, [PLACE, ACTION], seed)
    assert found is not None
    return found


def test_alike_sides_are_not_told_apart_though_each_episode_is_somewhere_else() -> None:
    """Episodes whose steps lie together would be recognised if folds held steps instead."""
    found = [told(acting(seed, apart=3.0), acting(500 + seed, apart=3.0), seed) for seed in range(30)]
    areas = [each.auc for each in found]
    assert np.mean([each.area.low <= 0.5 <= each.area.high for each in found]) >= 0.8  # 95 %; 23 of 30 once in 10,000
    assert np.mean(areas) == pytest.approx(0.5, abs=3.5 * np.std(areas) / np.sqrt(30))
    for values in ([each.p for each in found], [each.mmd_p for each in found]):
        assert np.mean(np.array(values) <= 0.05) <= 0.15  # 5 % of 30 are 1.5; more than 4 come once in 60 times
        assert 0.35 < np.mean(values) < 0.65
    squared = [each.mmd_squared for each in found]
    assert abs(np.mean(squared)) < 3.5 * np.std(squared) / np.sqrt(30)


@pytest.mark.parametrize(
    ("change", "least"), [({"shift": 1.0}, 0.7), ({"spread": 2.0}, 0.65)], ids=["elsewhere", "wider"]
)
def test_another_place_or_spread_is_told(change: dict[str, float], least: float) -> None:
    found = told(acting(1, **change), acting(2))
    assert found.auc > least
    assert (found.p, found.mmd_p) == (0.01, 0.01)
    assert found.mmd_squared > 0.01
    place, action = found.losses
    assert place > 0.1
    assert abs(action) < 0.02


def test_another_answer_to_the_same_places_is_told_though_either_number_by_itself_is_alike() -> None:
    found = told(acting(1, slope=0.9), acting(2, slope=-0.9))
    assert found.auc > 0.8
    assert (found.p, found.mmd_p) == (0.01, 0.01)
    assert min(found.losses) > 0.2
    assert found.auc - max(found.losses) == pytest.approx(0.5, abs=0.1)  # shuffled, nothing is left


def test_details_are_told_where_mean_deviation_and_correlation_are_alike() -> None:
    """Two places in turn, against everywhere around their middle."""
    random = np.random.default_rng(0)

    def beside(place: np.ndarray) -> np.ndarray:
        return np.column_stack([place, random.normal(size=len(place))])

    two = [
        beside(np.sqrt(0.95) * random.choice([-1, 1], 60) + np.sqrt(0.05) * random.normal(size=60)) for _ in range(8)
    ]
    found = told(two, [beside(random.normal(size=60)) for _ in range(8)])
    assert found.auc > 0.7
    assert found.p == 0.01


def test_the_area_grows_with_the_difference_and_does_not_depend_on_who_is_called_the_policy() -> None:
    areas = [told(acting(1, shift=shift), acting(2)).auc for shift in (0.3, 1.0, 3.0)]
    assert areas == sorted(areas)
    assert areas[2] > 0.97
    assert told(acting(2), acting(1, shift=1.0)).auc == pytest.approx(areas[1], abs=0.03)


def test_the_unit_of_a_number_does_not_matter() -> None:
    def in_other_units(points: Points) -> Points:
        return [rows * np.array([2.0**20, 2.0**-20]) for rows in points]

    assert told(in_other_units(acting(1, slope=0.5)), in_other_units(acting(2))) == told(
        acting(1, slope=0.5), acting(2)
    )


@pytest.mark.parametrize(("policy", "expert"), [(1, 5), (5, 1), (1, 1)])
def test_one_episode_of_a_side_cannot_be_permuted(policy: int, expert: int) -> None:
    assert tell_apart(acting(1, policy), acting(2, expert), [PLACE, ACTION]) is None


@pytest.mark.parametrize(("policy", "expert"), [(2, 2), (2, 9), (5, 3), (30, 4)])
def test_few_episodes_are_judged_with_the_p_they_can_have(policy: int, expert: int) -> None:
    found = told(acting(1, policy, shift=5.0), acting(2, expert))
    assert found.auc > 0.9
    assert found.p >= 0.01
    if policy == expert == 2:  # two folds of a pair can be labelled in four ways, all four episodes in six
        assert found.p == pytest.approx(2 / 4, abs=0.15)  # two of them are the same but for the names of the sides
        assert found.mmd_p == pytest.approx(2 / 6, abs=0.15)


def test_sides_that_never_vary_are_not_told_apart() -> None:
    still = [np.zeros((5, 2))] * 4
    found = told(still, still)
    low, high = found.auc_ci95
    assert low < 0.2 < 0.8 < high  # four episodes that tell nothing
    assert found == TwoSample(0.5, (low, high), 1.0, 0.0, 1.0, (0.0, 0.0))


def test_of_many_features_none_is_looked_at() -> None:
    random = np.random.default_rng(0)
    count = MOST_LOOKED_AT + 1
    sides = [[random.normal(size=(6, count)) for _ in range(4)] for _ in range(2)]
    features = [Feature(str(place), (place,), False, False) for place in range(count)]
    found = tell_apart(*sides, features)
    assert found is not None
    assert found.losses == ()
    few = tell_apart(*sides, features[:MOST_LOOKED_AT])
    assert few is not None
    assert len(few.losses) == MOST_LOOKED_AT


def test_a_choice_is_shuffled_with_all_its_columns() -> None:
    """The choice is all there is to tell, so that without it nothing is left."""
    random = np.random.default_rng(1)

    def choosing(share: float) -> Points:
        left = [random.random(30) < share for _ in range(8)]
        return [np.column_stack([random.normal(size=30), taken, ~taken]).astype(float) for taken in left]

    found = tell_apart(choosing(0.9), choosing(0.1), [PLACE, Feature("choice", (1, 2), True, True)])
    assert found is not None
    assert found.losses[1] == pytest.approx(found.auc - 0.5, abs=0.05)


def test_of_long_episodes_some_steps_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = module.grouped_area

    def watched(scores: np.ndarray, episodes: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
        seen.append(int(np.bincount(episodes).max()))
        return original(scores, episodes, labels, fold)

    monkeypatch.setattr(module, "grouped_area", watched)
    told(acting(1, 5), acting(2, 5))
    monkeypatch.setattr(module, "MOST_A_EPISODE", 15)
    assert told(acting(1, 5, shift=3.0), acting(2, 5)).auc > 0.9
    monkeypatch.setattr(module, "MOST_ROWS", 90)
    told(acting(1, 5), acting(2, 5))
    assert sorted(set(seen)) == [9, 15, 40]


def test_the_seed_decides() -> None:
    sides = acting(1), acting(2)
    assert told(*sides) == told(*sides)
    assert told(*sides, seed=1) != told(*sides)
