"""Closeness as a whole: what must not matter does not, what must does, and odd episodes are like any others."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.errors import InputError
from gailkit.evaluation import classifier, coverage, occupancy
from gailkit.evaluation import closeness as closeness_module
from gailkit.evaluation.closeness import Closeness, closeness
from gailkit.evaluation.plain import as_plain
from gailkit.evaluation.returns import compare_returns, side_of
from gailkit.evaluation.verdict import DIFFERENT, INDISTINGUISHABLE, MOVES_DIFFERENTLY, NOT_ENOUGH_EXPERT
from gailkit.types import Trajectory

SPACES = Box(-50, 50, (2,)), Box(-1, 1, (1,))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer of everything than a user gets."""
    fewer = {
        occupancy: {"POINTS": 64, "SPLITS": 4, "DIRECTIONS": 16, "RESAMPLES": 20, "RESAMPLED_POINTS": 32,
                    "SPLITS_EACH": 2},
        classifier: {"WAVES": 60, "PERMUTATIONS": 99},
        coverage: {"POINTS": 200},
    }  # fmt: skip
    for module, numbers in fewer.items():
        for name, number in numbers.items():
            monkeypatch.setattr(module, name, number)


def walking(seed: int, episodes: int = 12, noise: float = 0.0, pay: float = 0.0) -> list[Trajectory]:
    """A walk on a line that is pulled to the middle, its speed seen too; with ``noise`` the actions stray.

    Noise 0 is an expert of deviation 0.1; each step pays 1 less the distance from the middle, and ``pay`` more.
    """
    random = np.random.default_rng(seed)
    found = []
    for number in range(episodes):
        places, actions = [np.array([random.normal(), 0.0])], []
        for _ in range(int(random.integers(20, 40))):
            place, _ = places[-1]
            action = np.clip(-0.5 * place + (0.1 + noise) * random.normal(), -1, 1)
            places.append(np.array([place + action, action]))
            actions.append([action])
        rewards = 1 + pay - np.abs([place for place, _ in places[1:]])
        found.append(
            Trajectory(
                np.array(places, np.float32), np.array(actions, np.float32), rewards, False, 1000 * seed + number
            )
        )
    return found


def aimless(seed: int, episodes: int = 12) -> list[Trajectory]:
    """Random actions."""
    return walking(seed, episodes, noise=5.0)


@pytest.fixture
def expert() -> list[Trajectory]:
    return walking(1)


@pytest.fixture
def random() -> list[Trajectory]:
    return aimless(2)


def test_the_expert_itself_is_close_and_hardly_ever_told_apart(
    expert: list[Trajectory], random: list[Trajectory]
) -> None:
    """Once in twenty times the classifier errs, by its level; four of six is what remains of that for certain."""
    every = [closeness(walking(seed), expert, random, *SPACES) for seed in range(10, 16)]
    assert sum(found.verdict.verdict == INDISTINGUISHABLE for found in every) >= 4
    assert sum(found.give_aways == () for found in every) >= 4
    for found in every:
        assert found.occupancy.closeness is not None and found.returns.score is not None and found.coverage is not None
        assert found.occupancy.closeness.value == pytest.approx(1, abs=0.15)
        assert found.returns.score.value == pytest.approx(1, abs=0.2)
        assert found.coverage.recall == pytest.approx(found.coverage.expert_recall, abs=0.2)


def test_random_actions_are_not_close_and_told_apart(expert: list[Trajectory], random: list[Trajectory]) -> None:
    found = closeness(aimless(3), expert, random, *SPACES)
    assert found.occupancy.closeness is not None and found.two_sample is not None and found.coverage is not None
    assert found.occupancy.closeness.value == pytest.approx(0, abs=0.25)
    assert (found.two_sample.p, found.two_sample.mmd_p) == (0.01, 0.01)
    assert found.coverage.precision < found.coverage.expert_precision - 0.2
    assert {each.feature for each in found.give_aways} & {"action", "observation[1]"}
    assert found.verdict.verdict == DIFFERENT


def test_who_earns_as_much_by_other_moves_is_called_so(expert: list[Trajectory], random: list[Trajectory]) -> None:
    found = closeness(walking(3, noise=5.0, pay=5.0), expert, random, *SPACES)
    assert found.verdict.verdict == MOVES_DIFFERENTLY


def test_it_falls_with_noise_in_the_actions(expert: list[Trajectory], random: list[Trajectory]) -> None:
    found = [closeness(walking(3, noise=noise), expert, random, *SPACES) for noise in (0.0, 0.3, 0.9, 3.0)]
    values = [each.occupancy.closeness.value for each in found if each.occupancy.closeness is not None]
    assert values == sorted(values, reverse=True)
    assert len(values) == 4
    areas = [each.two_sample.auc for each in found if each.two_sample is not None]
    assert areas == sorted(areas)


