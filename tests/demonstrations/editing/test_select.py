"""Which episodes are kept, and that no episode is changed by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.editing.select import Criteria, Interval, select, unique, with_step
from gailkit.errors import InputError
from gailkit.types import Trajectory

Make = Callable[..., Demonstrations]


def earning(*returns: float) -> Demonstrations:
    """One episode of one step a return; observations are its number, odd ones terminate."""
    return Demonstrations(
        tuple(
            Trajectory(np.full((2, 1), number, np.float32), np.zeros(1, np.int64), np.array([earned]), number % 2 == 1)
            for number, earned in enumerate(returns)
        )
    )


def numbers(demonstrations: Demonstrations) -> list[int]:
    return [int(episode.observations.flat[0]) for episode in demonstrations.trajectories]


def without_rewards(demonstrations: Demonstrations) -> Demonstrations:
    return replace(demonstrations, trajectories=tuple(replace(t, rewards=None) for t in demonstrations.trajectories))


def test_no_criteria_keep_everything(make_demonstrations: Make) -> None:
    whole = make_demonstrations([3, 1, 4])
    assert select(whole, Criteria()).digests() == whole.digests()
    assert select(without_rewards(whole), Criteria()).num_steps == 8


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_the_best_are_the_first_of_those_sorted_by_return(returns: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(returns)))
    by_hand = sorted(range(len(returns)), key=lambda number: (-returns[number], number))[:count]
    assert numbers(select(earning(*returns), Criteria(best=count))) == sorted(by_hand)


@pytest.mark.parametrize(
    "criteria, kept",
    [
        (Criteria(returns=Interval(lowest=20)), [1, 2, 4]),
        (Criteria(returns=Interval(highest=20)), [0, 2, 3]),
        (Criteria(returns=Interval(20, 20)), [2]),
        (Criteria(episodes=(range(0, 1), range(2, 4))), [0, 2, 3]),
        (Criteria(episodes=(range(3, 5), range(3, 4))), [3, 4]),
        (Criteria(ending="terminated"), [1, 3]),
        (Criteria(ending="truncated"), [0, 2, 4]),
        (Criteria(ending="truncated", returns=Interval(highest=25), best=1), [2]),  # 4 and 1 earned more, but are out
    ],
    ids=str,
)
def test_every_criterion_keeps_what_it_says(criteria: Criteria, kept: list[int]) -> None:
    assert numbers(select(earning(10, 30, 20, 0, 40), criteria)) == kept


@pytest.mark.parametrize(
    "lengths, kept", [(Interval(3, 5), [0, 2, 3]), (Interval(lowest=6), [1]), (Interval(highest=3), [0])], ids=str
)
def test_lengths_are_in_steps_with_both_ends(make_demonstrations: Make, lengths: Interval, kept: list[int]) -> None:
    assert numbers(select(make_demonstrations([3, 9, 5, 4]), Criteria(lengths=lengths))) == kept


def test_the_offsets_of_a_subsampling_go_with_their_episodes(make_demonstrations: Make) -> None:
    whole = replace(make_demonstrations([9, 9, 9]), stride=4, offsets=(3, 1, 2))
    kept = select(whole, Criteria(episodes=(range(0, 1), range(2, 3))))
    assert (kept.stride, kept.offsets) == (4, (3, 2))


def test_of_equal_episodes_the_first_is_kept_and_nearly_equal_ones_are_not_equal(make_demonstrations: Make) -> None:
    whole = make_demonstrations([3, 4])
    first, second = whole.trajectories
    other_end = replace(second, terminated=not second.terminated)
    other_number = replace(first, observations=first.observations + np.float32(1e-6))
    mixed = replace(whole, trajectories=(first, second, first, other_end, second, other_number), offsets=())
    assert tuple(unique(mixed).trajectories) == (first, second, other_end, other_number)
    assert unique(replace(mixed, stride=4, offsets=(0, 1, 2, 3, 2, 1))).offsets == (0, 1, 3, 1)
    assert tuple(select(mixed, Criteria(unique=True, best=3)).trajectories) == (first, second, other_end)
    assert tuple(select(mixed, Criteria(unique=True, episodes=(range(2, 5),))).trajectories) == (
        first,
        other_end,
        second,
    )


@pytest.mark.parametrize(
    "criteria, said",
    [
        (Criteria(returns=Interval(lowest=99)), r"there are 3, 1 terminated and 2 truncated, with lengths from 1 to 1"),
        (Criteria(returns=Interval(lowest=99)), r"returns from 10 to 30"),
        (Criteria(returns=Interval(lowest=float("nan"))), r"no episode meets"),
        (Criteria(best=4), r"the 4 best episodes were asked for; there are 3"),
        (Criteria(best=2, ending="terminated"), r"the 2 best .* there are 1"),
        (Criteria(episodes=(range(0, 4),)), r"episode 3 was asked for; there are 3, numbered 0 to 2"),
        (Criteria(episodes=(range(10**17, 10**17 + 1),)), r"episode 1000*0 was asked for"),
        (Criteria(episodes=(range(-1, 2),)), r"episode -1 was asked for"),
        (Criteria(episodes=()), r"no episode meets"),
    ],
)
def test_what_cannot_be_selected_is_refused(criteria: Criteria, said: str) -> None:
    with pytest.raises(InputError, match=said):
        select(earning(10, 30, 20), criteria)


@pytest.mark.parametrize("criteria", [Criteria(best=1), Criteria(returns=Interval(lowest=0))], ids=str)
def test_returns_that_were_not_recorded_decide_nothing(make_demonstrations: Make, criteria: Criteria) -> None:
    with pytest.raises(InputError, match="no rewards were recorded"):
        select(without_rewards(make_demonstrations([3, 3])), criteria)


def test_steps_are_told_one_after_another(make_demonstrations: Make) -> None:
    told = with_step(with_step(make_demonstrations([2]), "sifted"), "split").provenance
    assert told == {"source": "made by hand", "step_1": "sifted", "step_2": "split"}
    assert with_step(replace(make_demonstrations([2]), provenance={"step_2": "x"}), "y").provenance["step_2"] == "x"
