"""How well the generators that learn from a replay imitate, and within how few steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import click

from benchmarks.imitation_run import Row, record_teacher
from benchmarks.missing_runs import demonstrated, measure_missing, rows_of
from benchmarks.replay_tasks import MAIN, METHODS, TASKS, acts_in
from benchmarks.tasks import EPISODES, Task

RESULTS = Path("benchmarks") / "results" / "replay.json"
HEAD = f"""# Imitation from a replay

`gailkit train --generator NAME`, every other setting its default: the loss F, rewards u = ln D - u_abs, one
configuration for all tasks. Entries are medians over seeds, the least and the greatest in brackets, over {EPISODES}
episodes of the policy that the run chose. Score: 0 is random actions, 1 the expert; closeness the same by the distance
between their steps; AUC of a classifier that tells their steps apart. *Actions*: the kind that counts is the one that
the expert took, its likeliest in `datasets/`, sampled ones in `paper/`. *Steps to 90 %*: until the training's own
episodes, with sampled actions, first came so far. Made by `python -m benchmarks replay`; every command stands in
`replay.json`.

"""
COLUMNS = (
    "task", "demonstrations", "steps", "to reach", "generator", "actions", "score", "closeness", "AUC",
    "steps to 90 %", "seconds", "seeds",
)  # fmt: skip
CONTROLS = """
Bias controls: whoever imitates a teacher that knows nothing must not score the task, no more than 0.1 above the teacher
itself on the real expert's scale, by the kind of actions that the teacher takes. The likeliest actions of somebody who
imitates random ones are those of nobody: what they score says little.

| task and teacher | steps | generator | actions | teacher's score | score | by its other actions | seeds |
|---|--:|---|---|--:|--:|--:|--:|
"""


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Runs of each task and generator.")
@click.option("--jobs", default=2, show_default=True, help="Runs at a time.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--generators", default=MAIN, show_default=True, help="Which, with commas between them.")
@click.option("--again", is_flag=True, help="Also what the results hold already.")
def replay(seeds: int, jobs: int, only: str, generators: str, again: bool) -> None:
    """Imitate from a replay, in a tenth of the steps, and write the table to benchmarks/results/."""
    wanted = (
        (task, method, seed)
        for seed in range(seeds)
        for task in TASKS
        for method in METHODS
        if only in task.name and method.name in generators.split(",") and acts_in(method, task)
    )

    def prepare(task: Task) -> None:
        if task.teacher:
            record_teacher(task)

    measure_missing(
        wanted, RESULTS, jobs=jobs, again=again, prepare=prepare, write_table=write_table, available=demonstrated
    )


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write a line for each task and generator."""
    lines = [line for task in TASKS if task.teacher is None for line in _lines(rows, task)]
    controls = [line for task in TASKS if task.teacher is not None for line in _control_lines(rows, task)]
    table = "\n".join((f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS), *lines))
    path.write_text(HEAD + table + "\n" + CONTROLS + "\n".join(controls) + "\n", encoding="utf-8")


def _lines(rows: Sequence[Row], task: Task) -> Iterator[str]:
    for method in METHODS:
        runs = rows_of(rows, task, method)
        if not runs:
            continue
        sampled = "EXPERTS" in task.demos
        alike = [run["sampled"] if sampled else run for run in runs]
        scores = [run["score_sampled" if sampled else "score"] for run in runs]
        shown = f"{task.trajectories} episodes" + (f", every {task.subsample}th pair" if task.subsample > 1 else "")
        soon = [run["steps_to_90"] for run in runs]
        entries = [
            task.name, shown, f"{task.steps:,}", task.threshold, method.name, "sampled" if sampled else "likeliest",
            _entry(scores), _entry([each["closeness"] for each in alike]), _middle([each["auc"] for each in alike], 2),
            "-" if None in soon else f"{median(soon):,.0f}", f"{median(run['seconds'] for run in runs):.0f}", len(runs),
        ]  # fmt: skip
        yield "| " + " | ".join(map(str, entries)) + " |"


def _control_lines(rows: Sequence[Row], task: Task) -> Iterator[str]:
    for method in METHODS:
        runs = rows_of(rows, task, method)
        if runs:
            taught = _middle([run["teacher_score"] for run in runs], 3)
            kinds = {"likeliest": "score", "sampled": "score_sampled"}
            own, other = ("sampled", "likeliest") if task.teacher == "random" else ("likeliest", "sampled")
            scores = (_entry([run[kinds[kind]] for run in runs]) for kind in (own, other))
            entries = [task.name, f"{task.steps:,}", method.name, own, taught, *scores, len(runs)]
            yield "| " + " | ".join(map(str, entries)) + " |"


def _entry(values: Sequence[float | None]) -> str:
    numbers = [value for value in values if value is not None]
    return f"{median(numbers):.3f} [{min(numbers):.3f}, {max(numbers):.3f}]" if numbers else "-"


def _middle(values: Sequence[float | None], digits: int) -> str:
    numbers = [value for value in values if value is not None]
    return f"{median(numbers):.{digits}f}" if numbers else "-"
