"""One run of an imitation benchmark, from its demonstrations to its scores, and the files that keep them.

Each is made of the commands that a user would type; they are printed and kept with the results.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.curves import steps_to_share, thinned
from benchmarks.tasks import EPISODES, EXPERTS, WORK, Method, Task
from gailkit.storage import write_atomically
from gailkit.training.metrics import read_metrics
from gailkit.training.run import RunFolder

Row = dict[str, Any]


def measure(task: Task, method: Method, seed: int) -> tuple[Row, Row | None]:
    """One run from its demonstrations to its scores, and its learning curve where it has one."""
    for words in _training(task, method, seed):
        run_command(words)
    return evaluate(task, method, seed)


def evaluate(task: Task, method: Method, seed: int) -> tuple[Row, Row | None]:
    """What a trained run is worth, and its learning curve where it has one."""
    run = run_folder(task, method, seed)
    run.mkdir(parents=True, exist_ok=True)
    results = {name: run / f"{name}.json" for name in ("deterministic", "sampled")}
    evaluations = _evaluations(task, method, seed, results)
    for words in evaluations:
        run_command(words)
    measured = {name: json.loads(path.read_text()) for name, path in results.items() if path.exists()}
    values = measured["deterministic"]
    scale = {name: values[name] for name in ("random_return_mean", "expert_return_mean")}
    metrics = [] if method.generator is None else read_metrics(run)
    key = {"task": task.name, "method": method.name, "seed": seed}
    row = {
        **key,
        "score": values["normalised_score"],
        "score_sampled": measured["sampled"]["normalised_score"] if "sampled" in measured else None,
        "steps_to_90": steps_to_share(metrics, scale["random_return_mean"], scale["expert_return_mean"]),
        "return_mean": values["return_mean"],
        "success": values["success_fraction"],
        "terminated": values["terminated_fraction"],
        **scale,
        **likeness(values),
        "sampled": likeness(measured["sampled"]) if "sampled" in measured else None,
        "teacher_score": _teacher_score(task, values),
        "chosen": None if method.generator is None else RunFolder(run).load("chosen")["choice"],
        "seconds": round(metrics[-1]["seconds"]) if metrics else None,  # of training
        "commands": [shown(words) for words in [*_training(task, method, seed), *evaluations]],
    }
    return row, {**key, **scale, **thinned(metrics)} if metrics else None


def likeness(values: Row) -> Row:
    """How closely the policy matches the expert, of what ``gailkit evaluate`` writes."""
    test = values["two_sample"]
    return {
        **{name: values[name] for name in ("closeness", "closeness_ci95", "verdict", "compared_episodes")},
        "auc": None if test is None else test["auc"],
        "p": None if test is None else test["p"],
    }


def run_folder(task: Task, method: Method, seed: int) -> Path:
    return WORK / f"{task.name.replace(' ', '-')}-{method.name}-{seed}"


def _training(task: Task, method: Method, seed: int) -> Sequence[Sequence[object]]:
    """What one would type to train, without the Python in front; nothing where evaluating trains too."""
    if method.generator is None:
        return []
    train = ["train", task.env_id, "--demos", task.taught_path, *_chosen(task), "--steps", task.steps, "--seed", seed]
    return [["-m", "gailkit", *train, *method.options, "--out", run_folder(task, method, seed), "--overwrite"]]


def _evaluations(task: Task, method: Method, seed: int, results: Mapping[str, Path]) -> Sequence[Sequence[object]]:
    """What one would type to evaluate into ``results``."""
    judged = ["--episodes", EPISODES, "--seed", seed]
    if method.generator is None:
        command = ["-m", "benchmarks.cloning", task.env_id, "--demos", task.taught_path, *_chosen(task)]
        return [[*command, *judged, "--json", results["deterministic"]]]
    evaluate = ["-m", "gailkit", "evaluate", run_folder(task, method, seed), "--demos", task.demos_path, *judged]
    return [
        [*evaluate, "--deterministic", "--json", results["deterministic"]],
        [*evaluate, "--stochastic", "--json", results["sampled"]],
    ]


def _chosen(task: Task) -> Sequence[object]:
    return ["--trajectories", task.trajectories, "--subsample", task.subsample]


def record_teacher(task: Task) -> None:
    words = ["record", task.env_id, "--policy", task.teacher, "--episodes", task.trajectories, "--seed", 0]
    run_command(["-m", "gailkit", *words, "-o", task.taught_path, "--overwrite"])


def leave_out_actions(task: Task) -> None:
    words = ["data", "convert", task.demos_path, "-o", task.taught_path, "--without-actions", "--overwrite"]
    run_command(["-m", "gailkit", *words])


def _teacher_score(task: Task, values: Row) -> float | None:
    """The score of whom a bias control imitates, on the scale of the real expert."""
    if task.teacher is None:
        return None
    from gailkit import Demonstrations

    returns = Demonstrations.load(task.taught_path).returns()
    assert returns is not None
    scale = values["expert_return_mean"] - values["random_return_mean"]
    return float((returns.mean() - values["random_return_mean"]) / scale)


def run_command(words: Sequence[object]) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, *map(str, words)]
    done = subprocess.run(arguments, check=False, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise click.ClickException(f"{shown(words)} ended with {done.returncode}: {done.stderr.strip()[-500:]}")


def shown(words: Sequence[object]) -> str:
    """A command as one would type it, the folder of foreign experts by its variable."""
    named = [str(word).replace(str(EXPERTS), "$GAILKIT_EXPERTS") for word in words]
    typed = named[1:] if named[1] == "gailkit" else ["python", *named]
    return " ".join(word if word.startswith("$") else shlex.quote(word) for word in typed)


def key_of(row: Row) -> tuple[str, str, int]:
    return row["task"], row["method"], row["seed"]


def kept(path: Path) -> list[Row]:
    """The rows of a file of results; none where it is not there yet."""
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


def keep(path: Path, row: Row, layout: Callable[[list[Row]], str]) -> None:
    """Put a row in its place in a file of results, which is read anew: another command may have added to it."""
    rows = sorted([*(old for old in kept(path) if key_of(old) != key_of(row)), row], key=key_of)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, layout(rows).encode())


def indented(rows: list[Row]) -> str:
    return json.dumps(rows, indent=1) + "\n"


def compact(rows: list[Row]) -> str:
    """JSON with a line for each row."""
    return "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n"
