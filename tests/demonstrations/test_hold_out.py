"""Which episodes are held out: how many, that nobody has learned from them, and that nothing else decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.hold_out import hold_out, hold_out_all_but
from gailkit.errors import InputError
from gailkit.types import Trajectory

Make = Callable[..., Demonstrations]


def showing(numbers: list[int]) -> Demonstrations:
    """An episode a number, which is what it observes; equal numbers make equal episodes."""
    return Demonstrations(
        tuple(Trajectory(np.full((3, 1), number, np.float32), np.zeros(2, np.int64), None, True) for number in numbers)
    )


def numbers(demonstrations: Demonstrations | None) -> list[int]:
    trajectories = () if demonstrations is None else demonstrations.trajectories
    return [int(trajectory.observations[0, 0]) for trajectory in trajectories]


@pytest.mark.parametrize(
    "episodes, held",
    [
        (1, 0), (4, 0), (5, 1), (7, 1), (8, 2), (12, 2),  # a fifth, if there are five
        (13, 3), (15, 5), (19, 9), (20, 10),  # what ten to learn from leave
        (21, 10), (52, 10), (53, 11), (100, 20),  # ten, until a fifth is more
    ],
)  # fmt: skip
def test_a_fifth_is_held_out_or_ten_where_ten_remain(episodes: int, held: int) -> None:
    learned_from, held_out = hold_out(showing(list(range(episodes))))
    assert len(numbers(held_out)) == held
    assert len(numbers(learned_from)) == episodes - held


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=30),
    st.one_of(st.none(), st.floats(0, 1, exclude_max=True)),
    st.integers(0, 3),
)
@settings(max_examples=150, deadline=None)
def test_every_episode_is_on_one_side_with_its_twins_and_in_its_order(
    shown: list[int], share: float | None, seed: int
) -> None:
    count = None if share is None else round(share * len(set(shown)))
    if share and not 0 < round(share * len(set(shown))) < len(set(shown)):
        with pytest.raises(InputError, match="at least one must be held out and one be left to learn from"):
            hold_out(showing(shown), share, seed)
        return
    learned_from, held_out = hold_out(showing(shown), share, seed)
    known, new = set(numbers(learned_from)), set(numbers(held_out))
    assert numbers(learned_from) == [number for number in shown if number in known]
    assert numbers(held_out) == [number for number in shown if number in new]
    assert known | new == set(shown) and not known & new
    assert known and (held_out is None or new)
    assert count is None or len(new) == count


def test_neither_the_order_of_the_episodes_nor_their_file_decides(make_demonstrations: Make, tmp_path: Path) -> None:
    whole = make_demonstrations([3, 5, 4] * 8)
    _, held_out = hold_out(whole, seed=1)
    assert held_out is not None
    backwards = hold_out(whole.pick(range(23, -1, -1)), seed=1)[1]
    assert numbers(backwards) == numbers(held_out)[::-1]
    whole.save(tmp_path / "d.hdf5")
    stored = Demonstrations.load(tmp_path / "d.hdf5", memory=0)
    assert not stored.in_memory
    known, new = hold_out(stored, seed=1)
    assert new is not None and new.digests() == held_out.digests()
    drawn = known.sample(3 * known.num_kept, torch.Generator().manual_seed(0)).obs[:, 0].long().tolist()
    assert set(drawn) == set(range(24)) - set(numbers(held_out))


def test_every_episode_is_held_out_as_often_as_any_other() -> None:
    draws, counts = 2000, np.zeros(10)
    whole = showing(list(range(10)))
    for seed in range(draws):
        counts[numbers(hold_out(whole, 0.3, seed)[1])] += 1
    assert np.abs(counts - 0.3 * draws).max() < 4.5 * np.sqrt(0.3 * 0.7 * draws)  # of a binomial count


def test_a_larger_share_holds_out_the_same_episodes_and_more() -> None:
    whole = showing(list(range(40)))
    sets = [set(numbers(hold_out(whole, share)[1])) for share in (0.0, 0.1, 0.25, 0.8)]
    assert [len(held) for held in sets] == [0, 4, 10, 32]
    assert sets[0] < sets[1] < sets[2] < sets[3]


def test_equal_episodes_count_as_one() -> None:
    assert hold_out(showing([1, 2, 3, 4] * 5))[1] is None  # four different ones are too few
    learned_from, held_out = hold_out(showing([0, 1, 2, 3, 4] * 3), 0.4)
    assert (len(numbers(learned_from)), len(numbers(held_out))) == (9, 6)


def test_what_is_drawn_of_an_episode_goes_with_it(make_demonstrations: Make) -> None:
    kept = make_demonstrations([9] * 12).subsample(4, seed=1)
    of_each = dict(zip(numbers(kept), kept.offsets, strict=True))
    for side in hold_out(kept):
        assert side is not None and side.stride == 4
        assert [of_each[number] for number in numbers(side)] == list(side.offsets)


@pytest.mark.parametrize("share", [-0.1, 1.0, 5.0, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(InputError, match=rf"must be at least 0 and below 1; found {share:g}$"):
        hold_out(showing(list(range(30))), share)


@pytest.mark.parametrize(
    "shown, share, said",
    [
        ([1, 2, 3], 0.1, "a share of 0.1 of 3 different episodes holds out 0 of them"),
        ([1, 2, 3], 0.9, "a share of 0.9 of 3 different episodes holds out 3 of them"),
        ([1, 1, 1, 1], 0.5, "a share of 0.5 of 1 different episode holds out 0 of them"),
    ],
)
def test_an_empty_side_is_refused(shown: list[int], share: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        hold_out(showing(shown), share)


def test_of_the_episodes_behind_the_first_those_are_held_out_that_are_new() -> None:
    learned_from, held_out = hold_out_all_but(showing([1, 2, 1, 3, 2, 4, 3]), 2)
    assert (numbers(learned_from), numbers(held_out)) == ([1, 2], [3, 4, 3])
    learned_from, held_out = hold_out_all_but(showing([1, 2, 2, 1]), 3)
    assert (numbers(learned_from), held_out) == ([1, 2, 2], None)


@pytest.mark.parametrize("count", [0, 4])
def test_as_many_as_there_are_can_be_first(make_demonstrations: Make, count: int) -> None:
    with pytest.raises(InputError, match=rf"{count} trajectories were asked for; .* hold 3"):
        hold_out_all_but(make_demonstrations([2, 2, 2]), count)


def test_episodes_that_differ_in_their_end_alone_are_two() -> None:
    whole = showing([1] * 6)
    ended = tuple(replace(episode, terminated=bool(i % 2)) for i, episode in enumerate(whole.trajectories))
    _, held_out = hold_out(Demonstrations(ended), 0.5)
    assert held_out is not None and len({episode.terminated for episode in held_out.trajectories}) == 1
