"""The study as tables in Markdown: a table for closeness, for AUC, for scores and for speed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.study_variants import VARIANTS

Rows = Sequence[Mapping[str, Any]]
Value = Callable[[Mapping[str, Any]], float | None]

HEAD = """# What matters, measured

Each row changes one thing in the default configuration. Entries are of the policy that the run chose, evaluated with
the kind of actions that the expert took; medians where there are several seeds, whose number stands in brackets.
Made by `python -m benchmarks study`; every command and number stands in `study.json`.
"""

TABLES: tuple[tuple[str, Value, str], ...] = (
    ("Closeness (1 is the expert) of the chosen policy", lambda row: row["chosen"]["closeness"], "{:.3f}"),
    ("Closeness of the last policy", lambda row: row["last"]["closeness"], "{:.3f}"),
    ("Closeness of the average over the last iterations", lambda row: row["averaged"]["closeness"], "{:.3f}"),
    ("AUC of the chosen policy (0.5: cannot be told from the expert)", lambda row: row["chosen"]["auc"], "{:.2f}"),
    ("Normalised score of the chosen policy", lambda row: row["chosen"]["score"], "{:.3f}"),
    ("Normalised score of the last policy", lambda row: row["last"]["score"], "{:.3f}"),
    ("Steps to 90 % of the expert's return, in thousands", lambda row: row["steps_to_90"], "{:.0f}"),
)


def write_table(rows: Rows, tasks: Sequence[str], path: Path) -> None:
    """Write every table of what is measured."""
    lines, tasks = [HEAD], [task for task in tasks if any(row["task"] == task for row in rows)]
    for title, value, form in TABLES:
        names = " | ".join(task.rpartition(":")[2] for task in tasks)
        lines += [f"## {title}", "", f"| variant | {names} |", f"|---|{'--:|' * len(tasks)}"]
        for variant in (each for each in VARIANTS if any(row["variant"] == each.name for row in rows)):
            cells = " | ".join(_cell(rows, task, variant.name, value, form) for task in tasks)
            lines.append(f"| {variant.says} | {cells} |")
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")


def _cell(rows: Rows, task: str, variant: str, value: Value, form: str) -> str:
    own = [row for row in rows if (row["task"], row["variant"]) == (task, variant)]
    if not own:
        return ""
    found = [number for number in map(value, own) if number is not None]
    if len(found) * 2 <= len(own):
        return "never"
    scale = 1000 if form == "{:.0f}" else 1
    seeds = f" ({len(own)})" if len(own) > 1 else ""
    return form.format(median(found) / scale) + seeds
