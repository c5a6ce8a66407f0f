"""Checks on actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from gymnasium.spaces import Box, Discrete

from gailkit.checks.actions import action_kind, actions_in_bounds
from gailkit.checks.finding import Unchecked
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.types import Trajectory

Walks = Callable[..., list[Trajectory]]
MakeSubject = Callable[..., Subject]
BOX = Box(-1, 1, (2,), np.float32)


def test_actions_outside_the_box_are_counted(walks: Walks, subject_of: MakeSubject) -> None:
    inside, outside = walks([8, 8])
    outside.actions[[2, 5], 1] = [1.5, -3.0]
    (found,) = actions_in_bounds(subject_of([inside, outside], BOX), None)
    assert (found.name, found.severity, found.episodes) == ("actions_outside_box", "note", (1,))
    assert "2 of 16 actions lie outside the Box (-1 to 1), by up to 2" in found.found
    assert found.mend is None


def test_actions_in_other_units_are_a_fault_that_clipping_does_not_mend(walks: Walks, subject_of: MakeSubject) -> None:
    """Torques in hundredths; and, on the side where it can go, beyond one bound of a Box that has no other."""
    (walk,) = walks([40])
    hundredths = replace(walk, actions=100 * walk.actions)
    (found,) = actions_in_bounds(subject_of([hundredths], BOX), None)
    assert (found.name, found.severity, found.mend) == ("actions_outside_box", "warning", None)
    assert "they may be in other units" in found.found
    half = Box(np.array([-np.inf, -1], np.float32), np.array([1, np.inf], np.float32))
    (found,) = actions_in_bounds(subject_of([hundredths], half), None)
    assert found.severity == "note"  # no width to measure by


def test_actions_on_the_bound_are_inside(walks: Walks, subject_of: MakeSubject) -> None:
    (walk,) = walks([8])
    walk.actions[0] = [1.0, -1.0 - 1e-8]  # a bound of float32 as float64 may miss it by its rounding
    assert actions_in_bounds(subject_of([walk], BOX), None) == []


def test_the_box_of_the_environment_goes_before_that_of_the_file(
    subject_of: MakeSubject, around: Callable[[str], Surroundings]
) -> None:
    torques = Trajectory(np.zeros((3, 3)), np.array([[1.9], [-2.1]]), None, False)
    (found,) = actions_in_bounds(subject_of([torques], Box(-1, 1, (1,))), around("Pendulum-v1"))
    assert "1 of 2 actions lie outside the Box (-2 to 2)" in found.found


def test_choices_beyond_the_last_are_no_actions(walks: Walks, subject_of: MakeSubject) -> None:
    (walk,) = walks([3])
    for choices, wrong in (([0, 1, 1], False), ([0, 2, 1], True), ([0.0, 1.0, 1.0], True)):
        found = action_kind(subject_of([replace(walk, actions=np.array(choices))], Discrete(2)), None)
        assert bool(found) is wrong
    assert actions_in_bounds(subject_of([walk], Discrete(2)), None) == []


def test_without_a_space_nothing_can_be_said(walks: Walks, subject_of: MakeSubject) -> None:
    assert isinstance(action_kind(subject_of(walks([3])), None), Unchecked)
    assert isinstance(actions_in_bounds(subject_of(walks([3])), None), Unchecked)


def test_a_wrong_number_of_actions_is_an_error(walks: Walks, subject_of: MakeSubject) -> None:
    subject = subject_of(walks([3]), Box(-1, 1, (3,)))
    (found,) = action_kind(subject, None)
    assert found.severity == "error" and "(2,)" in found.found and "(3,)" in found.found
    assert isinstance(actions_in_bounds(subject, None), Unchecked)
