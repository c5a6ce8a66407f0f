"""Distances between occupancies: exact where nothing varies, unbiased and bounded by their intervals where it does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gailkit.evaluation import occupancy as module
from gailkit.evaluation.occupancy import Occupancy, compare_occupancy
from gailkit.evaluation.sides import parts
from gailkit.evaluation.steps_as_points import Feature, Points

SEEN, DONE = Feature("place", (0,), False, False), Feature("action", (1,), True, False)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps, directions, halves and resamples than a user gets."""
    fewer = {"POINTS": 64, "SPLITS": 4, "DIRECTIONS": 16, "RESAMPLES": 25, "RESAMPLED_POINTS": 40, "SPLITS_EACH": 2}
    for name, number in fewer.items():
        monkeypatch.setattr(module, name, number)


def still(*places: list[float]) -> Points:
    """Episodes that stay where they are, for some steps."""
    return [np.tile(place, (3 + index, 1)) for index, place in enumerate(places)]


def wandering(
    seed: int, episodes: int, shift: float = 0.0, spread: float = 1.0, dimensions: int = 2, apart: float = 0.3
) -> Points:
    """Normal steps around ``shift``, each episode's around a place of its own."""
    random = np.random.default_rng(seed)
    return [
        spread * random.normal(size=(30, dimensions)) + apart * random.normal(size=dimensions) + shift
        for _ in range(episodes)
    ]


def numbers(count: int) -> list[Feature]:
    return [Feature(f"number {place}", (place,), False, False) for place in range(count)]


def test_of_sides_that_stand_still_all_is_known_exactly() -> None:
    """Expert at (0, 0), policy at (0.6, 0.8), random actions at (3, 4)."""
    found = compare_occupancy(
        still(*[[0.6, 0.8]] * 4), still(*[[0.0, 0.0]] * 6), still(*[[3.0, 4.0]] * 5), [SEEN, DONE]
    )
    assert (found.method, found.episodes) == ("exact", 3)
    assert (found.distance, found.floor, found.random_distance) == pytest.approx((1.0, 0.0, 5.0))
    assert found.excess == pytest.approx((1.0, 1.0, 1.0))
    assert found.closeness == pytest.approx((0.8, 0.8, 0.8))
    assert found.detectable == pytest.approx(0.0, abs=1e-9)
    assert (found.state_distance, found.state_closeness) == pytest.approx((0.6, 1 - 0.6 / 3))
    assert [(each.name, each.distance, each.floor) for each in found.features] == [
        ("place", pytest.approx(0.6), 0.0), ("action", pytest.approx(0.8), 0.0),
    ]  # fmt: skip
    # |cos| of a random angle has the mean 2 / pi and the deviation 0.31; 16 directions know it to about 0.08
    assert found.sliced_distance == pytest.approx(2 / np.pi, abs=0.25)


def test_the_floor_is_what_two_halves_of_the_expert_are_apart() -> None:
    found = compare_occupancy(still([0.0, 0.0]), still([0.0, 0.0], [2.0, 0.0]), still([9.0, 0.0]), [SEEN, DONE])
    assert found.floor == pytest.approx(2.0)  # one here, one there, however they are drawn
    assert found.features[0].floor == pytest.approx(2.0)
    assert 0 <= found.distance <= 2
    assert 7 <= found.random_distance <= 9
    assert found.random_distance + found.distance == pytest.approx(9)  # both from the same half: the policy is at 0
    assert found.closeness is not None
    assert found.closeness.value == pytest.approx(1 - (found.distance - 2) / (found.random_distance - 2))


def test_another_choice_is_as_far_as_the_share_of_steps_in_which_it_is_taken() -> None:
    choice, number = Feature("choice", (0, 1, 2), True, True), Feature("number", (3,), False, False)
    one, other, third = [1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]
    policy, expert = [np.array([one, one, other, third])] * 2, [np.array([one, one, one, third])] * 4
    _, found = compare_occupancy(policy, expert, still(third, third), [number, choice]).features
    assert (found.distance, found.floor) == pytest.approx((0.25, 0.0))


def test_the_expert_itself_is_close_and_random_actions_are_not() -> None:
    expert, random = wandering(1, 12), wandering(2, 12, shift=3.0)
    own = compare_occupancy(wandering(3, 12), expert, random, numbers(2))
    assert own.closeness is not None and own.excess is not None and own.state_closeness is not None
    assert own.closeness.value == pytest.approx(1, abs=0.1)
    assert own.state_closeness == pytest.approx(1, abs=0.1)
    assert own.closeness.low < 1 < own.closeness.high
    assert own.excess.low < 0 < own.excess.high
    far = compare_occupancy(wandering(4, 12, shift=3.0), expert, random, numbers(2))
    assert far.closeness is not None and far.excess is not None
    assert far.closeness.value == pytest.approx(0, abs=0.1)
    assert far.closeness.low < 0 < far.closeness.high
    assert far.excess.low > 0


