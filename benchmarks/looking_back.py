"""What a memory, several observations as one or windows that D judges are worth where an observation does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import click

from benchmarks.hidden_tasks import LENGTH, record
from benchmarks.imitation_run import Row
from benchmarks.missing_runs import measure_missing, rows_of
from benchmarks.tasks import EPISODES, WORK, Method, Task

RESULTS = Path("benchmarks") / "results" / "looking_back.json"
HEAD = f"""# Tasks that need a memory

`CartPositions-v0` is CartPole-v1 without its velocities, imitated from the shipped demonstrations without theirs;
`TMaze-v0` a corridor of {LENGTH} steps whose sign at the beginning says where to turn at its end. Every setting but
those named is its default. Score: 0 is random actions, 1 the expert, over {EPISODES} episodes of the policy's likeliest
actions, which the experts took; medians over seeds, the least and the greatest in brackets. In the maze half of the
turns are right by chance. D judges single steps, or where windows are named so many together: from the sign to the
turn. Asked: at least 0.9 with a memory, and that without one it fails. Made by `python -m benchmarks looking-back`;
every command stands in `looking_back.json`.

| task | what it looks back by | score | closeness | seconds | seeds |
|---|---|--:|--:|--:|--:|
"""
MODULE = "benchmarks.hidden_tasks"
TASKS = (
    Task(f"{MODULE}:CartPositions-v0", str(WORK / "CartPositions-v0.hdf5"), 20, 1, 100_000, 0.9),
    Task(f"{MODULE}:TMaze-v0", str(WORK / "TMaze-v0.hdf5"), 20, 1, 50_000, 0.9),
)
METHODS = (
    Method("nothing", "ppo-clip"),
    Method("gru", "ppo-clip", ("--policy-memory", "gru")),
    Method("lstm", "ppo-clip", ("--policy-memory", "lstm")),
    *(
        Method(
            f"{memory} and windows of {LENGTH + 1}",
            "ppo-clip",
            ("--policy-memory", memory, "--discriminator-window", str(LENGTH + 1)),
        )
        for memory in ("gru", "lstm")
    ),
    Method("4 observations", "ppo-clip", ("--frame-stack", "4")),
    Method(f"{LENGTH + 1} observations", "ppo-clip", ("--frame-stack", str(LENGTH + 1))),
)


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Runs of each task and method.")
@click.option("--jobs", default=2, show_default=True, help="Runs at a time.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--methods", default="", help="Which, with commas between them; all when empty.")
@click.option("--again", is_flag=True, help="Also what the results hold already.")
def looking_back(seeds: int, jobs: int, only: str, methods: str, again: bool) -> None:
    """Imitate where it takes a memory, with and without, and write the table to benchmarks/results/."""
    wanted = (
        (task, method, seed)
        for seed in range(seeds)
        for task in TASKS
        for method in METHODS
        if only in task.name and (not methods or method.name in methods.split(","))
    )

    def prepare(task: Task) -> None:
        task.demos_path.parent.mkdir(parents=True, exist_ok=True)
        record(task.env_id.partition(":")[2], task.demos_path)

    measure_missing(wanted, RESULTS, jobs=jobs, again=again, prepare=prepare, write_table=write_table)


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write a line for each task and method."""
    lines = [line for task in TASKS for method in METHODS for line in _line(rows, task, method)]
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8")


def _line(rows: Sequence[Row], task: Task, method: Method) -> list[str]:
    runs = rows_of(rows, task, method)
    if not runs:
        return []
    scores = [run["score"] for run in runs]
    entries = [
        task.env_id.partition(":")[2],
        method.name,
        f"{median(scores):.3f} [{min(scores):.3f}, {max(scores):.3f}]",
        f"{median(run['closeness'] for run in runs):.3f}",
        f"{median(run['seconds'] for run in runs):.0f}",
        len(runs),
    ]
    return ["| " + " | ".join(map(str, entries)) + " |"]
