"""Results beside the GAIL paper's own as a table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import gailkit
from benchmarks.paper_scores import EPISODES, FIRST, LINES, OURS, SECOND, TASKS, Rows, Run, Task, random_return, scores

HEAD = f"""# Beside the GAIL paper's own results

The tasks and experts of Ho & Ermon (2016), imitated by `gailkit train` with its default settings and by behaviour
cloning of the same pairs; beside them the paper's own runs of GAIL and of behaviour cloning, from the results that
openai/imitation keeps. Normalised score: 0 is random actions, 1 the expert. The paper's returns are scaled by its own
expert's return and, as it tells none of random actions, by that of ours. Each entry is the median over runs, with the
least and the greatest in brackets where there are several: three seeds of ours with the fewest trajectories and one
otherwise, seven of the paper's in the classic tasks and one in MuJoCo. Ours are means over {EPISODES} episodes of the
chosen policy's {FIRST} actions; below, in italics, of its {SECOND} actions. The experts sampled theirs. By its
scripts the paper evaluated likeliest actions, over at least 50 episodes: of the last policy of GAIL, and of the cloned
policy that did best on 30 % of the pairs, which it did not learn from.
Made by `python -m benchmarks paper`; every command stands in `paper.json`.

"""

DIFFERENCES = (
    "## What is not the same",
    "",
    "The environments are today's: CartPole has 500 steps where the paper's had 200, and simulators have changed.",
    "Pairs are subsampled from a random step of each trajectory on, there and here. The paper's file of results does",
    "not say how many; its scripts do (`pipelines/`), as they do how many steps GAIL took. The last columns are mean",
    "returns: of the experts, and of random actions here.",
    "",
    "| task | paper's task | pairs | paper's pairs | steps | paper's steps | expert | paper's expert | random |",
    "|---|---|---|---|--:|--:|--:|--:|--:|",
)


def write_table(rows: Rows, runs: Sequence[Run], path: Path) -> None:
    """Write a line for each cell, and for each task what differs from the paper; of what is missing it is said."""
    lines = [
        f"gailkit {gailkit.__version__}.",
        "",
        f"| task | trajectories | {' | '.join(LINES)} |",
        f"|---|--:|{'--:|' * len(LINES)}",
        *(_cell_line(rows, runs, task, trajectories) for task in TASKS for trajectories in task.trajectories),
        "",
        *DIFFERENCES,
        *(_task_line(rows, runs, task) for task in TASKS),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def _cell_line(rows: Rows, runs: Sequence[Run], task: Task, trajectories: int) -> str:
    entries = " | ".join(_entry(rows, runs, task, trajectories, line) for line in LINES)
    return f"| {task.env_id} | {trajectories} | {entries} |"


def _entry(rows: Rows, runs: Sequence[Run], task: Task, trajectories: int, line: str) -> str:
    found = scores(rows, runs, task, trajectories, line, FIRST)
    if not found:
        return "not measured"
    shown = f"**{median(found):.3f}**"
    if len(found) > 1:
        shown += f" ({min(found):.3f} to {max(found):.3f})"
    if line in OURS:
        shown += f"<br>*{median(scores(rows, runs, task, trajectories, line, SECOND)):.3f}*"
    return shown


def _task_line(rows: Rows, runs: Sequence[Run], task: Task) -> str:
    """What differs in one task; the steps are those of the rows, where there are any."""
    trained = {row["steps"] for row in rows if row["task"] == task.env_id and row["steps"] is not None}
    steps = " / ".join(f"{count:,}" for count in sorted(trained or {task.steps}))
    expert = next((row["expert_return_mean"] for row in rows if row["task"] == task.env_id), None)
    papers_expert = next((run.expert_return_mean for run in runs if run.task == task.paper_name), None)
    means = " | ".join(_mean(value) for value in (expert, papers_expert, random_return(rows, task)))
    pairs = f"{_pairs(task.subsample)} | {_pairs(task.paper_subsample)}"
    return f"| {task.env_id} | {task.paper_env_id} | {pairs} | {steps} | {task.paper_steps:,} | {means} |"


def _pairs(subsample: int) -> str:
    return "all" if subsample == 1 else f"every {subsample}th"


def _mean(value: float | None) -> str:
    return "not measured" if value is None else f"{value:,.1f}"
