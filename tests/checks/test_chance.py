"""What comes about by chance, on tasks whose chances are known, and what does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from gailkit.checks.chance import Coincidences, ended_by_goal, more_than_chance
from gailkit.checks.copies import exact_copies, near_copies
from gailkit.checks.endings import last_observations, time_outs_as_terminations
from gailkit.checks.subject import Endings, Subject
from gailkit.types import Trajectory

MakeSubject = Callable[..., Subject]
STATES = 20


def throws(lengths: Sequence[int], seed: int = 0) -> list[Trajectory]:
    """A coin is thrown from state 0: heads goes one further round a ring of states, tails goes back to 0."""
    random = np.random.default_rng(seed)
    episodes = []
    for steps in lengths:
        heads = random.integers(0, 2, steps)
        states = [0]
        for head in heads:
            states.append((states[-1] + 1) % STATES if head else 0)
        episodes.append(Trajectory(np.array(states), heads, None, True))
    return episodes


def corridors(starts: Sequence[int], end: int = 100) -> list[Trajectory]:
    """From each start straight on to the last state."""
    return [Trajectory(np.arange(start, end + 1), np.zeros(end - start, int), None, True) for start in starts]


def names(subject: Subject) -> list[str]:
    return [each.name for check in (exact_copies, near_copies) for each in check(subject, None)]


def test_equal_throws_of_a_coin_are_no_copies(subject_of: MakeSubject) -> None:
    """Of 40 times three throws about 40 * 39 / 2 / 8 pairs are equal."""
    episodes = throws([3] * 40)
    assert len({each.actions.tobytes() for each in episodes}) == 8
    assert names(subject_of(episodes)) == []


def test_sixty_equal_throws_are_a_copy(subject_of: MakeSubject) -> None:
    episodes = [*throws([3] * 40), *throws([60, 60, 60], seed=1)]
    (found,) = exact_copies(subject_of([*episodes, episodes[41]]), None)
    assert found.episodes == (43,)
    assert found.mend is not None and found.mend.endswith("--episodes 0-42")  # --unique would thin the short ones out
    start = int(episodes[41].observations[:20].argmax())  # where few others come by
    part = Trajectory(episodes[41].observations[start:], episodes[41].actions[start:], None, True)
    (found,) = near_copies(subject_of([*episodes, part]), None)
    assert found.episodes == (43,)


def test_a_file_joined_to_itself_is_all_copies(subject_of: MakeSubject) -> None:
    """Of 60 that begin anywhere in 1,001 states 60 * 59 / 2 / 1001 = 1.8 pairs would be equal, and not 30."""
    episodes = corridors(range(0, 900, 30), end=1000)
    (found,) = exact_copies(subject_of([*episodes, *episodes]), None)
    assert found.episodes == tuple(range(30, 60))
    assert found.mend is not None and found.mend.endswith("--unique")


def test_a_file_joined_to_itself_is_so_even_where_equal_ones_are_likely(subject_of: MakeSubject) -> None:
    """With 20 of 100 starts a few are equal; but not each of eleven an even number of times."""
    episodes = corridors([*range(0, 90, 9), 9, 18])
    assert names(subject_of(episodes)) == []
    assert names(subject_of([*episodes, *episodes]))[:1] == ["exact_copies"]


def test_one_way_from_one_start_repeats_itself(subject_of: MakeSubject) -> None:
    assert names(subject_of(corridors([60] * 8))) == []
    assert names(subject_of(corridors([60, 70, 60, 80, 75, 61, 90]))) == []  # parts of one another, as the task has it


def test_real_numbers_do_not_come_again(walks: Callable[..., list[Trajectory]], subject_of: MakeSubject) -> None:
    episodes = walks([5, 6, 7, 8])
    assert not Coincidences(episodes).possible
    assert names(subject_of([*episodes, *episodes])) == ["exact_copies"]
    floats = [replace(each, observations=each.observations[:, None].astype(float)) for each in throws([3, 4] * 40)]
    assert Coincidences(floats).possible  # but states that are written as real numbers do
    assert names(subject_of(floats)) == []


def test_other_seeds_are_other_episodes(walks: Callable[..., list[Trajectory]], subject_of: MakeSubject) -> None:
    """Where all begins and goes alike, each reset leads to the same; a seed drawn twice is an episode drawn twice."""
    (walk,) = walks([9])
    assert names(subject_of([replace(walk, seed=seed) for seed in range(4)])) == []
    assert names(subject_of([replace(walk, seed=seed) for seed in (3, 4, 3)])) == ["exact_copies"]
    rounded = replace(walk, observations=walk.observations + 1e-7)
    assert names(subject_of([replace(walk, seed=3), replace(rounded, seed=3)])) == ["near_copies"]


@pytest.mark.parametrize(
    ("found", "total", "share", "more"),
    [(0, 9, 0.0, False), (1, 9, 0.0, True), (9, 9, 0.5, False), (10, 10, 0.5, True), (9, 9, 1.0, False)],
)
def test_more_than_chance(found: int, total: int, share: float, more: bool) -> None:
    """Nine heads in a row have the chance 1 / 512, ten 1 / 1024."""
    assert more_than_chance(found, total, share / 1.03 if found == 10 else share) is more


def test_states_that_stay_where_they_are_at_the_end_too(subject_of: MakeSubject) -> None:
    """Tails in state 0 leaves it at 0: so ends about every second episode that has all tails to the end."""
    assert last_observations(subject_of(throws([9] * 40)), None) == []
    cards = [Trajectory(np.arange(n), np.arange(n - 1), None, True) for n in (4, 5, 6, 7)]
    stuck = [replace(each, observations=np.append(each.observations[:-1], each.observations[-2])) for each in cards]
    assert last_observations(subject_of([*cards, *stuck]), None) == []  # who sticks sees the same cards
    (found,) = last_observations(subject_of(stuck), None)
    assert found.episodes == (0, 1, 2, 3)
    assert last_observations(subject_of([replace(each, seed=4) for each in stuck]), None) == []  # as it was recorded
    (found,) = last_observations(subject_of([*cards, *stuck], endings=Endings(repeated=(4,))), None)
    assert found.episodes == (4,)  # as the reader knows


def test_a_goal_is_no_time_limit(subject_of: MakeSubject) -> None:
    """Shortest ways of one length; where they go on from the last state, it is none that ends them."""
    subject = subject_of(corridors([60] * 5))
    assert time_outs_as_terminations(subject, None) == []
    assert ended_by_goal(subject.trajectories, range(5))
    (found,) = time_outs_as_terminations(subject_of(throws([30] * 9)), None)
    assert found.name == "time_out_as_termination"
