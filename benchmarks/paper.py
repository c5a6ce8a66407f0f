"""The GAIL paper's table with the paper's own experts: our GAIL and our behaviour clone beside the paper's.

Each run is made of the commands that a user would type; they are kept with the results.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import click

from benchmarks.imitation_run import indented, kept, likeness, run_command, shown
from benchmarks.paper_figure import drawn
from benchmarks.paper_scores import EPISODES, OURS, PUBLISHED, TASKS, Task, published
from benchmarks.paper_table import write_table
from benchmarks.tasks import REPOSITORY, WORK
from gailkit.storage import write_atomically
from gailkit.training.metrics import read_metrics

SEEDS = 3  # with the fewest trajectories of each task; one with the others
EVALUATED = {
    "sampled": ("--stochastic",),
    "likeliest": ("--deterministic",),
}  # actions, and the options that choose them

Row = dict[str, Any]


class Places(NamedTuple):
    """Where results go, and the runs that they come from."""

    results: Path
    figure: Path
    runs: Path


FULL = Places(Path("benchmarks") / "results" / "paper.json", Path("docs") / "gail-paper.svg", WORK / "paper")
SHORTENED = Places(*(WORK / "paper-shortened" / name for name in ("paper.json", "gail-paper.svg", "runs")))


class Cell(NamedTuple):
    """One run: who imitates how many trajectories of a task, for how long."""

    task: Task
    trajectories: int
    method: str
    seed: int
    steps: int | None  # None where nothing is trained against D

    @property
    def settings(self) -> Row:
        """What its row begins with, and what makes a row the result of this run."""
        return {
            "task": self.task.env_id,
            "trajectories": self.trajectories,
            "method": self.method,
            "seed": self.seed,
            "subsample": self.task.subsample,
            "steps": self.steps,
        }

    @property
    def name(self) -> str:
        """That of its folder."""
        return f"{self.task.env_id}-{self.trajectories}-{self.method}-{self.seed}"


@click.command()
@click.option("--jobs", default=2, show_default=True, help="Runs at a time.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--again", is_flag=True, help="Also what the results hold already.")
@click.option("--draw", is_flag=True, help="Run nothing: the table and the figure of what the results hold.")
@click.option(
    "--steps-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    help="Train for this share of the steps, to try it out; results then go to runs/.",
)
def paper(jobs: int, only: str, again: bool, draw: bool, steps_share: float) -> None:
    """Run the GAIL paper's table with its own experts, and write it and its figure."""
    os.chdir(REPOSITORY)
    places = FULL if steps_share == 1 else SHORTENED
    wanted = [] if draw else [cell for cell in cells(steps_share) if only in cell.task.env_id]
    for path in sorted({cell.task.demos_path for cell in wanted if not cell.task.demos_path.is_file()}):
        click.echo(f"NOT MEASURED: {path} is not there; GAILKIT_EXPERTS names the folder of foreign experts")
    rows = [] if again else kept(places.results)
    missing = [cell for cell in wanted if cell.task.demos_path.is_file() and not is_measured(cell, rows)]
    failures = _measure_all(missing, places, jobs)
    _write(places)
    if failures:
        raise click.ClickException(f"{failures} of {len(missing)} runs failed; the same command tries them again")


def cells(steps_share: float = 1.0) -> Iterator[Cell]:
    """Every run of the table: the first seed of all, then the others with the fewest trajectories."""
    for seed in range(SEEDS):
        for task in TASKS:
            for trajectories in task.trajectories if seed == 0 else task.trajectories[:1]:
                yield Cell(task, trajectories, "clone", seed, None)
                yield Cell(task, trajectories, "gailkit", seed, max(1, round(task.steps * steps_share)))


def is_measured(cell: Cell, rows: Sequence[Row]) -> bool:
    """Whether one of ``rows`` is the result of ``cell``, with the same pairs and steps."""
    return any(all(row.get(name) == value for name, value in cell.settings.items()) for row in rows)


