"""How well the default configuration imitates: every task with either loss, every optimiser, and by cloning.

Each run is made of the commands that a user would type; they are printed and kept with the results.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from benchmarks.curves import CURVES
from benchmarks.imitation_run import (
    compact,
    evaluate,
    indented,
    keep,
    kept,
    key_of,
    measure,
    record_teacher,
    run_folder,
)
from benchmarks.table import write_table
from benchmarks.tasks import CONTROLLED, METHODS, OPTIMISERS, REPOSITORY, TASKS, Method, Task
from gailkit.training.metrics import METRICS_FILE, read_metrics

RESULTS = Path("benchmarks") / "results" / "imitation.json"


class Names(click.ParamType[tuple[str, ...]]):
    """An option that is some of ``known``, with commas between them."""

    name = "names"

    def __init__(self, known: Iterable[str]) -> None:
        self.known = tuple(known)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names in ``value``, each of which must be known."""
        names = tuple(value.split(","))
        for name in names:
            if name not in self.known:
                self.fail(f"{name!r} is none of {', '.join(self.known)}", param, ctx)
        return names


ALL_METHODS = Names(method.name for method in METHODS)
ALL_GENERATORS = Names(OPTIMISERS)


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Runs of each task and method.")
@click.option("--jobs", default=2, show_default=True, help="Runs at a time.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--methods", type=ALL_METHODS, default=",".join(ALL_METHODS.known), show_default=True, help="To run.")
@click.option("--generators", type=ALL_GENERATORS, help="Of the methods, only those that train with one of these.")
@click.option("--again", "which", flag_value="again", help="Also what the results hold already.")
@click.option("--evaluate", "which", flag_value="trained", help="Only evaluate again what was trained before.")
def imitation(
    seeds: int, jobs: int, only: str, methods: tuple[str, ...], generators: tuple[str, ...] | None, which: str | None
) -> None:
    """Run the table of imitation results and write it to benchmarks/results/."""
    os.chdir(REPOSITORY)
    wanted = [
        (task, method, seed)
        for seed in range(seeds)
        for task in TASKS
        for method in METHODS
        if only in task.name
        and method.name in methods
        and (generators is None or method.generator in generators)
        and (task.teacher is None or method.name in CONTROLLED)
    ]
    for path in sorted({task.demos_path for task, _, _ in wanted if not task.demos_path.is_file()}):
        click.echo(f"NOT MEASURED: {path} is not there; GAILKIT_EXPERTS names the folder of foreign experts")
    due = _due(which)
    missing = [run for run in wanted if run[0].demos_path.is_file() and due(*run)]
    if which != "trained":
        for task in {task for task, _, _ in missing if task.teacher}:
            record_teacher(task)
    measured = evaluate if which == "trained" else measure
    with ThreadPoolExecutor(jobs) as pool:
        for row, curve in pool.map(lambda run: measured(*run), missing):
            keep(RESULTS, row, indented)
            if curve is not None:
                keep(CURVES, curve, compact)
            click.echo(
                f"{row['task']}, {row['method']}, seed {row['seed']}: score {row['score']:.3f}, {row['verdict']}"
            )
    write_table(kept(RESULTS), RESULTS.with_suffix(".md"))


def _due(which: str | None) -> Callable[[Task, Method, int], bool]:
    """Whether a run is to be measured: every one, one that was trained to its end, or one without a result."""
    if which == "trained":
        return _is_trained
    measured = set() if which == "again" else {key_of(row) for row in kept(RESULTS)}
    return lambda task, method, seed: (task.name, method.name, seed) not in measured


def _is_trained(task: Task, method: Method, seed: int) -> bool:
    """Whether a run has all its steps; cloning, which takes seconds, counts as trained."""
    if method.generator is None:
        return True
    metrics = run_folder(task, method, seed) / METRICS_FILE
    return metrics.is_file() and read_metrics(metrics.parent)[-1]["steps"] >= task.steps
