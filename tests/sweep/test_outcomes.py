"""What runs come to, put together by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from gailkit.errors import DataError
from gailkit.functional.resampling import Estimate
from gailkit.sweep.figure import draw_outcomes
from gailkit.sweep.outcomes import Outcome, Outcomes, conclude
from gailkit.sweep.statement import statement
from gailkit.sweep.table import results_page

Table = Mapping[str, Mapping[str, Sequence[float]]]  # task -> method -> the closeness of seeds 0, 1, ...


def runs_of(table: Table, width: float = 0.0) -> list[Outcome]:
    return [
        Outcome(task, method, seed, Estimate(value, value - width, value + width), Estimate(1, 1, 1), "different")
        for task, methods in table.items()
        for method, values in methods.items()
        for seed, value in enumerate(values)
    ]


def concluded(table: Table, failed: Mapping[tuple[str, str], int] | None = None) -> Outcomes:
    methods = list(dict.fromkeys(method for methods in table.values() for method in methods))
    return conclude(runs_of(table), Counter(failed or {}), list(table), methods)


CLEAR = {"A": {"old": [0.90, 0.91, 0.92], "new": [0.95, 0.96, 0.97]}}
ALIKE = {"A": {"old": [0.90, 0.92, 0.94], "new": [0.93, 0.91, 0.95]}}


def test_differences_are_taken_seed_by_seed() -> None:
    """old less new is -0.05 for every seed, however much seeds differ."""
    found = concluded({"A": {"old": [0.1, 0.5, 0.9], "new": [0.15, 0.55, 0.95]}}).difference("new", "old", "A")
    assert found.estimate == pytest.approx((0.05, 0.05, 0.05)) and found.told_apart and found.seeds == 3


def test_seeds_of_which_one_failed_are_left_out_of_both() -> None:
    runs = [run for run in runs_of({"A": {"x": [0, 1, 2, 3], "y": [1, 2, 9, 5]}}) if (run.method, run.seed) != ("x", 2)]
    found = conclude(runs, Counter({("A", "x"): 1}), ["A"], ["x", "y"])
    assert found.difference("y", "x", "A").seeds == 3
    assert found.difference("y", "x", "A").estimate == pytest.approx((4 / 3, -0.1009, 2.7676), abs=1e-4)  # 1, 1, 2
    cell = found.cell("A", "x")
    assert cell is not None and (cell.runs, cell.failed) == (3, 1)


def test_methods_come_in_the_order_of_their_mean_over_tasks_that_all_were_seen_on() -> None:
    table = {"A": {"x": [0.5] * 3, "y": [0.6] * 3}, "B": {"x": [0.9] * 3}}
    found = concluded(table)
    assert [(each.method, each.mean) for each in found.methods] == [
        ("y", pytest.approx(0.6)),
        ("x", pytest.approx(0.5)),
    ]


def test_no_run_is_better_for_what_it_earns() -> None:
    close, far = (Estimate(value, value, value) for value in (0.9, 0.2))
    runs = [Outcome("A", "moves alike", seed, close, Estimate(0, 0, 0), "different") for seed in range(3)]
    runs += [Outcome("A", "earns more", seed, far, Estimate(2, 2, 2), "different") for seed in range(3)]
    found = conclude(runs, Counter(), ["A"], ["earns more", "moves alike"])
    assert [each.method for each in found.methods] == ["moves alike", "earns more"]


def test_a_clear_case_is_won() -> None:
    assert statement(concluded(CLEAR)) == [
        "new won: it comes closer to the expert than old.",
        "new is closer to the expert than old on A (difference 0.050, 95 % interval 0.050 to 0.050; 3 seeds).",
    ]


def test_methods_that_are_alike_are_not_told_apart() -> None:
    """Differences 0.03, -0.01, 0.01: mean 0.01, deviation 0.02, half width 4.3027 * 0.02 / sqrt(3) = 0.0497."""
    assert statement(concluded(ALIKE)) == [
        "No method won for sure: new came closest, and is not told apart from old.",
        "new and old cannot be told apart on A (difference 0.010, 95 % interval -0.040 to 0.060; 3 seeds).",
    ]


def test_over_tasks_it_is_said_of_each() -> None:
    table = {
        "A": {"old": [0.90, 0.91, 0.92], "new": [0.95, 0.961, 0.97]},
        "B": {"old": [0.90, 0.92, 0.94], "new": [0.93, 0.91, 0.95]},
        "C": {"old": [0.5, 0.51, 0.52, 0.53], "new": [0.4, 0.412, 0.42, 0.43]},
        "D": {"old": [0.9, 0.9], "new": [1.0, 1.0]},
    }
    sentences = statement(concluded(table))
    assert sentences[0] == "No method won for sure: new came closest, and is not told apart from old."
    assert sentences[1].startswith("new and old cannot be told apart over 3 tasks (difference -0.013, 95 % interval ")
    assert "; 3 seeds or more a task), and closer on 1 of 4 tasks: closer on A (0.050 [" in sentences[1]
    assert "; not told apart on B (0.010 [-0.040, 0.060])" in sentences[1]
    assert "; further on C (-0.100 [" in sentences[1] and "; too few seeds to say on D." in sentences[1]
    assert sentences[-1].startswith("These are 4 intervals of 95 % each")


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_are_too_few_to_say(seeds: int) -> None:
    sentences = statement(concluded({"A": {"old": [0.1] * seeds, "new": [0.9] * seeds}}))
    assert sentences[0] == "Too few seeds to say which method won; new came closest."
    assert "too few seeds to say (it takes 3)" in sentences[1]


def test_who_lost_runs_is_told_so() -> None:
    sentences = statement(concluded(CLEAR, {("A", "new"): 2}))
    assert sentences[-1] == "new has 2 runs that failed, of which its mean knows nothing."


def test_without_a_scale_nothing_is_said_to_be_better() -> None:
    runs = [Outcome("A", method, 0, None, Estimate(1, 1, 1), "not enough expert data") for method in ("x", "y")]
    found = conclude(runs, Counter(), ["A"], ["x", "y"])
    assert statement(found)[0].startswith("No method is said to be better: the demonstrations are too few")
    assert statement(conclude([], Counter({("A", "x"): 2}), ["A"], ["x"])) == [
        "No run has finished, so that there is nothing to say."
    ]


def test_methods_that_do_not_differ_seem_to_about_as_often_as_said() -> None:
    random = np.random.default_rng(0)
    seemed = 0
    for _ in range(400):
        table = {task: {method: random.normal(0.9, 0.02, 3) for method in ("x", "y")} for task in ("A", "B")}
        seemed += concluded(table).difference("x", "y").told_apart
    assert seemed <= 32  # 5 % are 20, three standard errors 13


def test_the_page_has_every_cell_and_every_failure() -> None:
    page = results_page(concluded({**CLEAR, "B|C": ALIKE["A"]}, {("A", "old"): 2}), {"A--old--3": "no more disk"})
    lines = [[cell.strip() for cell in line.split(" | ")] for line in page.splitlines()]
    assert ["| A", "old", "3, 2 failed", "0.910 [0.900, 0.920]"] in [line[:4] for line in lines]
    assert ["| B\\|C", "new", "3"] in [line[:3] for line in lines]
    assert ["| new", "0.945"] in [line[:2] for line in lines]
    assert page.endswith("Failed:\n\n- A--old--3: no more disk\n")


def test_the_picture_shows_every_run_and_takes_any_name(tmp_path: Path) -> None:
    table = {"A": {"a $name$ <b>": [0.9, 0.95], "new": [0.97, 0.99]}}
    draw_outcomes(concluded(table), runs_of(table), tmp_path / "sweep.svg")
    draw_outcomes(concluded(table), runs_of(table), tmp_path / "again.svg")
    content = (tmp_path / "sweep.svg").read_bytes()
    assert content == (tmp_path / "again.svg").read_bytes()
    assert b"<svg" in content and ElementTree.fromstring(content) is not None


def test_an_evaluation_is_read_and_a_damaged_one_is_refused() -> None:
    told = {
        "closeness": 0.9,
        "closeness_ci95": [0.8, 1.0],
        "returns": {"score": {"value": 0.7, "low": 0.6, "high": 0.8}},
        "verdict": "different",
    }
    found = Outcome.of("A", "x", 3, told)
    assert found == Outcome("A", "x", 3, Estimate(0.9, 0.8, 1.0), Estimate(0.7, 0.6, 0.8), "different")
    assert Outcome.of("A", "x", 3, {**told, "closeness": None}).closeness is None
    for wrong in ({}, {**told, "closeness": "high"}, {**told, "returns": None}):
        with pytest.raises(DataError, match="the evaluation of A, x, seed 3 is damaged"):
            Outcome.of("A", "x", 3, wrong)
