"""The GAIL paper's table (Ho & Ermon 2016): its tasks, its own results, and every cell's scores beside ours."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from benchmarks.tasks import EXPERTS
from gailkit.functional.statistics import normalised_score

PUBLISHED = EXPERTS / "paper" / "gail_paper_results.csv"
EPISODES = 50  # of each evaluation, as in the paper
OURS = {"gailkit": "gailkit", "gailkit's clone": "clone"}  # a line of the figure, and the method of our rows
PAPERS = {"paper's GAIL": "ga", "paper's BC": "bclone"}  # a line of the figure, and the algorithm in the paper's file
LINES = (*OURS, *PAPERS)
FIRST, SECOND = "sampled", "likeliest"  # the actions of our policies that lead in table and figure, and the others

Rows = Sequence[Mapping[str, Any]]


class Task(NamedTuple):
    """An environment of the paper, what its expert shows, and for how long it is imitated, here and there."""

    env_id: str
    paper_env_id: str
    paper_name: str  # in the paper's file of results
    trajectories: tuple[int, ...]
    subsample: int
    paper_subsample: int
    steps: int
    paper_steps: int

    @property
    def demos_path(self) -> Path:
        """Episodes of the paper's own expert."""
        return EXPERTS / "paper" / f"{self.env_id}.hdf5"


# The paper's subsampling and steps (iterations by steps in each) stand in pipelines/ of openai/imitation.
TASKS = (
    Task("CartPole-v1", "CartPole-v0", "cartpole", (1, 4, 7, 10), 1, 10, 100_000, 301 * 5_000),
    Task("MountainCar-v0", "MountainCar-v0", "mountaincar", (1, 4, 7, 10), 1, 5, 200_000, 301 * 5_000),
    Task("HalfCheetah-v5", "HalfCheetah-v1", "halfcheetah", (4, 11, 18, 25), 20, 20, 1_000_000, 501 * 50_000),
    Task("Hopper-v5", "Hopper-v1", "hopper", (4, 11, 18, 25), 20, 20, 1_000_000, 501 * 50_000),
)


class Run(NamedTuple):
    """One of the paper's own runs: the mean return of its last policy, and of the expert that it imitated."""

    task: str  # by the paper's name
    algorithm: str
    trajectories: int
    return_mean: float
    expert_return_mean: float


def published(path: Path) -> list[Run]:
    """The runs in the paper's file of results; none where it is not there."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Run(
                row["task"],
                row["alg"],
                int(row["num_trajs"]),
                float(row["alg_mean_return"]),
                float(row["expert_mean_return"]),
            )
            for row in csv.DictReader(file)
        ]


def random_return(rows: Rows, task: Task) -> float | None:
    """The mean return of random actions over the seeds that ``rows`` tell of; None where they tell of none."""
    by_seed = {row["seed"]: row["random_return_mean"] for row in rows if row["task"] == task.env_id}
    return fmean(by_seed.values()) if by_seed else None


def scores(rows: Rows, runs: Sequence[Run], task: Task, trajectories: int, line: str, actions: str) -> list[float]:
    """Normalised scores of one line of the figure in one cell: over our seeds or over the paper's runs.

    ``actions``, sampled or likeliest, choose among our evaluations. The paper's returns are scaled by its own expert's
    and by our random actions' return, so there are none before one of our rows tells the latter.
    """
    if line in OURS:
        return [row[actions]["score"] for row in of_cell(rows, task, trajectories, OURS[line])]
    random = random_return(rows, task)
    if random is None:
        return []
    own = [run for run in runs if run[:3] == (task.paper_name, PAPERS[line], trajectories)]
    scaled = (normalised_score(run.return_mean, random, run.expert_return_mean) for run in own)
    return [score for score in scaled if score is not None]


def of_cell(rows: Rows, task: Task, trajectories: int, method: str) -> Rows:
    """The rows that differ by their seeds alone."""
    cell = (task.env_id, trajectories, method)
    return [row for row in rows if (row["task"], row["trajectories"], row["method"]) == cell]