def test_where_random_actions_are_like_the_expert_there_is_no_closeness(expert: list[Trajectory]) -> None:
    found = closeness(aimless(3), expert, walking(4), *SPACES)
    assert (found.occupancy.closeness, found.occupancy.state_closeness) == (None, None)
    assert found.verdict.verdict != INDISTINGUISHABLE  # which needs no closeness


def without_steps(found: Closeness) -> tuple[Any, ...]:
    return tuple(getattr(found, field.name) for field in dataclasses.fields(found) if field.name != "steps")


def test_the_order_of_the_episodes_does_not_matter(expert: list[Trajectory], random: list[Trajectory]) -> None:
    sides = walking(3, noise=0.3), expert, random
    found = closeness(*sides, *SPACES, seed=5)
    shuffle = np.random.default_rng(0).permutation
    turned = closeness(*([side[place] for place in shuffle(len(side))] for side in sides), *SPACES, seed=5)
    assert without_steps(turned) == without_steps(found)
    assert without_steps(closeness(*sides, *SPACES, seed=5)) == without_steps(found)
    other = closeness(*sides, *SPACES, seed=6)
    assert other.occupancy != found.occupancy
    assert other.two_sample != found.two_sample


def test_the_unit_of_an_observation_does_not_matter(
    expert: list[Trajectory], random: list[Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Powers of two change no digit; the orders of the digests do, so that only alike numbers are found."""
    monkeypatch.setattr(occupancy, "SPLITS", 64)

    def in_other_units(episodes: list[Trajectory]) -> list[Trajectory]:
        factor = np.array([2**20, 2**-20], np.float32)
        return [dataclasses.replace(each, observations=each.observations * factor) for each in episodes]

    sides = walking(3, noise=0.5), expert, random
    found = closeness(*sides, *SPACES).occupancy
    scaled = closeness(*map(in_other_units, sides), Box(-1e9, 1e9, (2,)), SPACES[1]).occupancy
    assert scaled.distance == pytest.approx(found.distance, abs=0.15)
    assert scaled.sliced_distance == pytest.approx(found.sliced_distance, rel=1e-6)
    assert found.closeness is not None and scaled.closeness is not None
    assert scaled.closeness.value == pytest.approx(found.closeness.value, abs=0.1)


def test_returns_may_be_those_of_more_episodes(expert: list[Trajectory], random: list[Trajectory]) -> None:
    policy = walking(3)
    more = compare_returns(side_of(policy), side_of(expert + walking(4)), side_of(random))
    assert closeness(policy, expert, random, *SPACES, returns=more).returns == more
    own = closeness(policy, expert, random, *SPACES).returns
    assert own.expert is not None
    assert own.expert.episodes == 12


def test_endings_are_those_of_each_side(expert: list[Trajectory], random: list[Trajectory]) -> None:
    policy = [dataclasses.replace(each, terminated=True) for each in walking(3, 5)]
    found = closeness(policy, expert, random, *SPACES).endings
    for name, episodes in (("length", policy), ("expert_length", expert), ("random_length", random)):
        assert getattr(found, name).value == pytest.approx(np.mean([len(each) for each in episodes]))
    assert [each.value for each in (found.terminated, found.expert_terminated, found.random_terminated)] == [1, 0, 0]


def test_the_steps_are_kept_in_the_environments_units(expert: list[Trajectory], random: list[Trajectory]) -> None:
    steps = closeness(walking(3), expert, random, *SPACES).steps
    assert [feature.name for feature in steps.features] == ["observation[0]", "observation[1]", "action"]
    kept = sorted(rows.tobytes() for rows in steps.expert)
    assert kept == sorted(
        np.concatenate([each.observations[:-1], each.actions], axis=1).astype(np.float64).tobytes() for each in expert
    )
    assert (len(steps.policy), len(steps.random)) == (12, 12)
    np.testing.assert_allclose(steps.scale.center, np.concatenate(steps.expert).mean(axis=0))


def test_of_very_many_episodes_some_are_compared_whatever_their_order(
    expert: list[Trajectory], random: list[Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closeness_module, "MOST_EPISODES", 11)
    found = closeness(walking(3), expert, random, *SPACES)
    assert (len(found.steps.policy), len(found.steps.expert), len(found.steps.random)) == (11, 11, 11)
    assert without_steps(closeness(walking(3)[::-1], expert, random, *SPACES)) == without_steps(found)


def test_known_environments_lend_their_names(expert: list[Trajectory], random: list[Trajectory]) -> None:
    found = closeness(aimless(3), expert, random, *SPACES, env_id="MountainCarContinuous-v0")
    assert [each.name for each in found.occupancy.features] == ["position", "velocity", "action"]


@pytest.mark.parametrize(
    ("empty", "named"),
    [([0], "the policy"), ([1], "the expert"), ([2], "random actions"), ([0, 2], "the policy and random actions")],
)
def test_a_side_without_episodes_is_refused(empty: list[int], named: str) -> None:
    sides = [[] if place in empty else walking(place, 2) for place in range(3)]
    with pytest.raises(InputError, match=rf"at least one episode of each side; there is none of {named}$"):
        closeness(*sides, *SPACES)


def test_without_the_rewards_of_the_expert_the_rest_is_measured(
    expert: list[Trajectory], random: list[Trajectory]
) -> None:
    blind = [dataclasses.replace(each, rewards=None) for each in expert]
    found = closeness(aimless(3), blind, random, *SPACES)
    assert found.returns.expert is None
    assert found.verdict.verdict == DIFFERENT
    with pytest.raises(InputError, match="they were not recorded"):
        closeness(blind, expert, random, *SPACES)


def sampled(observed: Space[Any], done: Space[Any], seed: int, episodes: int, steps: int = 6) -> list[Trajectory]:
    """Whatever the spaces hold."""
    observed.seed(seed)
    done.seed(seed + 1)
    return [
        Trajectory(
            np.array([observed.sample() for _ in range(steps + 1)]),
            np.array([done.sample() for _ in range(steps)]),
            np.ones(steps),
            terminated=bool(number % 2),
            seed=number,
        )
        for number in range(episodes)
    ]


def still(seed: int, episodes: int, value: float = 0.5) -> list[Trajectory]:
    """One number that never changes."""
    return [
        Trajectory(np.full((5, 1), value, np.float32), np.zeros((4, 1), np.float32), np.ones(4), False, seed + number)
        for number in range(episodes)
    ]


UNIT, WIDE, IMAGE = Box(-1, 1, (1,)), Box(-1, 1, (100,)), Box(0, 255, (20, 24, 3), np.uint8)

ODD: dict[str, tuple[Callable[[int, int], list[Trajectory]], tuple[Space[Any], Space[Any]]]] = {
    "one step": (lambda seed, count: sampled(UNIT, UNIT, seed, count, steps=1), (UNIT, UNIT)),
    "constant": (still, (UNIT, UNIT)),
    "scalar": (lambda seed, count: sampled(Box(-1, 1, ()), UNIT, seed, count), (Box(-1, 1, ()), UNIT)),
    "choices": (
        lambda seed, count: sampled(Discrete(3, start=-1), Discrete(2), seed, count),
        (Discrete(3, start=-1), Discrete(2)),
    ),
    "one choice": (lambda seed, count: sampled(Discrete(1), Discrete(1), seed, count), (Discrete(1), Discrete(1))),
    "wide": (lambda seed, count: sampled(WIDE, UNIT, seed, count), (WIDE, UNIT)),
    "image": (lambda seed, count: sampled(IMAGE, Discrete(4), seed, count), (IMAGE, Discrete(4))),
}


@pytest.mark.parametrize("counts", [(1, 1, 1), (1, 12, 3), (12, 2, 1), (11, 11, 11)], ids=str)
@pytest.mark.parametrize("kind", ODD)
def test_odd_episodes_are_measured_without_a_warning_and_written_as_json(
    kind: str, counts: tuple[int, int, int]
) -> None:
    make, spaces = ODD[kind]
    found = closeness(*(make(10 * place, count) for place, count in enumerate(counts)), *spaces)
    written = json.dumps(as_plain(without_steps(found)), allow_nan=False)
    assert all(said in written for said in (found.verdict.verdict, found.verdict.reason, *found.verdict.caveats))
    assert found.occupancy.method == ("sliced" if kind in ("wide", "image") else "exact")
    assert (found.occupancy.floor is None) == (counts[1] == 1)
    assert (found.two_sample is None) == (1 in counts[:2])
    if found.two_sample is not None and counts != (12, 2, 1):
        assert found.two_sample.p > 0.01  # the least there is: all sides are alike
    if counts[1] < 10:
        assert found.verdict.verdict == NOT_ENOUGH_EXPERT
    if counts == (11, 11, 11) and kind in ("constant", "one choice"):
        assert found.occupancy.distance == found.occupancy.floor == 0


def test_who_keeps_to_another_value_than_the_expert_is_different() -> None:
    found = closeness(still(0, 11, 0.9), still(20, 11), still(40, 11), UNIT, UNIT)
    assert found.verdict.verdict in (DIFFERENT, MOVES_DIFFERENTLY)
    assert [each.words for each in found.give_aways] == ["observation leaves 0.5, where the expert keeps it always"]
