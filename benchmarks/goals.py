"""How well tasks of other packages are imitated whose observations are Dicts: goals, codes of cells, text."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import click

from benchmarks.commands import make_environment
from benchmarks.imitation_run import Row, run_command
from benchmarks.missing_runs import measure_missing, rows_of
from benchmarks.tasks import EPISODES, REPOSITORY, WORK, Method, Task

RESULTS = Path("benchmarks") / "results" / "goals.json"
VENV = Path(os.environ.get("GAILKIT_GOALS_VENV", WORK / "goals-venv"))
FOLDERS = {"GAILKIT_GOALS_VENV": VENV} if "GAILKIT_GOALS_VENV" in os.environ else {}
# In newer versions of MuJoCo an assertion of gymnasium-robotics 1.4.2 fails where FetchReach is made.
INSTALLED = {"minigrid": "3.2.0", "gymnasium-robotics": "1.4.2", "mujoco": "3.3.7"}
TESTED = ("-c", "constraints.txt")
INSTALLS = (
    (*TESTED, "torch==2.13.0"),
    (*TESTED, "-e", "."),
    tuple(f"{package}=={version}" for package, version in INSTALLED.items()),
)
RECORDED = 60  # episodes of each expert
REACH = 0.95  # of the episodes

DOORKEY = Task("minigrid:MiniGrid-DoorKey-5x5-v0", str(WORK / "MiniGrid-DoorKey-5x5-v0.hdf5"), 40, 1, 100_000, REACH)
FETCH = Task("gymnasium_robotics:FetchReach-v4", str(WORK / "FetchReach-v4.hdf5"), 40, 1, 50_000, REACH)
EXPERTS = {DOORKEY: "benchmarks.goal_tasks:doorkey_expert", FETCH: "benchmarks.goal_tasks:fetch_expert"}
DEFAULT = Method("default", "ppo-clip")
HEAD = f"""# Goals and Dicts

Tasks of other packages whose observations are Dicts, by `gailkit train` with nothing but its defaults. DoorKey shows
the 7 x 7 cells ahead as codes, a direction, and its mission as text, which is left out: fetch a key, unlock a door,
reach the goal. FetchReach shows the joints of an arm, where its gripper is and where it should be. The experts are a
few lines in `benchmarks/goal_tasks.py`, of whose {RECORDED} episodes the first so many are learned from. Success is
the share of {EPISODES} episodes, by the policy's likeliest actions, whose end the environment calls one (FetchReach),
or that the goal ended before the time limit did (DoorKey). Asked: {REACH:g}. Score: 0 is random actions, 1 the
expert. Medians over seeds, the least and the greatest in brackets. Made by `python -m benchmarks goals`; every
command stands in `goals.json`.

| task | demonstrations | steps | success | score | closeness | AUC | seconds | seeds |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Runs of each task.")
@click.option("--jobs", default=1, show_default=True, help="Runs at a time.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--again", is_flag=True, help="Also what the results hold already.")
def goals(seeds: int, jobs: int, only: str, again: bool) -> None:
    """Imitate MiniGrid's DoorKey and FetchReach, in a virtual environment that has them, and write
    benchmarks/results/goals.*."""
    os.chdir(REPOSITORY)
    make_environment(VENV, INSTALLED, INSTALLS, FOLDERS)
    if Path(sys.prefix).resolve() != VENV.resolve():
        python = str(VENV / "bin" / "python")
        os.execv(python, [python, "-m", "benchmarks", *sys.argv[1:]])
    wanted = ((task, DEFAULT, seed) for seed in range(seeds) for task in EXPERTS if only in task.name)
    measure_missing(wanted, RESULTS, jobs=jobs, again=again, prepare=_record, write_table=write_table)


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write a line for each task."""
    lines = [_line(task, found) for task in EXPERTS if (found := rows_of(rows, task, DEFAULT))]
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8")


def success(row: Row) -> float:
    """The share of episodes that were a success: as the environment says, else those that it terminated."""
    told = row["success"]
    return float(row["terminated"] if told is None else told)


def _record(task: Task) -> None:
    words = ["record", task.env_id, "--policy", EXPERTS[task], "--episodes", RECORDED, "--seed", 0]
    run_command(["-m", "gailkit", *words, "-o", task.demos_path, "--overwrite"])


def _line(task: Task, runs: Sequence[Row]) -> str:
    values = {
        "success": [success(run) for run in runs],
        **{name: [run[name] for run in runs] for name in ("score", "closeness", "auc")},
    }
    entries = [
        task.env_id.partition(":")[2],
        f"{task.trajectories} episodes",
        f"{task.steps:,}",
        *(_entry(found) for found in values.values()),
        f"{median(run['seconds'] for run in runs):.0f}",
        len(runs),
    ]
    return "| " + " | ".join(map(str, entries)) + " |"


def _entry(values: Sequence[float]) -> str:
    return f"{median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"
