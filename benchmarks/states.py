"""How well what was seen alone is imitated, beside what the same demonstrations teach with their actions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import click

from benchmarks.imitation_run import Row, leave_out_actions
from benchmarks.missing_runs import demonstrated, measure_missing, rows_of
from benchmarks.tasks import EPISODES, Method, Task

RESULTS = Path("benchmarks") / "results" / "states.json"
REACH = 0.9  # of the score that the same demonstrations give with their actions
WITH_ACTIONS = (
    Task("Pendulum-v1", "datasets/pendulum-v1.hdf5", 10, 1, 200_000, REACH),
    Task("Hopper-v5", "EXPERTS/paper/Hopper-v5.hdf5", 4, 1, 500_000, REACH),
)
KINDS = {
    name: Method(name, "ppo-clip", ("--discriminator-kind", name)) for name in ("state-action", "next-state", "state")
}
HEAD = f"""# Imitation from states

`gailkit train --discriminator-kind KIND`, every other setting its default. `state-action` learns from the
demonstrations as they are and begins as a clone; `next-state` and `state` from those that `gailkit data convert
--without-actions` makes of them, without a clone. To reach is {REACH:g} of what `state-action` reaches. Entries are
medians over seeds, the least and the greatest in brackets, over {EPISODES} episodes of the policy that the run chose,
by the kind of actions that the expert took: its likeliest in `datasets/`, sampled ones in `paper/`. Score: 0 is random
actions, 1 the expert; closeness the same by the distance between their steps, actions among them; AUC of a classifier
that tells their steps apart. *Steps to 90 %*: until the training's own episodes, with sampled actions, first came so
far. Made by `python -m benchmarks states`; every command stands in `states.json`.

"""
COLUMNS = (
    "task", "demonstrations", "steps", "D sees", "score", "of state-action's", "closeness", "AUC", "steps to 90 %",
    "seconds", "seeds",
)  # fmt: skip


@click.command()
@click.option("--seeds", default=1, show_default=True, help="Runs of each task and kind.")
@click.option("--jobs", default=1, show_default=True, help="Runs at a time.")
@click.option("--only", default="", help="Tasks whose name contains this.")
@click.option("--again", is_flag=True, help="Also what the results hold already.")
def states(seeds: int, jobs: int, only: str, again: bool) -> None:
    """Imitate states with and without what followed, beside states and actions; writes benchmarks/results/states.*."""
    wanted = ((task, method, seed) for seed in range(seeds) for task, method in runs() if only in task.name)

    def prepare(task: Task) -> None:
        if task.without_actions:
            leave_out_actions(task)

    measure_missing(
        wanted, RESULTS, jobs=jobs, again=again, prepare=prepare, write_table=write_table, available=demonstrated
    )


def runs() -> Iterator[tuple[Task, Method]]:
    """Every task by every kind of discriminator."""
    for task in WITH_ACTIONS:
        for name, method in KINDS.items():
            yield replace(task, without_actions=name != "state-action"), method


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write a line for each task and kind."""
    lines = [line for task, method in runs() for line in _lines(rows, task, method)]
    table = "\n".join((f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS), *lines))
    path.write_text(HEAD + table + "\n", encoding="utf-8")


def _lines(rows: Sequence[Row], task: Task, method: Method) -> Iterator[str]:
    found = rows_of(rows, task, method)
    if not found:
        return
    sampled = "EXPERTS" in task.demos
    alike = [run["sampled"] if sampled else run for run in found]
    scores, soon = _scores(found, sampled), [run["steps_to_90"] for run in found]
    reference = _scores(rows_of(rows, replace(task, without_actions=False), KINDS["state-action"]), sampled)
    share = f"{median(scores) / median(reference):.2f}" if scores and reference else "-"
    entries = [
        task.env_id, f"{task.trajectories} episodes", f"{task.steps:,}", method.name, _entry(scores), share,
        _entry([each["closeness"] for each in alike]), _entry([each["auc"] for each in alike], 2),
        "-" if None in soon else f"{median(soon):,.0f}", f"{median(run['seconds'] for run in found):.0f}", len(found),
    ]  # fmt: skip
    yield "| " + " | ".join(map(str, entries)) + " |"


def _scores(runs: Sequence[Row], sampled: bool) -> list[float]:
    return [run["score_sampled" if sampled else "score"] for run in runs]


def _entry(values: Sequence[float | None], digits: int = 3) -> str:
    numbers = [value for value in values if value is not None]
    shown = [f"{value:.{digits}f}" for value in (median(numbers), min(numbers), max(numbers))] if numbers else []
    return f"{shown[0]} [{shown[1]}, {shown[2]}]" if shown else "-"
