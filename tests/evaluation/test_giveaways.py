"""What gives a policy away is said in the right words, and nothing is said where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gailkit.evaluation.classifier import TwoSample
from gailkit.evaluation.giveaways import APART, MANY_FLOORS, MOST, GiveAway, give_aways
from gailkit.evaluation.occupancy import FeatureDistance, compare_occupancy
from gailkit.evaluation.steps_as_points import Feature, Points, Scale

SPEED, ACTION = Feature("speed", (0,), False, False), Feature("action", (0,), True, False)
GEAR = Feature("gear", (0, 1, 2), True, True, 4)  # Discrete(3, start=4)

AROUND_0 = np.array([-1.0, -1.0, 1.0, 1.0])  # of mean 0 and deviation 1
SPREAD_OUT = np.sqrt(2) * np.array([-1.0, 0.0, 0.0, 1.0])  # so is this
SEEN = APART + 0.01


def side(*values: float) -> Points:
    """Two episodes that share these values of one number."""
    half = len(values) // 2
    return [np.array(values[:half])[:, None], np.array(values[half:])[:, None]]


def told(*losses: float, p: float = 0.01) -> TwoSample:
    return TwoSample(0.8, (0.7, 0.9), p, 0.1, 0.01, losses)


def given_away(
    two_sample: TwoSample | None,
    features: list[Feature],
    policy: Points,
    expert: Points,
    distances: Sequence[FeatureDistance] = (),
) -> tuple[GiveAway, ...]:
    """Of features that lie as far away as ``distances`` say, or nowhere near far enough to be seen."""
    near = [FeatureDistance(feature.name, 0.0, 0.0) for feature in features]
    return give_aways(
        two_sample, features, policy, expert, Scale.of(features, expert, expert, policy), distances or near
    )


def words(feature: Feature, policy: Points, expert: Points, distance: float = 0.0, floor: float | None = 0.0) -> str:
    distances = [FeatureDistance(feature.name, distance, floor)]
    (found,) = given_away(told(0.2), [feature], policy, expert, distances)
    assert (found.feature, found.loss) == (feature.name, 0.2)
    return found.words


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (AROUND_0 + 0.5, "speed is higher on average (0.5 against the expert's 0)"),
        (AROUND_0 - 0.25, "speed is lower on average (-0.25 against the expert's 0)"),
        (AROUND_0 * 1.5, "speed varies more (standard deviation 1.5 against 1)"),
        (AROUND_0 * 0.5, "speed varies less (standard deviation 0.5 against 1)"),
        (
            AROUND_0 * 2 + 3,
            "speed is higher on average (3 against the expert's 0) and varies more (standard deviation 2 against 1)",
        ),
        (AROUND_0 * 0, "speed varies less (standard deviation 0 against 1)"),
    ],
)
def test_a_number_that_is_elsewhere_or_varies_otherwise(policy: np.ndarray, expected: str) -> None:
    assert words(SPEED, side(*policy), side(*AROUND_0)) == expected
    assert words(SPEED, side(*policy), side(*AROUND_0), distance=9.0) == expected  # it says more than the distance


@pytest.mark.parametrize("policy", [AROUND_0, AROUND_0 + 0.15, AROUND_0 * 1.15, AROUND_0 * 0.87])
def test_a_number_that_looks_alike_differs_by_what_it_goes_with(policy: np.ndarray) -> None:
    both = side(*policy), side(*AROUND_0)
    assert words(SPEED, *both) == "speed by itself looks alike, but goes together with other values of the rest"
    assert words(ACTION, *both) == "action by itself looks alike, but it is another answer to the same observations"


def test_a_number_of_the_same_mean_and_deviation_may_take_other_values() -> None:
    """Sorted, the steps lie sqrt(2) - 1, 1, 1 and sqrt(2) - 1 apart: 1 / sqrt(2) on average."""
    policy, expert = [SPREAD_OUT[:, None]] * 4, [AROUND_0[:, None]] * 4  # episodes alike, so that the floor is 0
    distances = compare_occupancy(policy, expert, policy, [SPEED]).features
    (found,) = given_away(told(0.2), [SPEED], policy, expert, distances)
    assert found.words == (
        "speed takes other values, 0.71 of the expert's deviations apart (halves of the expert's own episodes 0)"
    )


@pytest.mark.parametrize(
    ("distance", "floor", "other"),
    [
        (SEEN, 0.0, True),
        (APART, 0.0, False),  # too small for anyone to see
        (MANY_FLOORS * 0.3 + 0.01, 0.3, True),
        (MANY_FLOORS * 0.3, 0.3, False),  # the expert's own episodes differ nearly as much
        (9.0, None, False),  # nobody knows by how much they do
    ],
)
def test_other_values_are_said_where_the_distance_exceeds_what_the_expert_does_by_itself(
    distance: float, floor: float | None, other: bool
) -> None:
    for feature in (SPEED, ACTION):
        said = words(feature, side(*SPREAD_OUT), side(*AROUND_0), distance, floor)
        assert ("takes other values" in said, "looks alike" in said) == (other, not other)


def test_each_feature_has_its_own_distance() -> None:
    features = [Feature(name, (place,), False, False) for place, name in enumerate("abc")]
    rows = [np.tile(AROUND_0[:, None], 3)]
    distances = [FeatureDistance("a", 0.0, 0.0), FeatureDistance("b", 0.5, 0.1), FeatureDistance("c", 0.0, 0.0)]
    found = given_away(told(0.1, 0.2, 0.3), features, rows, rows, distances)
    assert [(each.feature, "takes other values" in each.words) for each in found] == [
        ("c", False), ("b", True), ("a", False),
    ]  # fmt: skip


def test_thresholds_are_in_the_experts_deviations() -> None:
    assert "higher on average" in words(SPEED, side(*0.1 * AROUND_0 + 0.05), side(*0.1 * AROUND_0))
    assert "looks alike" in words(SPEED, side(*10 * AROUND_0 + 0.5), side(*10 * AROUND_0))


def test_a_number_that_the_expert_never_changes() -> None:
    assert words(SPEED, side(3.0, 3.0, 3.0, 4.0), side(3.0, 3.0, 3.0, 3.0), distance=SEEN) == (
        "speed leaves 3, where the expert keeps it always"
    )


def test_a_choice_is_named_by_its_value_and_counted_in_shares_of_the_steps() -> None:
    def choosing(*taken: int) -> Points:
        return [np.eye(3)[list(taken)]]

    expert = choosing(0, 0, 0, 1, 2)
    assert words(GEAR, choosing(0, 0, 1, 1, 1), expert) == (
        "gear: 5 is taken in 60% of the steps against the expert's 20%"
    )
    assert words(GEAR, choosing(0, 0, 1, 2, 2, 2, 2, 2), expert) == (
        "gear: 6 is taken in 62% of the steps against the expert's 20%"
    )
    assert words(GEAR, expert, choosing(0, 0, 0, 1, 2), distance=SEEN) == (
        "gear by itself looks alike, but it is another answer to the same observations"
    )


def test_features_are_in_the_order_of_what_the_classifier_leans_on_and_the_weak_ones_left_out() -> None:
    features = [Feature(str(place), (place,), False, False) for place in range(8)]
    rows = [np.tile(AROUND_0[:, None], 8)]
    losses = (0.03, -0.2, 0.3, 0.009, 0.01, 0.1, 0.05, 0.04)
    found = given_away(told(*losses), features, rows, rows)
    assert [(each.feature, each.loss) for each in found] == [
        ("2", 0.3), ("5", 0.1), ("6", 0.05), ("7", 0.04), ("0", 0.03),
    ]  # fmt: skip
    assert len(found) == MOST
    fewer = given_away(told(0.0, -0.2, 0.3, 0.009, 0.01, 0, 0, 0), features, rows, rows)
    assert [each.feature for each in fewer] == ["2", "4"]


@pytest.mark.parametrize("two_sample", [None, told(0.3, p=0.051), told()], ids=["untested", "alike", "too many"])
def test_who_is_not_told_apart_is_given_away_by_nothing(two_sample: TwoSample | None) -> None:
    assert given_away(two_sample, [SPEED], side(*AROUND_0 + 9), side(*AROUND_0)) == ()


def test_p_of_exactly_the_level_tells() -> None:
    assert len(given_away(told(0.3, p=0.05), [SPEED], side(*AROUND_0 + 9), side(*AROUND_0))) == 1
