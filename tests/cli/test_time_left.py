"""The time left, on times whose truth is known: work that begins slowly, goes on steadily, or comes in episodes."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest

from gailkit.cli.time_left import TimeLeft, duration, expected_steps, left_words


def ratios(seconds: list[float], until: float = 1.0, before: float = 0.0) -> list[float]:
    """Estimate over truth after each of the pieces of work that take ``seconds``, up to a share ``until`` of them."""
    times = [before + spent for spent in accumulate(seconds)]
    estimator, count = TimeLeft(), len(seconds)
    told = [(estimator.after(done, count, now), times[-1] - now) for done, now in enumerate(times, 1)]
    return [left / truth for left, truth in told[: round(until * count)] if left is not None and truth > 0]


def test_of_steady_work_it_is_exact_whatever_came_before_it() -> None:
    assert ratios([0.25] * 40, before=100.0) == pytest.approx([1.0] * 38)  # all but the first and the last


@pytest.mark.parametrize("slower", [2.0, 5.0, 20.0])
def test_a_slow_first_piece_is_no_measure_of_the_others(slower: float) -> None:
    assert ratios([slower, *[1.0] * 99]) == pytest.approx([1.0] * 98)


@pytest.mark.parametrize("slow, slower", [(2, 5.0), (3, 4.0), (5, 2.0)])
def test_after_twice_as_many_pieces_as_were_slow_it_is_right(slow: int, slower: float) -> None:
    told = ratios([slower] * slow + [1.0] * 100, until=0.2)
    assert told[2 * slow - 2 :] == pytest.approx([1.0] * len(told[2 * slow - 2 :]))  # the first piece told nothing
    assert len(told[2 * slow - 2 :]) > 8


def test_uneven_work_is_within_a_factor_of_1_3_over_the_first_fifth() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        noisy = [6.0, *random.gamma(64, 1 / 64, 199)]  # each piece an eighth more or less
        assert all(1 / 1.3 < ratio < 1.3 for ratio in ratios(noisy, until=0.2)[4:])


def test_a_run_that_goes_on_is_measured_by_what_it_does_now() -> None:
    """900 of 1000 were done before: of the five after, the first two were slow, and 95 like the others are left."""
    estimator = TimeLeft()
    told = [estimator.after(900 + done, 1000, now) for done, now in ((1, 50), (2, 60), (3, 61), (4, 62), (5, 63))]
    assert told == [None, 980.0, 97.0, 96.0, 95.0]


def test_between_two_reports_the_time_runs_down_and_never_below_0() -> None:
    estimator = TimeLeft()
    assert [estimator.after(done, 10, now) for done, now in ((0, 0), (1, 5), (2, 6), (2, 7), (2, 99), (10, 100))] == [
        None, None, 8.0, 7.0, 0.0, 0.0,
    ]  # fmt: skip


def episodes_played(lengths: np.ndarray, num_envs: int) -> list[tuple[int, int, int, int]]:
    """Episodes of these lengths side by side, a step of all at a time: finished, their steps, all steps, running."""
    waiting, running = list(lengths), []
    finished = finished_steps = steps = 0
    seen = []
    while waiting or running:
        while waiting and len(running) < num_envs:
            running.append([0, waiting.pop(0)])
        for episode in running:
            episode[0] += 1
        count, steps = len(running), steps + len(running)
        ended = [length for age, length in running if age == length]
        finished, finished_steps = finished + len(ended), finished_steps + sum(ended)
        running = [episode for episode in running if episode[0] < episode[1]]
        seen.append((finished, finished_steps, steps, count))
    return seen


def test_episodes_of_one_length_are_known_from_the_first_on() -> None:
    seen = episodes_played(np.full(50, 200), 8)
    told = [expected_steps(50, *each) for each in seen]
    assert told[198] is None and told[199] == 50 * 200
    assert all(left is not None and 1 <= left / (50 * 200) < 4 / 3 for left in told[199:])  # (8 + 8) / (8 + 4)
    assert told[-1] == 50 * 200


@pytest.mark.parametrize("shape, most", [(16.0, 1.1), (4.0, 1.3), (1.0, 1.5)])  # the last has episodes without memory
def test_episodes_of_many_lengths_are_about_as_many_steps_as_expected(shape: float, most: float) -> None:
    """Over many draws: a single one is as uncertain as its ten first episodes."""
    random, found = np.random.default_rng(1), []
    for _ in range(200):
        lengths = np.ceil(random.gamma(shape, 40 / shape, 50))
        fifth = next(each for each in episodes_played(lengths.astype(int), 8) if each[0] >= 10)
        told = expected_steps(50, *fifth)
        assert told is not None
        found.append(told / lengths.sum())
    assert 1 / most < float(np.median(found)) < most


def test_durations_are_written_in_two_units_at_most() -> None:
    assert [duration(seconds) for seconds in (0, 7.4, 65, 3599.6, 9000)] == [
        "0 s", "7 s", "1 min 5 s", "1 h 0 min", "2 h 30 min",
    ]  # fmt: skip
    assert left_words(None) == "" and left_words(65) == ", 1 min 5 s left"
