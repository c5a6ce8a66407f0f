"""The GAIL paper's table, by hand: its own returns on our scale, ours beside them, and what is left to measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.imitation_run import kept
from benchmarks.paper import FULL, Cell, cells, is_measured, keep
from benchmarks.paper_figure import drawn
from benchmarks.paper_scores import TASKS, Run, published, random_return, scores
from benchmarks.paper_table import write_table

CARTPOLE, HALFCHEETAH = TASKS[0], TASKS[2]
FILE = """file,task,alg,num_trajs,run,alg_mean_return,alg_episodes,expert_mean_return,expert_std_return,expert_episodes
classic,cartpole,ga,1,0,200.0,53,200.0,0.0,16
classic,cartpole,ga,1,1,110.0,53,200.0,0.0,16
classic,cartpole,bclone,1,0,65.0,53,200.0,0.0,16
classic,cartpole,fem,1,0,20.0,53,200.0,0.0,16
"""


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """The paper's, in short."""
    path = tmp_path / "results.csv"
    path.write_text(FILE)
    return published(path)


def row_of(method: str, seed: int, random: float, sampled: float, likeliest: float) -> dict[str, object]:
    """What is kept of one run on one trajectory of CartPole."""
    (cell,) = [cell for cell in cells() if cell.task is CARTPOLE and cell[1:4] == (1, method, seed)]
    means = {"random_return_mean": random, "expert_return_mean": 440.5}
    return {**cell.settings, **means, "sampled": {"score": sampled}, "likeliest": {"score": likeliest}}


def test_the_papers_returns_lie_between_our_random_actions_and_its_own_expert(runs: list[Run]) -> None:
    rows = [
        row_of("gailkit", 0, 10.0, 0.9, 1.0),
        row_of("clone", 0, 10.0, 0.2, 0.3),
        row_of("clone", 1, 30.0, 0.4, 0.5),
    ]
    assert random_return(rows, CARTPOLE) == 20.0  # the seeds' 10 and 30, however many rows tell of one
    assert scores(rows, runs, CARTPOLE, 1, "paper's GAIL", "sampled") == [1.0, 0.5]  # 180 / 180 and 90 / 180
    assert scores(rows, runs, CARTPOLE, 1, "paper's BC", "sampled") == [0.25]  # 45 / 180
    assert scores(rows, runs, CARTPOLE, 4, "paper's BC", "sampled") == []
    assert scores(rows, runs, CARTPOLE, 1, "gailkit's clone", "likeliest") == [0.3, 0.5]


def test_without_random_actions_there_is_no_scale(runs: list[Run]) -> None:
    assert random_return([], CARTPOLE) is None
    assert scores([], runs, CARTPOLE, 1, "paper's GAIL", "sampled") == []


def test_the_table_of_two_rows(runs: list[Run], tmp_path: Path) -> None:
    rows = [row_of("gailkit", 0, 20.0, 0.9, 1.0), row_of("gailkit", 1, 20.0, 0.7, 0.8)]
    write_table(rows, runs, tmp_path / "paper.md")
    lines = (tmp_path / "paper.md").read_text().splitlines()
    ours = "**0.800** (0.700 to 0.900)<br>*0.900*"
    papers = "**0.750** (0.500 to 1.000) | **0.250**"
    assert f"| CartPole-v1 | 1 | {ours} | not measured | {papers} |" in lines
    assert f"| CartPole-v1 | 4 |{' not measured |' * 4}" in lines
    assert "| CartPole-v1 | CartPole-v0 | all | every 10th | 100,000 | 1,505,000 | 440.5 | 200.0 | 20.0 |" in lines
    assert lines[-2].startswith("| HalfCheetah-v5 |") and lines[-2].endswith("| not measured |")


def test_the_figure_of_a_few_rows_and_of_none(runs: list[Run]) -> None:
    rows = [row_of("gailkit", 0, 20.0, 0.9, 1.0)]
    assert drawn(rows, runs) == drawn(rows, runs) != drawn([], runs)


def test_every_cell_once_and_three_seeds_with_the_fewest_trajectories() -> None:
    wanted = list(cells())
    assert len({cell.name for cell in wanted}) == len(wanted) == 2 * 4 * (4 + 2)  # methods, tasks, cells
    seeds = {number: [c.seed for c in wanted if c[:3] == (HALFCHEETAH, number, "clone")] for number in (4, 25)}
    assert seeds == {4: [0, 1, 2], 25: [0]}


def test_a_row_is_the_result_of_its_own_steps_and_pairs_alone(tmp_path: Path) -> None:
    row = row_of("gailkit", 0, 20.0, 0.9, 1.0)
    cell = Cell(CARTPOLE, 1, "gailkit", 0, 100_000)
    assert is_measured(cell, [row])
    assert not is_measured(cell._replace(steps=1_000), [row])
    assert not is_measured(cell._replace(task=CARTPOLE._replace(subsample=10)), [row])


def test_a_row_replaces_its_like_and_stands_in_the_order_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / FULL.results.name
    first, second = row_of("gailkit", 0, 20.0, 0.9, 1.0), row_of("clone", 0, 20.0, 0.2, 0.3)
    for row in (second, first, {**second, "seconds": 1}):
        keep(path, row)
    assert kept(path) == [first, {**second, "seconds": 1}]