def _measure_all(missing: Sequence[Cell], places: Places, jobs: int) -> int:
    """Measure every cell and keep each as soon as it is done; how many failed, which is said and stops no other."""
    failures = 0
    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = {pool.submit(measure, cell, places.runs): cell for cell in missing}
            for future in as_completed(futures):
                name = futures[future].name
                try:
                    row = future.result()
                except click.ClickException as failure:
                    failures += 1
                    click.echo(f"FAILED: {name}: {failure.message}", err=True)
                    continue
                keep(places.results, row)
                click.echo(f"{name}: score {row['sampled']['score']:.3f}, likeliest {row['likeliest']['score']:.3f}")
        finally:
            pool.shutdown(cancel_futures=True)  # what was interrupted begins nothing more
    return failures


def measure(cell: Cell, folder: Path) -> Row:
    """One run from its demonstrations to its scores."""
    run = folder / cell.name
    run.mkdir(parents=True, exist_ok=True)
    results = {actions: run / f"{actions}.json" for actions in EVALUATED}
    commands = [*_training(cell, run), *_evaluations(cell, run, results)]
    for words in commands:
        run_command(words)
    measured = {actions: json.loads(path.read_text(encoding="utf-8")) for actions, path in results.items()}
    return {
        **cell.settings,
        **{name: measured["sampled"][name] for name in ("random_return_mean", "expert_return_mean")},
        **{actions: _worth(values) for actions, values in measured.items()},
        "seconds": None if cell.steps is None else round(read_metrics(run)[-1]["seconds"]),  # of training
        "commands": [shown(words) for words in commands],
    }


def _worth(values: Row) -> Row:
    """Return, score and closeness, of what ``gailkit evaluate`` writes."""
    return {"return_mean": values["return_mean"], "score": values["normalised_score"], **likeness(values)}


def _training(cell: Cell, run: Path) -> Sequence[Sequence[object]]:
    """What one would type to train, without the Python in front; nothing where evaluating trains too."""
    if cell.steps is None:
        return []
    train = ["train", cell.task.env_id, *_chosen(cell), "--steps", cell.steps, "--seed", cell.seed]
    return [["-m", "gailkit", *train, "--out", run, "--overwrite"]]


def _evaluations(cell: Cell, run: Path, results: Mapping[str, Path]) -> Sequence[Sequence[object]]:
    """What one would type to evaluate into ``results``."""
    if cell.steps is None:
        command: list[object] = ["-m", "benchmarks.cloning", cell.task.env_id, *_chosen(cell)]
    else:
        command = ["-m", "gailkit", "evaluate", run, "--demos", cell.task.demos_path]
    judged = ["--episodes", EPISODES, "--seed", cell.seed]
    return [[*command, *judged, *EVALUATED[actions], "--json", path] for actions, path in results.items()]


def _chosen(cell: Cell) -> Sequence[object]:
    return ["--demos", cell.task.demos_path, "--trajectories", cell.trajectories, "--subsample", cell.task.subsample]


def keep(path: Path, row: Row) -> None:
    """Put a row in its place in the file of results, which is read anew: another command may have added to it."""
    rows = sorted([*(old for old in kept(path) if _place(old) != _place(row)), row], key=_place)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, indented(rows).encode())


def _place(row: Row) -> tuple[int, int, int, int]:
    """What tells a row from others, in the order of the table."""
    tasks = [task.env_id for task in TASKS]
    return tasks.index(row["task"]), row["trajectories"], list(OURS.values()).index(row["method"]), row["seed"]


def _write(places: Places) -> None:
    """Write the table and the figure of what the results hold by now; without the paper's own they stay as they are."""
    runs = published(PUBLISHED)
    if not runs:
        click.echo(f"NOT DRAWN: {PUBLISHED}, the paper's own results, is not there")
        return
    rows = kept(places.results)
    write_table(rows, runs, places.results.with_suffix(".md"))
    places.figure.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(places.figure, drawn(rows, runs))
    click.echo(f"{places.results.with_suffix('.md')}, {places.figure}")
