"""How well the default configuration imitates: every task with the loss F, with cross-entropy, and by cloning.

Each run is made of the commands that a user would type; they are printed and kept with the results.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from benchmarks.table import write_table
from benchmarks.tasks import EPISODES, EXPERTS, METHODS, REPOSITORY, TASKS, WORK, Task

RESULTS = Path("benchmarks") / "results" / "imitation.json"

Row = dict[str, Any]


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Runs of each task and method.")
@click.option("--jobs", default=2, show_default=True, help="Runs at a time.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--again", is_flag=True, help="Also what the results hold already.")
def imitation(seeds: int, jobs: int, only: str, again: bool) -> None:
    """Run the table of imitation results and write it to benchmarks/results/."""
    os.chdir(REPOSITORY)
    rows: list[Row] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    wanted = [
        (task, method, seed)
        for seed in range(seeds)
        for task in TASKS
        for method in METHODS
        if only in task.name and not (task.teacher and method == "cloning")
    ]
    for path in sorted({task.demos_path for task, _, _ in wanted if not task.demos_path.is_file()}):
        click.echo(f"NOT MEASURED: {path} is not there; GAILKIT_EXPERTS names the folder of foreign experts")
    missing = [
        (task, method, seed)
        for task, method, seed in wanted
        if task.demos_path.is_file() and (again or not any(_is_of(row, task, method, seed) for row in rows))
    ]
    for task in {task for task, _, _ in missing if task.teacher}:
        _record_teacher(task)
    with ThreadPoolExecutor(jobs) as pool:
        for row in pool.map(lambda run: _measure(*run), missing):
            rows = [old for old in rows if _key(old) != _key(row)] + [row]
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(sorted(rows, key=_key), indent=1) + "\n")
            click.echo(f"{row['task']}, {row['method']}, seed {row['seed']}: score {row['score']:.3f}")
    write_table(rows, RESULTS.with_suffix(".md"))


def _measure(task: Task, method: str, seed: int) -> Row:
    """One run from its demonstrations to its scores."""
    run = WORK / f"{task.name.replace(' ', '-')}-{method}-{seed}"
    run.mkdir(parents=True, exist_ok=True)
    chosen = ["--trajectories", task.trajectories, "--subsample", task.subsample]
    results = {name: run / f"{name}.json" for name in ("deterministic", "sampled")}
    evaluate = ["--demos", task.demos_path, "--episodes", EPISODES, "--seed", seed]
    started = time.monotonic()
    if method == "cloning":
        command = ["-m", "benchmarks.cloning", task.env_id, "--demos", task.taught_path, *chosen]
        commands = [[*command, "--episodes", EPISODES, "--seed", seed, "--json", results["deterministic"]]]
    else:
        train = ["train", task.env_id, "--demos", task.taught_path, *chosen, "--steps", task.steps, "--seed", seed]
        commands = [
            ["-m", "gailkit", *train, "--loss", method, "--out", run, "--overwrite"],
            ["-m", "gailkit", "evaluate", run, *evaluate, "--json", results["deterministic"]],
            ["-m", "gailkit", "evaluate", run, *evaluate, "--stochastic", "--json", results["sampled"]],
        ]
    for words in commands:
        _run(words)
    measured = {name: json.loads(path.read_text()) for name, path in results.items() if path.exists()}
    values = measured["deterministic"]
    return {
        "task": task.name,
        "method": method,
        "seed": seed,
        "score": values["normalised_score"],
        "score_sampled": measured["sampled"]["normalised_score"] if "sampled" in measured else None,
        "return_mean": values["return_mean"],
        "expert_return_mean": values["expert_return_mean"],
        "random_return_mean": values["random_return_mean"],
        "teacher_score": _teacher_score(task, values),
        "seconds": round(time.monotonic() - started),
        "commands": [_shown(words) for words in commands],
    }


def _record_teacher(task: Task) -> None:
    words = ["record", task.env_id, "--policy", task.teacher, "--episodes", task.trajectories, "--seed", 0]
    _run(["-m", "gailkit", *words, "-o", task.taught_path, "--overwrite"])


def _teacher_score(task: Task, values: Row) -> float | None:
    """The score of whom a bias control imitates, on the scale of the real expert."""
    if task.teacher is None:
        return None
    from gailkit import Demonstrations

    returns = Demonstrations.load(task.taught_path).returns()
    assert returns is not None
    scale = values["expert_return_mean"] - values["random_return_mean"]
    return float((returns.mean() - values["random_return_mean"]) / scale)


def _run(words: Sequence[object]) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, *map(str, words)]
    done = subprocess.run(arguments, check=False, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise click.ClickException(f"{_shown(words)} ended with {done.returncode}: {done.stderr.strip()[-500:]}")


def _shown(words: Sequence[object]) -> str:
    """A command as one would type it, the folder of foreign experts by its variable."""
    named = [str(word).replace(str(EXPERTS), "$GAILKIT_EXPERTS") for word in words]
    typed = named[1:] if named[1] == "gailkit" else ["python", *named]
    return " ".join(word if word.startswith("$") else shlex.quote(word) for word in typed)


def _key(row: Row) -> tuple[str, str, int]:
    return row["task"], row["method"], row["seed"]


def _is_of(row: Row, task: Task, method: str, seed: int) -> bool:
    return _key(row) == (task.name, method, seed)