@pytest.mark.parametrize("change", ["shift", "spread"])
def test_it_falls_the_further_the_policy_strays(change: str) -> None:
    expert, random = wandering(1, 10), wandering(2, 10, shift=4.0)
    found = [
        compare_occupancy(wandering(3, 10, **{change: {"shift": 0.0, "spread": 1.0}[change] + more}), expert, random,
                          numbers(2))
        for more in (0.0, 0.5, 1.0, 2.0)
    ]  # fmt: skip
    closeness = [each.closeness.value for each in found if each.closeness is not None]
    assert len(closeness) == 4
    assert closeness == sorted(closeness, reverse=True)
    assert closeness[0] - closeness[3] > 0.3
    for values in zip(*((each.distance, each.sliced_distance, each.state_distance) for each in found), strict=True):
        assert np.mean(values[:2]) < np.mean(values[2:])


@pytest.mark.parametrize(("policy", "expert", "random", "episodes"), [(3, 20, 9, 3), (20, 7, 9, 3), (9, 20, 2, 2)])
def test_all_distances_are_between_equally_many_episodes(
    policy: int, expert: int, random: int, episodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who is seen in fewer episodes would lie further away: its excess has the mean 0 if it is like the expert."""
    for name, number in {"RESAMPLES": 2, "SPLITS": 1, "POINTS": 32}.items():
        monkeypatch.setattr(module, name, number)
    found = [
        compare_occupancy(
            wandering(seed, policy, apart=2.0),
            wandering(1000 + seed, expert, apart=2.0),
            wandering(2000 + seed, random, shift=9.0),
            numbers(2),
        )
        for seed in range(80)
    ]
    assert {each.episodes for each in found} == {episodes}
    excess = [each.excess.value for each in found if each.excess is not None]
    error = np.std(excess) / np.sqrt(len(excess))
    assert abs(np.mean(excess)) < 3 * error < 0.6


def test_the_interval_holds_0_for_who_is_like_the_expert_nearly_always() -> None:
    held = []
    for seed in range(30):
        sides = (wandering(seed, 10), wandering(100 + seed, 10), wandering(200 + seed, 10, shift=3.0))
        excess = compare_occupancy(*sides, numbers(2)).excess
        assert excess is not None
        held.append(excess.low <= 0 <= excess.high)
    assert sum(held) >= 26


def test_copies_of_an_episode_stay_in_one_half() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        times = np.bincount(random.integers(7, size=7), minlength=7)
        here, there = parts(times, 7, 3, random)
        assert not set(here.tolist()) & set(there.tolist())
        drawn = np.bincount(np.concatenate([here, there]), minlength=7)
        assert set(drawn - times * (drawn > 0)) == {0}  # each as often as it was drawn, or left out
        assert len(there) >= 1
        assert len(here) < 3 + times.max()
        assert len(here) >= 3 or len(set(there.tolist())) == 1  # there was no other left
    here, there = parts(np.array([0, 3, 0]), 3, 1, random)  # there is nothing else to compare it with
    assert (here.tolist(), there.tolist()) == ([1, 1, 1], [1, 1, 1])


def test_further_episodes_of_the_expert_give_the_floor_and_let_all_that_are_compared_be_compared() -> None:
    """Expert at 0 or 2 by turns, further ones at 5: the policy at 1 is compared with the former alone."""
    expert, further = still(*[[0.0, 0.0], [2.0, 0.0]] * 3), still(*[[5.0, 0.0]] * 60)
    policy, random = still(*[[1.0, 0.0]] * 9), still(*[[9.0, 0.0]] * 9)
    alone = compare_occupancy(policy, expert, random, [SEEN, DONE])
    found = compare_occupancy(policy, expert, random, [SEEN, DONE], further=further)
    assert (alone.episodes, found.episodes) == (3, 6)
    assert alone.distance == found.distance == pytest.approx(1.0)
    assert found.floor == pytest.approx(4.0, abs=0.2)  # 5, and 3, of episodes that are nearly as long
    assert found.features[0].floor == pytest.approx(4.0, abs=0.2)
    assert found.random_distance == pytest.approx(8.0, abs=0.2)
    few = compare_occupancy(policy, expert, random, [SEEN, DONE], further=further[:2])
    assert few.episodes == 4  # of eight in all


def test_copies_never_face_each_other_where_there_are_further_episodes() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        times = np.concatenate([np.bincount(random.integers(4, size=4), minlength=4), [2, 0, 1, 3, 1, 1]])
        here, there = parts(times, 4, 4, random)
        assert here.max() < 4
        assert not set(here.tolist()) & set(there.tolist())
        assert len(here) == 4  # all that are compared with
        assert 4 <= len(there) < 4 + times.max()


@pytest.mark.parametrize("policy_shift", [0.0, 0.5])
def test_further_episodes_of_an_expert_do_not_move_the_excess(policy_shift: float, monkeypatch: Any) -> None:
    """Whether 0 or not: it is the same truth from more episodes, and known better."""
    for name, number in {"RESAMPLES": 2, "SPLITS": 4, "POINTS": 64}.items():
        monkeypatch.setattr(module, name, number)
    found = {
        count: [
            compare_occupancy(
                wandering(seed, 12, apart=1.0, shift=policy_shift),
                wandering(1000 + seed, 6, apart=1.0),
                wandering(2000 + seed, 12, shift=9.0),
                numbers(2),
                further=wandering(3000 + seed, count, apart=1.0),
            ).excess
            for seed in range(60)
        ]
        for count in (0, 24)
    }
    means, errors = zip(
        *((np.mean(values), np.std(values) / np.sqrt(60)) for each in found.values()
          for values in [[one.value for one in each if one is not None]]), strict=True,
    )  # fmt: skip
    if policy_shift == 0:
        assert all(abs(mean) < 3 * error for mean, error in zip(means, errors, strict=True))
    else:
        assert all(mean > 3 * error for mean, error in zip(means, errors, strict=True))
    assert errors[1] < errors[0]


def test_a_scale_within_its_error_is_none_and_how_many_demonstrations_it_takes_is_said() -> None:
    assert module._needed(scale=1.0, error=0.5, demonstrations=10) == 20  # 10 (2.8 / 2)^2 = 19.6
    assert module._needed(scale=0.5, error=0.5, demonstrations=10) is None
    replicates = np.array([[1.0, 1.0, 1.5], [1.0, 1.0, 2.5]])  # of a scale of 1 +- 0.5
    said = module._measured(module._Distances(1.25, 1.0, 2.0), replicates, 10)
    assert said.scale == pytest.approx((1.0, 0.525, 1.475))
    assert said.demonstrations_for_scale is None
    assert said.closeness is not None and said.closeness.value == pytest.approx(0.75)
    assert said.closeness.low == pytest.approx(1 - 0.25 / 0.5, abs=0.02)  # each around the value, of few steps or not
    assert said.closeness.high == pytest.approx(1 - 0.25 / 1.5, abs=0.02)
    said = module._measured(module._Distances(1.25, 1.0, 1.4), replicates, 10)
    assert (said.closeness, said.demonstrations_for_scale) == (None, None)


def test_without_random_actions_that_differ_there_is_no_closeness() -> None:
    found = compare_occupancy(wandering(1, 10), wandering(2, 10), wandering(3, 10), numbers(2))
    assert (found.closeness, found.state_closeness) == (None, None)
    assert found.floor is not None and found.excess is not None


def test_one_episode_of_the_expert_has_no_floor() -> None:
    found = compare_occupancy(wandering(1, 3, shift=1.0), wandering(2, 1), wandering(3, 3, shift=4.0), numbers(2))
    assert (found.floor, found.excess, found.closeness, found.detectable, found.state_closeness) == (None,) * 5
    assert [each.floor for each in found.features] == [None, None]
    assert 0 < found.distance < found.random_distance


def test_many_dimensions_are_compared_by_slices() -> None:
    sides = [wandering(seed, 4, dimensions=65, shift=shift) for seed, shift in ((1, 0.5), (2, 0.0), (3, 1.0))]
    found = compare_occupancy(*sides, numbers(65))
    assert found.method == "sliced"
    assert found.closeness is not None
    assert found.closeness.value == pytest.approx(0.5, abs=0.15)
    assert found.distance < 2  # a shift by half of the 65 deviations is 4.0 far, and 4.0 sqrt(2 / (65 pi)) on a line
    few = compare_occupancy(*([rows[:, :64] for rows in side] for side in sides), numbers(64))
    assert few.method == "exact"
    assert few.distance > 4


def test_the_seed_decides() -> None:
    def compare(seed: int) -> Occupancy:
        return compare_occupancy(wandering(1, 5), wandering(2, 6), wandering(3, 5, shift=3.0), [SEEN, DONE], seed)

    assert compare(0) == compare(0)
    assert compare(0) != compare(1)


def test_what_can_be_told_from_0_shrinks_with_more_episodes() -> None:
    few, many = (
        compare_occupancy(
            wandering(1, count, apart=1.0), wandering(2, count, apart=1.0), wandering(3, count, shift=6.0), numbers(2)
        ).detectable
        for count in (6, 60)
    )
    assert few is not None and many is not None
    assert 0 < many < few
