"""Checks on episodes that are there more than once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gailkit.checks.copies import Copy, contained, exact_copies, near_copies, repeated
from gailkit.checks.finding import Unchecked
from gailkit.checks.subject import Subject
from gailkit.types import Trajectory

Walks = Callable[..., list[Trajectory]]
MakeSubject = Callable[..., Subject]


def every(copy: Copy) -> bool:
    return True


def part(whole: Trajectory, start: int, stop: int) -> Trajectory:
    return Trajectory(whole.observations[start : stop + 1], whole.actions[start:stop], None, False)


def test_an_equal_episode_is_a_copy_of_the_first(walks: Walks, subject_of: MakeSubject) -> None:
    first, second = walks([8, 9])
    subject = subject_of([first, second, first, first])
    (found,) = exact_copies(subject, None)
    assert found.episodes == (2, 3)
    assert found.mend == "gailkit data select demos.hdf5 -o demos-selected.hdf5 --unique"
    assert near_copies(subject, None) == []  # they are copies already
    assert repeated((first, second)) == []


def test_episodes_of_their_own_are_no_copies(walks: Walks, subject_of: MakeSubject) -> None:
    subject = subject_of(walks([30, 20, 30, 8]))
    assert exact_copies(subject, None) == []
    assert near_copies(subject, None) == []


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 30), (0, 12), (7, 30), (7, 25)], ids=["whole", "prefix", "shifted", "inside"]
)
def test_a_part_of_another_with_rounded_numbers_is_found(
    walks: Walks, subject_of: MakeSubject, start: int, stop: int
) -> None:
    other, whole = walks([25, 30])
    piece = part(whole, start, stop)
    rounded = replace(piece, observations=piece.observations + 1e-5, actions=np.round(piece.actions, 5))
    assert contained((other, whole, rounded), every) == [Copy(2, 1, start)]
    (found,) = near_copies(subject_of([other, replace(whole, rewards=None), rounded]), None)
    assert found.episodes == (2,)
    assert found.found.endswith(f"episode 2 is episode 1 from step {start} on")
    assert found.mend is not None and found.mend.endswith("--episodes 0-1")


def test_other_actions_make_another_episode(walks: Walks) -> None:
    (whole,) = walks([30])
    assert contained((whole, replace(whole, actions=whole.actions + 0.1)), every) == []


def test_a_short_overlap_is_none(walks: Walks) -> None:
    (whole,) = walks([30])
    assert contained((whole, part(whole, 0, 4)), every) == []  # fewer steps than SHORTEST
    (_, other) = walks([30, 40])
    tail = Trajectory(
        np.concatenate([whole.observations[22:31], other.observations[:19]]),
        np.concatenate([whole.actions[22:30], other.actions[:19]]),
        None,
        False,
    )
    assert contained((whole, tail), every) == []  # 8 of 27 steps


def test_starts_in_one_dimension_come_close_by_chance(subject_of: MakeSubject) -> None:
    """600 episodes that begin at 600 places between 0 and 1 and do the same: within 1e-3 each would have a twin."""
    starts = np.random.default_rng(0).uniform(size=600)
    drifts = [Trajectory(np.linspace(s, s + 1, 11)[:, None], np.ones((10, 1)), None, True) for s in starts]
    assert len(contained(tuple(drifts), every)) < 60


def test_structured_observations_are_compared_by_their_digests_alone(subject_of: MakeSubject) -> None:
    observations = np.zeros(4, dtype=[("a", "f4"), ("b", "f4", (2,))])
    episode = Trajectory(observations, np.zeros(3), None, False)
    subject = subject_of([episode, episode])
    assert isinstance(near_copies(subject, None), Unchecked)
    assert len(exact_copies(subject, None)) == 1
