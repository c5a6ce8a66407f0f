"""Checks on how episodes ended: each on episodes that have the fault and on some that have not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gailkit.checks.endings import (
    ambiguous_endings,
    last_observations,
    time_outs_as_terminations,
    within_the_limit,
)
from gailkit.checks.finding import Unchecked
from gailkit.checks.subject import Endings, Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.types import Trajectory

Walks = Callable[..., list[Trajectory]]
MakeSubject = Callable[..., Subject]


def test_terminations_all_after_one_length_look_like_a_time_limit(walks: Walks, subject_of: MakeSubject) -> None:
    (found,) = time_outs_as_terminations(subject_of(walks([8, 8], terminated=True)), None)
    assert found.episodes == (0, 1)
    assert found.mend == "gailkit data convert demos.hdf5 -o demos-converted.hdf5 --max-episode-steps 8"
    assert "2 of 2 episodes are stored as terminated after exactly 8 steps" in found.found


@pytest.mark.parametrize(("lengths", "cut"), [([8, 8, 8, 3, 5], (0, 1, 2)), ([8, 8, 8, 3, 3], ()), ([8, 8, 3, 5], ())])
def test_some_terminations_of_one_length_do_if_they_are_many(
    walks: Walks, subject_of: MakeSubject, lengths: list[int], cut: tuple[int, ...]
) -> None:
    found = time_outs_as_terminations(subject_of(walks(lengths, terminated=True)), None)
    assert [each.episodes for each in found] == ([cut] if cut else [])


def test_what_was_cut_off_is_stored_as_it_should_be(walks: Walks, subject_of: MakeSubject) -> None:
    assert time_outs_as_terminations(subject_of(walks([8, 8, 8])), None) == []


def test_what_the_user_said_of_endings_is_not_doubted(walks: Walks, subject_of: MakeSubject) -> None:
    assert time_outs_as_terminations(subject_of(walks([8, 8], terminated=True), endings=Endings(told=True)), None) == []


def test_the_time_limit_of_the_environment_decides(
    walks: Walks, subject_of: MakeSubject, around: Callable[[str], Surroundings]
) -> None:
    pendulum = around("Pendulum-v1")
    assert pendulum.time_limit == 200
    (found,) = time_outs_as_terminations(subject_of(walks([200, 50], terminated=True)), pendulum)
    assert found.episodes == (0,)
    assert time_outs_as_terminations(subject_of(walks([199, 199], terminated=True)), pendulum) == []
    (found,) = time_outs_as_terminations(subject_of(walks([200, 201], terminated=True)), pendulum)
    assert (found.episodes, found.mend) == ((0,), None)  # no time limit of 200 steps truncated the other


def test_endings_that_nobody_knows_are_asked_for(walks: Walks, subject_of: MakeSubject) -> None:
    endings = Endings((0,), 8, ("--max-episode-steps", "8"))
    subject = subject_of(walks([8, 5]), endings=endings, words=("--mask", "train"))
    (found,) = ambiguous_endings(subject, None)
    assert found.severity == "error"
    assert found.mend == ("gailkit data convert demos.hdf5 -o demos-converted.hdf5 --mask train --max-episode-steps 8")
    assert isinstance(time_outs_as_terminations(subject, None), Unchecked)
    assert ambiguous_endings(replace(subject, endings=Endings()), None) == []


def test_episodes_beyond_the_time_limit_are_of_another_environment(
    walks: Walks, subject_of: MakeSubject, around: Callable[[str], Surroundings]
) -> None:
    pendulum = around("Pendulum-v1")
    (found,) = within_the_limit(subject_of(walks([200, 201, 300])), pendulum)
    assert (found.episodes, found.severity) == ((1, 2), "error")
    assert "2 of 3 episodes have up to 300 steps, and Pendulum-v1 ends after 200" in found.found
    assert within_the_limit(subject_of(walks([200, 3])), pendulum) == []
    assert within_the_limit(subject_of(walks([300])), pendulum._replace(time_limit=None)) == []
    assert isinstance(within_the_limit(subject_of(walks([300])), None), Unchecked)


def test_last_observations_that_had_to_be_made_up_are_counted(walks: Walks, subject_of: MakeSubject) -> None:
    whole, other, cut = (replace(each, terminated=index < 2) for index, each in enumerate(walks([8, 8, 8])))
    repeated, held = (
        replace(each, observations=np.concatenate([each.observations[:-1], each.observations[-2:-1]]))
        for each in (other, cut)
    )
    (found,) = last_observations(subject_of([whole, repeated, held], endings=Endings(shortened=3)), None)
    assert "3 truncated episodes lost the last step" in found.found
    assert "1 terminated episode stands twice" in found.found
    assert found.episodes == (1,)
    assert last_observations(subject_of([whole, held]), None) == []
