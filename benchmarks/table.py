"""Results of the imitation benchmark as a table in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import gailkit
from benchmarks.tasks import CONTROLLED, EPISODES, OPTIMISERS, TASKS, Task

Row = Mapping[str, Any]
Rows = Sequence[Row]

COMPARED = ("adversarial", "bce", "cloning")
NEVER = float("inf")

HEAD = f"""# How well the default configuration imitates

Normalised score: 0 is random actions, 1 the expert. Each entry is the median over seeds, with the least and the
greatest in brackets, of the mean over {EPISODES} episodes of the likeliest actions of the policy that the run chose;
below it, in italics, the same with sampled actions. Steps are all that a run took, those in which it chose included.
`F` is the default loss, `bce` the cross-entropy; both with u = ln D. Cloning is behaviour cloning on the same pairs.
One configuration, the default, for all; only what a column names is not the default. Made by
`python -m benchmarks imitation`; every command stands in `imitation.json`.

"""

CLOSENESS = (
    "## How closely they move like the expert",
    "",
    "Of the same evaluations, beside the expert's episodes that the run was not trained on. Closeness: 0 is random",
    "actions, 1 the expert, by the distance between their steps; the median over seeds, the least and the greatest in",
    "brackets, and the 95 % interval of the run in the middle. AUC: of a classifier that tells the policy's steps from",
    "the expert's, 0.5 if it cannot; the median. Verdicts: of so many runs each, by the rule of `gailkit evaluate`.",
    "The expert of `datasets/` took its likeliest actions, those of `paper/` sampled theirs.",
    "",
    "| task | method | actions | episodes of the expert | closeness | 95 % interval | AUC | verdicts |",
    "|---|---|---|--:|--:|--:|--:|---|",
)


def write_table(rows: Rows, path: Path) -> None:
    """Write the tables: of losses, controls, closeness, optimisers, and of how soon and by which policy."""
    tasks = [task for task in TASKS if task.teacher is None]
    lines = [
        f"gailkit {gailkit.__version__}.",
        "",
        "| task | demonstrations | steps | to reach | F | bce | cloning |",
        "|---|---|--:|--:|--:|--:|--:|",
        *(_task_line(rows, task) for task in tasks),
        "",
        "Bias controls: whoever imitates a teacher that knows nothing must not score the task: no more than 0.1",
        "above the teacher itself, on the real expert's scale.",
        "",
        "| task and teacher | episodes | steps | teacher's score | F | bce |",
        "|---|--:|--:|--:|--:|--:|",
        *(_control_line(rows, task) for task in TASKS if task.teacher is not None),
        "",
        *CLOSENESS,
        *(line for task in TASKS for line in _likeness_lines(rows, task)),
        "",
        "## With every optimiser",
        "",
        "The same tasks, demonstrations, steps and seeds with the loss `F`, by `--generator NAME`.",
        "",
        f"| task | to reach | {' | '.join(OPTIMISERS)} |",
        f"|---|--:|{'--:|' * len(OPTIMISERS)}",
        *(f"| {task.name} | {task.threshold} | {_entries(rows, task, OPTIMISERS.values())} |" for task in tasks),
        "",
        "## How soon, and which policy",
        "",
        "With the loss `F`: the steps in the environment until the mean return of the last training episodes had first",
        "come 90 % of the way from random to expert, and the policies that the runs chose, without a reward.",
        "",
        "| task | steps to 90 % | chosen |",
        "|---|--:|---|",
        *(f"| {task.name} | {_steps(rows, task, 'adversarial')} | {_chosen(rows, task)} |" for task in tasks),
    ]
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def _task_line(rows: Rows, task: Task) -> str:
    pairs = "all pairs" if task.subsample == 1 else f"every {task.subsample}th pair"
    shown = f"{task.trajectories} of `{task.demos.removeprefix('EXPERTS/')}`, {pairs}"
    return f"| {task.name} | {shown} | {task.steps:,} | {task.threshold} | {_entries(rows, task, COMPARED)} |"


def _control_line(rows: Rows, task: Task) -> str:
    teachers = [row["teacher_score"] for row in rows if row["task"] == task.name]
    teacher = f"{median(teachers):.3f}" if teachers else "not measured"
    return f"| {task.name} | {task.trajectories} | {task.steps:,} | {teacher} | {_entries(rows, task, CONTROLLED)} |"


def _likeness_lines(rows: Rows, task: Task) -> Iterator[str]:
    """Of each method of the tables above, its likeliest and its sampled actions."""
    for method in COMPARED if task.teacher is None else CONTROLLED:
        own = _of(rows, task, method)
        name = {"adversarial": "F"}.get(method, method)
        yield f"| {task.name} | {name} | likeliest | {likeness([row for row in own if 'verdict' in row])} |"
        sampled = [row["sampled"] for row in own if row.get("sampled")]
        if sampled:
            yield f"| {task.name} | {name} | sampled | {likeness(sampled)} |"


def likeness(own: Rows) -> str:
    """Episodes of the expert, closeness, its interval, AUC and verdicts of the runs of one method, in cells."""
    if not own:
        return "not measured | | | |"
    ordered = sorted((row for row in own if row["closeness"] is not None), key=lambda row: float(row["closeness"]))
    shown = "no scale | "
    if ordered:
        least, middle, greatest = (f"{row['closeness']:.3f}" for row in (ordered[0], _middle(ordered), ordered[-1]))
        low, high = _middle(ordered)["closeness_ci95"]
        shown = f"**{middle}** ({least} to {greatest}) | {low:.3f} to {high:.3f}"
    areas = [row["auc"] for row in own if row["auc"] is not None]
    area = f"{median(areas):.2f}" if areas else ""
    verdicts = Counter(row["verdict"] for row in own)
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    return f"{median(row['compared_episodes'] for row in own):g} | {shown} | {area} | {said}"


def _middle(ordered: Rows) -> Row:
    """The run in the middle, the lower of two."""
    return ordered[(len(ordered) - 1) // 2]


def _chosen(rows: Rows, task: Task) -> str:
    """Which policies the runs with the default loss chose, and how often each."""
    chosen = Counter(row["chosen"]["policy"] for row in _of(rows, task, "adversarial") if row.get("chosen"))
    return ", ".join(f"{count} {policy}" for policy, count in sorted(chosen.items())) or "not measured"


def _entries(rows: Rows, task: Task, methods: Iterable[str]) -> str:
    return " | ".join(_entry(rows, task, method) for method in methods)


def _entry(rows: Rows, task: Task, method: str) -> str:
    own = _of(rows, task, method)
    scores = [row["score"] for row in own]
    if not scores:
        return "not measured"
    sampled = [row["score_sampled"] for row in own if row["score_sampled"] is not None]
    shown = f"**{median(scores):.3f}** ({min(scores):.3f} to {max(scores):.3f})"
    return f"{shown}<br>*{median(sampled):.3f}*" if sampled else shown


def _steps(rows: Rows, task: Task, method: str) -> str:
    """Steps to 90 %, of the runs whose rows tell them; a run that never came so far counts as the slowest."""
    told = [row["steps_to_90"] for row in _of(rows, task, method) if "steps_to_90" in row]
    if not told:
        return "not measured"
    steps = [NEVER if count is None else count for count in told]
    if min(steps) == NEVER:
        return "never"
    middle, least, greatest = (
        "never" if count == NEVER else f"{count:,.0f}" for count in (median(steps), min(steps), max(steps))
    )
    return f"**{middle}** ({least} to {greatest})"


def _of(rows: Rows, task: Task, method: str) -> Rows:
    return [row for row in rows if row["task"] == task.name and row["method"] == method]
