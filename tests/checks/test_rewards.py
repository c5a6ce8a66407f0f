"""Checks on rewards and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gailkit.checks.finding import Unchecked
from gailkit.checks.rewards import failed_episodes, far_below, rewards_present, too_early
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
    assert rewards_present(subject, None) == Unchecked("every one of 8 rewards is 1; --env ENV_ID would tell")
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


@pytest.mark.parametrize("falls", [[98], [40], [55, 70, 30, 90]])
def test_an_expert_that_falls_now_and_then_does_not_fail(
    walks: Walks, subject_of: MakeSubject, falls: list[int]
) -> None:
    """Where four of nine fall, far earlier than after a hundred steps, that is how the expert is."""
    assert failed_episodes(subject_of([*walks([100] * 5), *walks(falls, terminated=True)]), None) == []


def test_a_fall_at_the_very_beginning_is_told_and_kept(walks: Walks, subject_of: MakeSubject) -> None:
    """One fall in 2002 steps would be expected within the first 2 of 21 episodes 42 / 2002 = 0.021 times."""
    (found,) = failed_episodes(subject_of([*walks([100] * 20), *walks([2], terminated=True)]), None)
    assert (found.episodes, found.mend) == ((20,), None)
    assert "keep them: imitation needs to see where it fails" in found.found


def test_how_early_is_too_early() -> None:
    """Of 10 episodes one falls after n of 100 steps: expected so early are 10 n / (900 + n) falls."""
    for steps, early in ((5, True), (6, False)):  # 50 / 905 = 0.055 and 60 / 906 = 0.066
        lengths, terminated = np.array([100.0] * 9 + [steps]), np.array([False] * 9 + [True])
        assert too_early(lengths, terminated).tolist() == [False] * 9 + [early]
        assert not too_early(lengths, ~terminated).any()  # most reach a goal


def test_an_episode_that_is_worse_at_every_step_is_told_however_it_ended(walks: Walks, subject_of: MakeSubject) -> None:
    sound = walks([30] * 6, terminated=True)
    other = replace(sound[0], rewards=np.full(30, -2.0))
    (found,) = failed_episodes(subject_of([*sound, other]), None)
    assert (found.episodes, found.mend) == ((6,), None)
    (found,) = failed_episodes(subject_of([*sound, replace(other, terminated=False)]), None)
    assert found.mend is not None and found.mend.endswith("--min-return -15")  # (30 - 60) / 2


def test_a_goal_that_is_sometimes_missed_is_no_failure(walks: Walks, subject_of: MakeSubject) -> None:
    """As on slippery ice, where the only reward is 1 at the goal; and where returns are -10.7 and once -11.3."""
    tries = walks([9] * 20, terminated=True)
    paid = [replace(each, rewards=np.eye(9)[8] * (index % 7 > 0)) for index, each in enumerate(tries)]
    assert failed_episodes(subject_of(paid), None) == []
    near = [replace(each, rewards=np.full(9, (-11.3 if index == 4 else -10.7) / 9)) for index, each in enumerate(tries)]
    assert failed_episodes(subject_of(near), None) == []


def test_a_fall_is_kept_where_no_bound_parts_it_from_a_failure(walks: Walks, subject_of: MakeSubject) -> None:
    """Cut off after 20 steps is a failure, the fall after 19 of 100 is the expert's: a bound would take both away."""
    (found,) = failed_episodes(subject_of([*walks([100] * 8), *walks([19], True), *walks([20])]), None)
    assert found.episodes == (9,)
    assert found.mend is not None and found.mend.endswith("--episodes 0-8")


def test_far_below_is_a_matter_of_the_distance_between_the_quartiles() -> None:
    """Quartiles 2 and 4 of 1 to 5: values below 2 - 3 * 2 = -4 are far."""
    values = np.array([1.0, 2, 3, 4, 5])
    assert not far_below(values).any()
    assert far_below(np.append(np.tile(values, 20), [-3.9, -4.5])).tolist() == [False] * 101 + [True]
    assert far_below(np.array([1.0, 1, 1, 1, 0])).any() and not far_below(np.array([1.0, 1, 1, 1, 0]), unit=1.0).any()
