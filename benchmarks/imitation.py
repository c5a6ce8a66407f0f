"""How well the default configuration imitates: every task with either loss, every optimiser, and by cloning.

Each run is made of the commands that a user would type; they are printed and kept with the results.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from benchmarks.curves import CURVES, steps_to_share, thinned
from benchmarks.table import write_table
from benchmarks.tasks import CONTROLLED, EPISODES, EXPERTS, METHODS, OPTIMISERS, REPOSITORY, TASKS, WORK, Method, Task
from gailkit.storage import write_atomically
from gailkit.training.metrics import METRICS_FILE, read_metrics
from gailkit.training.run import RunFolder

RESULTS = Path("benchmarks") / "results" / "imitation.json"

Row = dict[str, Any]


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
            _record_teacher(task)
    measure = _evaluate if which == "trained" else _measure
    with ThreadPoolExecutor(jobs) as pool:
        for row, curve in pool.map(lambda run: measure(*run), missing):
            _keep(RESULTS, row, _indented)
            if curve is not None:
                _keep(CURVES, curve, _compact)
            click.echo(
                f"{row['task']}, {row['method']}, seed {row['seed']}: score {row['score']:.3f}, {row['verdict']}"
            )
    write_table(_kept(RESULTS), RESULTS.with_suffix(".md"))


def _due(which: str | None) -> Callable[[Task, Method, int], bool]:
    """Whether a run is to be measured: every one, one that was trained to its end, or one without a result."""
    if which == "trained":
        return _is_trained
    measured = set() if which == "again" else {_key(row) for row in _kept(RESULTS)}
    return lambda task, method, seed: (task.name, method.name, seed) not in measured


def _is_trained(task: Task, method: Method, seed: int) -> bool:
    """Whether a run has all its steps; cloning, which takes seconds, counts as trained."""
    if method.generator is None:
        return True
    metrics = _folder(task, method, seed) / METRICS_FILE
    return metrics.is_file() and read_metrics(metrics.parent)[-1]["steps"] >= task.steps


def _measure(task: Task, method: Method, seed: int) -> tuple[Row, Row | None]:
    """One run from its demonstrations to its scores, and its learning curve where it has one."""
    for words in _training(task, method, seed):
        _run(words)
    return _evaluate(task, method, seed)


def _evaluate(task: Task, method: Method, seed: int) -> tuple[Row, Row | None]:
    """What a trained run is worth, and its learning curve where it has one."""
    run = _folder(task, method, seed)
    run.mkdir(parents=True, exist_ok=True)
    results = {name: run / f"{name}.json" for name in ("deterministic", "sampled")}
    evaluations = _evaluations(task, method, seed, results)
    for words in evaluations:
        _run(words)
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
        **scale,
        **_likeness(values),
        "sampled": _likeness(measured["sampled"]) if "sampled" in measured else None,
        "teacher_score": _teacher_score(task, values),
        "chosen": None if method.generator is None else RunFolder(run).load("chosen")["choice"],
        "seconds": round(metrics[-1]["seconds"]) if metrics else None,  # of training
        "commands": [_shown(words) for words in [*_training(task, method, seed), *evaluations]],
    }
    return row, {**key, **scale, **thinned(metrics)} if metrics else None


def _likeness(values: Row) -> Row:
    """How closely the policy matches the expert, of what ``gailkit evaluate`` writes."""
    test = values["two_sample"]
    return {
        **{name: values[name] for name in ("closeness", "closeness_ci95", "verdict", "compared_episodes")},
        "auc": None if test is None else test["auc"],
        "p": None if test is None else test["p"],
    }


def _folder(task: Task, method: Method, seed: int) -> Path:
    return WORK / f"{task.name.replace(' ', '-')}-{method.name}-{seed}"


def _training(task: Task, method: Method, seed: int) -> Sequence[Sequence[object]]:
    """What one would type to train, without the Python in front; nothing where evaluating trains too."""
    if method.generator is None:
        return []
    train = ["train", task.env_id, "--demos", task.taught_path, *_chosen(task), "--steps", task.steps, "--seed", seed]
    return [["-m", "gailkit", *train, *method.options, "--out", _folder(task, method, seed), "--overwrite"]]


def _evaluations(task: Task, method: Method, seed: int, results: Mapping[str, Path]) -> Sequence[Sequence[object]]:
    """What one would type to evaluate into ``results``."""
    judged = ["--episodes", EPISODES, "--seed", seed]
    if method.generator is None:
        command = ["-m", "benchmarks.cloning", task.env_id, "--demos", task.taught_path, *_chosen(task)]
        return [[*command, *judged, "--json", results["deterministic"]]]
    evaluate = ["-m", "gailkit", "evaluate", _folder(task, method, seed), "--demos", task.demos_path, *judged]
    return [
        [*evaluate, "--deterministic", "--json", results["deterministic"]],
        [*evaluate, "--stochastic", "--json", results["sampled"]],
    ]


def _chosen(task: Task) -> Sequence[object]:
    return ["--trajectories", task.trajectories, "--subsample", task.subsample]


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


def _kept(path: Path) -> list[Row]:
    """The rows of a file of results; none where it is not there yet."""
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


def _keep(path: Path, row: Row, layout: Callable[[list[Row]], str]) -> None:
    """Put a row in its place in a file of results, which is read anew: another command may have added to it."""
    rows = sorted([*(old for old in _kept(path) if _key(old) != _key(row)), row], key=_key)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, layout(rows).encode())


def _indented(rows: list[Row]) -> str:
    return json.dumps(rows, indent=1) + "\n"


def _compact(rows: list[Row]) -> str:
    """JSON with a line for each row."""
    return "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n"
