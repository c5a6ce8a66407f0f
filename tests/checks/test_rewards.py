"""Checks on rewards and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gailkit.checks.finding import Unchecked
from gailkit.checks.rewards import ended_unlike_better, failed_episodes, far_below, rewards_present
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.types import Trajectory

Walks = Callable[..., list[Trajectory]]
MakeSubject = Callable[..., Subject]


def test_missing_rewards_are_good_to_know(walks: Walks, subject_of: MakeSubject) -> None:
    blind = [replace(each, rewards=None) for each in walks([5, 3])]
    (found,) = rewards_present(subject_of(blind), None)
    assert (found.name, found.severity, found.episodes) == ("no_rewards", "note", (0, 1))


def test_constant_rewards_are_right_where_the_environment_gives_them(
    walks: Walks, subject_of: MakeSubject, around: Callable[[str], Surroundings]
) -> None:
    subject = subject_of(walks([5, 3]))  # every reward is 1
    (note,) = rewards_present(subject, None)
    assert (note.name, note.severity) == ("constant_rewards", "note")
    assert rewards_present(subject, around("CartPole-v1")) == []
    (found,) = rewards_present(subject, around("MountainCar-v0"))
    assert found.severity == "warning" and found.found.endswith("is 1, where MountainCar-v0 gives -1")


def test_rewards_that_differ_are_fine(walks: Walks, subject_of: MakeSubject) -> None:
    (walk,) = walks([5])
    assert rewards_present(subject_of([replace(walk, rewards=np.arange(5.0))]), None) == []


def test_an_episode_far_below_the_others_is_a_failure(walks: Walks, subject_of: MakeSubject) -> None:
    subject = subject_of(walks([100, 90, 95, 20, 97, 102]))  # returns are lengths
    (found,) = failed_episodes(subject, None)
    assert found.episodes == (3,)
    assert found.mend == "gailkit data select demos.hdf5 -o demos-selected.hdf5 --min-return 55"  # (20 + 90) / 2
    assert failed_episodes(subject_of(walks([100, 90, 95, 85, 97, 102])), None) == []


def test_without_rewards_lengths_are_compared(walks: Walks, subject_of: MakeSubject) -> None:
    blind = [replace(each, rewards=None) for each in walks([100, 90, 95, 20, 97, 102])]
    (found,) = failed_episodes(subject_of(blind), None)
    assert found.mend is not None and found.mend.endswith("--min-length 90")


def test_four_episodes_are_too_few(walks: Walks, subject_of: MakeSubject) -> None:
    assert isinstance(failed_episodes(subject_of(walks([100, 100, 100, 1])), None), Unchecked)


def test_a_fall_among_episodes_that_reach_the_time_limit_is_a_failure(walks: Walks, subject_of: MakeSubject) -> None:
    fallen = walks([98], terminated=True)
    (found,) = failed_episodes(subject_of([*walks([100] * 5), *fallen]), None)
    assert found.episodes == (5,)
    assert found.mend is not None and found.mend.endswith("--min-return 99")


def test_where_no_bound_parts_them_the_others_are_listed(walks: Walks, subject_of: MakeSubject) -> None:
    """Returns 100, 90 and 80 were cut off, 95 terminated: it is below the median 100, and not below all others."""
    (found,) = failed_episodes(subject_of([*walks([100, 90]), *walks([95], True), *walks([80, 100, 100])]), None)
    assert found.episodes == (2,)
    assert found.mend is not None and found.mend.endswith("--episodes 0-1,3-5")


def test_far_below_is_a_matter_of_the_distance_between_the_quartiles() -> None:
    """Quartiles 2 and 4 of 1 to 5: values below 2 - 3 * 2 = -4 are far."""
    values = np.array([1.0, 2, 3, 4, 5])
    assert not far_below(values).any()
    assert far_below(np.append(np.tile(values, 20), [-3.9, -4.5])).tolist() == [False] * 101 + [True]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_usual_ending_may_be_either(sign: int) -> None:
    returns, terminated = np.array([5.0, 5, 5, 4, 6]), np.array([False, False, False, True, True])
    found = ended_unlike_better(returns, terminated if sign > 0 else ~terminated)
    assert found.tolist() == [False, False, False, True, False]
