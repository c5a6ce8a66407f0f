"""Figure 3 of the PPO paper (Schulman et al. 2017) anew: every optimiser on seven MuJoCo tasks and their rewards."""

from __future__ import annotations

import os
import shlex
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import click

from benchmarks.curves import RETURN, thinned
from benchmarks.figure3_picture import drawn
from benchmarks.imitation_run import Row, compact, keep, kept, key_of, run_command
from benchmarks.tasks import REPOSITORY, WORK
from gailkit.storage import write_atomically
from gailkit.training.metrics import read_metrics
from gailkit.training.policy_config import EVERY

TASKS = (
    "HalfCheetah-v5", "Hopper-v5", "InvertedDoublePendulum-v5", "InvertedPendulum-v5", "Reacher-v5", "Swimmer-v5",
    "Walker2d-v5",
)  # fmt: skip
GENERATORS = tuple(name for name in EVERY if name != "dqn")  # which cannot act in a Box
STEPS = 1_000_000
RESULTS = Path("benchmarks") / "results" / "figure3.json"
FIGURE = Path("docs") / "figure3.svg"
HEAD = """# Figure 3 of the PPO paper, anew

Reinforcement learning on the environment's own reward: `gailkit expert ENV --generator NAME`, every setting its
default, a million steps. Mean return of the last 50 training episodes at the end, with sampled actions: the median over
seeds, the least and the greatest in brackets; below it the minutes that it took on one thread, of a machine that may
have had other work. The PPO paper (Schulman et al. 2017, section 6.2) shows the -v1 tasks, whose rewards and lengths
differ in part. Made by `python -m benchmarks figure3`; curves and commands stand in `figure3.json`, the figure is
docs/figure3.svg.

"""


@click.command()
@click.option("--seeds", default=1, show_default=True, help="Runs of each task and generator.")
@click.option("--jobs", default=2, show_default=True, help="Runs at a time.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--generators", default=",".join(GENERATORS), show_default=True, help="Which, with commas between them.")
@click.option("--steps", default=STEPS, show_default=True, help="Of each run; what is shorter is shown as what it is.")
def figure3(seeds: int, jobs: int, only: str, generators: str, steps: int) -> None:
    """Learn seven MuJoCo tasks with every optimiser; stopped runs go on, and what is measured is not measured again."""
    os.chdir(REPOSITORY)
    measured = {key_of(row) for row in kept(RESULTS) if row["steps_in_all"] >= steps}
    missing = [
        (task, generator, seed)
        for seed in range(seeds)
        for task in TASKS
        for generator in GENERATORS
        if only in task and generator in generators.split(",") and (task, generator, seed) not in measured
    ]
    with ThreadPoolExecutor(jobs) as pool:
        for row in pool.map(lambda run: _measure(steps, *run), missing):
            keep(RESULTS, row, compact)
            click.echo(f"{row['task']}, {row['method']}, seed {row['seed']}: {row['final']}")
            _write()
    _write()


def _measure(steps: int, task: str, generator: str, seed: int) -> Row:
    """One run to its end, whether it begins or goes on."""
    out = WORK / f"figure3-{task}-{generator}-{seed}"
    begin = ["expert", task, "--generator", generator, "--steps", steps, "--seed", seed, "--out", out]
    going_on = (out / "config.json").is_file()
    run_command(
        ["-m", "gailkit", "expert", "--resume", out, "--steps", steps] if going_on else ["-m", "gailkit", *begin]
    )
    metrics = read_metrics(out)
    told = [row for row in metrics if RETURN in row]
    return {
        "task": task,
        "method": generator,
        "seed": seed,
        "steps_in_all": steps,
        "seconds_in_all": round(metrics[-1]["seconds"]),
        "final": round(told[-1][RETURN], 1) if told else None,
        "command": "gailkit " + shlex.join(map(str, begin)),
        **thinned(metrics),
    }


def _write() -> None:
    rows = kept(RESULTS)
    write_atomically(RESULTS.with_suffix(".md"), (HEAD + _table(rows)).encode())
    write_atomically(FIGURE, drawn(rows, TASKS))


def _table(rows: list[Row]) -> str:
    named = [name for name in GENERATORS if any(row["method"] == name for row in rows)]
    lines = [f"| task | {' | '.join(named)} |", "|---|" + "--:|" * len(named)]
    for task in TASKS:
        cells = map(partial(_cell, rows, task), named)
        lines.append(f"| {task} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(rows: list[Row], task: str, generator: str) -> str:
    runs = [row for row in rows if (row["task"], row["method"]) == (task, generator) and row["final"] is not None]
    if not runs:
        return "-"
    finals, minutes = [row["final"] for row in runs], median(row["seconds_in_all"] for row in runs) / 60
    spread = f" [{min(finals):.0f}, {max(finals):.0f}]" if len(finals) > 1 else ""
    shorter = {row["steps_in_all"] for row in runs} - {STEPS}
    after = f", after {min(shorter):,} steps" if shorter else ""
    return f"{median(finals):.0f}{spread}<br>{minutes:.0f} min{after}"
