"""What matters in adversarial imitation, by distance to the expert: one thing changed at a time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.commands import run, shown
from benchmarks.study_figure import drawn
from benchmarks.study_table import write_table
from benchmarks.study_variants import VARIANTS
from benchmarks.tasks import EXPERTS, REPOSITORY, WORK
from gailkit.storage import write_atomically

RESULTS = Path("benchmarks") / "results" / "study.json"
FIGURE = Path("docs") / "what-matters.svg"
FOLDERS = {"GAILKIT_EXPERTS": EXPERTS}
FIRST_SEED = 10  # results elsewhere are those of seeds 0 to 2


@dataclass(frozen=True)
class StudyTask:
    """A task of the study, shorter than in the table of results."""

    env_id: str
    demos: str  # below EXPERTS/, shipped, or recorded from ``expert``
    trajectories: int
    subsample: int
    steps: int
    stochastic: bool
    expert: str | None = None  # a callable of ours, who is recorded first

    @property
    def demos_path(self) -> Path:
        """Where the demonstrations lie."""
        folder, _, rest = self.demos.partition("/")
        return EXPERTS / rest if folder == "EXPERTS" else Path(self.demos)


TASKS = (
    StudyTask("CartPole-v1", "datasets/cartpole-v1.hdf5", 10, 1, 50_000, False),
    StudyTask("Pendulum-v1", "datasets/pendulum-v1.hdf5", 10, 1, 100_000, False),
    StudyTask("MountainCar-v0", "EXPERTS/paper/MountainCar-v0.hdf5", 10, 1, 100_000, True),
    StudyTask("Hopper-v5", "EXPERTS/paper/Hopper-v5.hdf5", 4, 20, 250_000, True),
    StudyTask("HalfCheetah-v5", "EXPERTS/paper/HalfCheetah-v5.hdf5", 4, 20, 250_000, True),
    StudyTask(
        "benchmarks.own_tasks:Docking-v0",
        str(WORK / "docking.hdf5"),
        10,
        1,
        100_000,
        False,
        "benchmarks.own_tasks:docking_expert",
    ),
    StudyTask(
        "benchmarks.own_tasks:Crossing-v0",
        str(WORK / "crossing.hdf5"),
        10,
        1,
        100_000,
        False,
        "benchmarks.own_tasks:crossing_expert",
    ),
)

Row = dict[str, Any]


@click.command()
@click.option(
    "--seeds", default=1, show_default=True, help=f"Runs of each task and variant, from seed {FIRST_SEED} on."
)
@click.option("--jobs", default=2, show_default=True, help="Runs at a time.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--variants", default="", help="Variants whose name begins with this.")
@click.option("--draw", is_flag=True, help="Only write the table of what is measured.")
def study(seeds: int, jobs: int, only: str, variants: str, draw: bool) -> None:
    """Change one thing at a time, and measure how like the expert the result moves; goes on where it stopped."""
    os.chdir(REPOSITORY)
    measured = {_key(row) for row in _kept()}
    wanted = [
        (task, variant.name, seed)
        for seed in range(FIRST_SEED, FIRST_SEED + seeds)
        for variant in VARIANTS
        for task in TASKS
        if only in task.env_id
        and variant.name.startswith(variants)
        and (task.env_id, variant.name, seed) not in measured
    ]
    if not draw:
        for task in TASKS:
            _record(task)
        with ThreadPoolExecutor(jobs) as pool:
            for row in pool.map(lambda due: _measure(*due), [due for due in wanted if due[0].demos_path.is_file()]):
                _keep(row)
                click.echo(f"{row['task']}, {row['variant']}, seed {row['seed']}: {row['chosen']}")
    names = [task.env_id for task in TASKS if any(row["task"] == task.env_id for row in _kept())]
    write_table(_kept(), names, RESULTS.with_suffix(".md"))
    write_atomically(FIGURE, drawn(_kept(), names))


def _measure(task: StudyTask, variant: str, seed: int) -> Row:
    WORK.mkdir(parents=True, exist_ok=True)
    result = WORK / f"study-{task.env_id.rpartition(':')[2]}-{variant.replace(' ', '-').replace('/', '-')}-{seed}.json"
    command: Sequence[object] = [
        sys.executable,
        "-m",
        "benchmarks.study_run",
        task.env_id,
        *("--demos", task.demos_path, "--trajectories", task.trajectories, "--subsample", task.subsample),
        *("--steps", task.steps, "--variant", variant, "--seed", seed),
        *(["--stochastic"] if task.stochastic else []),
        *("--json", result),
    ]
    run(command, FOLDERS)
    key = {"task": task.env_id, "variant": variant, "seed": seed, "steps": task.steps}
    return {**key, **json.loads(result.read_text()), "command": shown(command, FOLDERS)}


def _record(task: StudyTask) -> None:
    """Demonstrations of an expert of ours, unless they are there."""
    if task.expert is None or task.demos_path.is_file():
        return
    words = ["record", task.env_id, "--policy", task.expert, "--episodes", 40, "--seed", 0, "-o", task.demos_path]
    run([sys.executable, "-m", "gailkit", *words], FOLDERS)


def _key(row: Row) -> tuple[str, str, int]:
    return row["task"], row["variant"], row["seed"]


def _kept() -> list[Row]:
    return list(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else []


def _keep(row: Row) -> None:
    rows = sorted([*(old for old in _kept() if _key(old) != _key(row)), row], key=_key)
    write_atomically(RESULTS, (json.dumps(rows, indent=1) + "\n").encode())
