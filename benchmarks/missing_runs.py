"""The runs of a benchmark that its results do not hold yet, measured one after another or side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from benchmarks.imitation_run import Row, indented, keep, kept, key_of, measure
from benchmarks.tasks import REPOSITORY, Method, Task


def measure_missing(
    wanted: Iterable[tuple[Task, Method, int]],
    results: Path,
    *,
    jobs: int,
    again: bool,
    prepare: Callable[[Task], None],
    write_table: Callable[[Sequence[Row], Path], None],
    available: Callable[[Task], bool] = lambda task: True,
) -> None:
    """Measure what is ``wanted`` and missing from ``results``; every row is kept, and in the table, once it is there.

    Args:
        wanted: tasks, methods and seeds.
        results: a file of JSON; the table lies beside it.
        again: also what the results hold already.
        prepare: is called once for every task that is to be measured, before all.
        write_table: of all rows, to a path.
        available: whether what a task needs is here; says so itself where it is not.
    """
    os.chdir(REPOSITORY)
    measured = set() if again else {key_of(row) for row in kept(results)}
    missing = [run for run in wanted if (run[0].name, run[1].name, run[2]) not in measured and available(run[0])]
    for task in {task for task, _, _ in missing}:
        prepare(task)
    with ThreadPoolExecutor(jobs) as pool:
        for row, _ in pool.map(lambda run: measure(*run), missing):
            keep(results, row, indented)
            write_table(kept(results), results.with_suffix(".md"))
            click.echo(
                f"{row['task']}, {row['method']}, seed {row['seed']}: score {row['score']:.3f}, {row['verdict']}"
            )
    write_table(kept(results), results.with_suffix(".md"))


def demonstrated(task: Task) -> bool:
    """Whether the demonstrations of a task are here."""
    if not task.demos_path.is_file():
        click.echo(f"NOT MEASURED: {task.demos_path} is not there; GAILKIT_EXPERTS names the folder of foreign experts")
    return task.demos_path.is_file()


def rows_of(rows: Sequence[Row], task: Task, method: Method) -> list[Row]:
    """The rows of all seeds of a task by a method."""
    return [row for row in rows if (row["task"], row["method"]) == (task.name, method.name)]
