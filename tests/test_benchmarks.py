"""What the benchmarks say of a run's curve, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.curves import scores_over_steps, steps_to_share, thinned
from benchmarks.device import pays_from
from benchmarks.ranks import on_paper
from benchmarks.reinforcement import TASKS, Pair

RETURN = "episode/true_return"


def run_of(*returns: float | None) -> list[dict[str, float]]:
    """A row every 10 steps; None where no episode has ended yet."""
    rows = [{"steps": 10.0 * number} for number in range(1, len(returns) + 1)]
    return [row if earned is None else {**row, RETURN: earned} for row, earned in zip(rows, returns, strict=True)]


def test_nine_tenths_of_the_way_from_random_to_expert() -> None:
    run = run_of(None, -90.0, -28.1, -28.0, -40.0)  # from -100 to -20: the mark is -28
    assert steps_to_share(run, random=-100.0, expert=-20.0) == 40
    assert steps_to_share(run, random=-100.0, expert=-20.0, share=0.1) == 20
    assert steps_to_share(run, random=-100.0, expert=0.0) is None
    assert steps_to_share(run_of(None), random=-100.0, expert=0.0) is None


def test_a_thinned_curve_keeps_its_ends_and_leaves_out_what_has_no_return() -> None:
    kept = thinned(run_of(None, *(float(number) for number in range(50))), points=7)
    assert (kept["steps"][0], kept["steps"][-1]) == (20, 510)
    assert (kept["true_return"][0], kept["true_return"][-1]) == (0.0, 49.0)
    assert len(kept["steps"]) == len(kept["true_return"]) <= 7


def test_scores_are_on_the_scale_of_random_and_expert_where_the_seeds_overlap() -> None:
    means = {"random_return_mean": -100.0, "expert_return_mean": 100.0}
    first = {"steps": [0, 100], "true_return": [-100, 100], **means}
    second = {"steps": [50, 150], "true_return": [0, 0], **means}
    steps, scores = scores_over_steps([first, second])
    assert (steps[0], steps[-1]) == (50, 100)
    np.testing.assert_allclose(scores[0], np.linspace(0.5, 1.0, len(steps)))
    np.testing.assert_allclose(scores[1], 0.5)


@pytest.mark.parametrize(("envs", "steps"), [(1, 100_352), (4, 106_496), (32, 131_072)])
def test_both_sides_take_the_peers_whole_rollouts(envs: int, steps: int) -> None:
    assert (
        Pair(TASKS[0], "trpo", 0, envs).steps == steps
    )  # 100,000 rounded up to a multiple of 2048 in each environment


def test_who_learns_first_alternates_with_the_seed() -> None:
    orders = [Pair(TASKS[0], "trpo", seed, 4).order for seed in range(4)]
    assert orders[0] == orders[2] != orders[1] == orders[3]


def test_what_a_sum_over_ranks_takes_on_paper() -> None:
    # 10 sums of 1.25 MB in all: a rank of 1000 moves 2 * 999/1000 of them, which is 1.998 ms of 1.25 GB/s. In a ring it
    # sends 10 * 2 * 999 messages of 30 us, 599.4 ms; by halving 10 * 2 * 10 of them, 6 ms.
    alone, *_, thousand = on_paper({"all_reduce": (10, 1.25e6)}, seconds=1.0)[3:]
    assert alone.split() == ["1", "0", "0.0", "1.00", "0.0", "1.00"]
    assert thousand.split() == ["1000", "2,498", "601.4", "0.62", "8.0", "0.99"]


def test_a_card_pays_from_where_it_stays_faster() -> None:
    cpu = {16: 10.0, 64: 20.0, 256: 30.0}
    assert pays_from(cpu, {16: 1.0, 64: 21.0, 256: 300.0}) == 64
    assert pays_from(cpu, {16: 11.0, 64: 19.0, 256: 31.0}) == 256
    assert pays_from(cpu, {16: 11.0, 64: 21.0, 256: 31.0}) == 16
    assert pays_from(cpu, {16: 11.0, 64: 21.0, 256: 30.0}) is None
