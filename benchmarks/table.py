"""Results of the imitation benchmark as a table in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import gailkit
from benchmarks.tasks import EPISODES, METHODS, TASKS, Task

Rows = Sequence[Mapping[str, Any]]

HEAD = f"""# How well the default configuration imitates

Normalised score: 0 is random actions, 1 the expert. Each entry is the median over seeds, with the least and the
greatest in brackets, of the mean over {EPISODES} episodes of the last checkpoint's likeliest actions; below it,
in italics, the same with sampled actions. `F` is the default loss, `bce` the cross-entropy; both with u = ln D.
Cloning is behaviour cloning on the same pairs. One configuration, the default, for all. Made by
`python -m benchmarks imitation`; every command stands in `imitation.json`.

"""


def write_table(rows: Rows, path: Path) -> None:
    """Write the table of all tasks, and that of the bias controls."""
    lines = [
        f"gailkit {gailkit.__version__}.",
        "",
        "| task | demonstrations | steps | to reach | F | bce | cloning |",
        "|---|---|--:|--:|--:|--:|--:|",
        *(_task_line(rows, task) for task in TASKS if task.teacher is None),
        "",
        "Bias controls: whoever imitates a teacher that knows nothing must not score the task: no more than 0.1",
        "above the teacher itself, on the real expert's scale.",
        "",
        "| task and teacher | episodes | steps | teacher's score | F | bce |",
        "|---|--:|--:|--:|--:|--:|",
        *(_control_line(rows, task) for task in TASKS if task.teacher is not None),
    ]
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def _task_line(rows: Rows, task: Task) -> str:
    pairs = "all pairs" if task.subsample == 1 else f"every {task.subsample}th pair"
    shown = f"{task.trajectories} of `{task.demos.removeprefix('EXPERTS/')}`, {pairs}"
    entries = (_entry(rows, task, method) for method in METHODS)
    return f"| {task.name} | {shown} | {task.steps:,} | {task.threshold} | {' | '.join(entries)} |"


def _control_line(rows: Rows, task: Task) -> str:
    teachers = [row["teacher_score"] for row in rows if row["task"] == task.name]
    teacher = f"{median(teachers):.3f}" if teachers else "not measured"
    entries = (_entry(rows, task, method) for method in METHODS if method != "cloning")
    return f"| {task.name} | {task.trajectories} | {task.steps:,} | {teacher} | {' | '.join(entries)} |"


def _entry(rows: Rows, task: Task, method: str) -> str:
    own = [row for row in rows if row["task"] == task.name and row["method"] == method]
    scores = [row["score"] for row in own]
    if not scores:
        return "not measured"
    sampled = [row["score_sampled"] for row in own if row["score_sampled"] is not None]
    shown = f"**{median(scores):.3f}** ({min(scores):.3f} to {max(scores):.3f})"
    return f"{shown}<br>*{median(sampled):.3f}*" if sampled else shown
