"""The figure of scores over the number of trajectories, ours beside the GAIL paper's own."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.curves import Style
from benchmarks.paper_scores import FIRST, LINES, OURS, SECOND, TASKS, Rows, Run, Task, scores

STYLES = {
    "gailkit": Style("#000000", "-", "o"),
    "gailkit's clone": Style("#0072B2", (0, (6, 2)), "s"),
    "paper's GAIL": Style("#D55E00", (0, (3, 1, 1, 1)), "^"),
    "paper's BC": Style("#CC79A7", (0, (1, 1)), "v"),
}


def drawn(rows: Rows, runs: Sequence[Run]) -> bytes:
    """The figure as SVG, the same bytes for the same results: a panel for each task."""
    figure = Figure(figsize=(8.5, 6.4), layout="constrained")
    panels = figure.subplots(2, len(TASKS) // 2, sharey=True)
    for axes, task in zip(panels.flat, TASKS, strict=True):
        for place, line in enumerate(LINES):
            _draw(axes, rows, runs, task, line, place)
        fewest, most = task.trajectories[0], task.trajectories[-1]
        beyond = (most - fewest) / 8
        axes.set(title=task.env_id, xlabel="trajectories", xticks=task.trajectories)
        axes.set_xlim(fewest - beyond, most + beyond)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 (random)", "0.25", "0.5", "0.75", "1 (expert)"])
        axes.grid(alpha=0.3)
    for axes in panels[:, 0]:
        axes.set_ylabel("normalised score")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=3, handlelength=4)
    picture = io.BytesIO()
    with rc_context({"svg.hashsalt": "gailkit"}):  # the identifiers within are random without
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


def _legend() -> list[Line2D]:
    """Every line, and what a hollow marker is."""
    lines = [Line2D([], [], **_look(line), label=line) for line in LINES]
    hollow = Line2D([], [], color="#000000", linestyle="none", marker="o", markersize=4, fillstyle="none")
    hollow.set_label(f"ours, {SECOND} actions")
    return [*lines, hollow]


def _look(line: str) -> dict[str, Any]:
    style = STYLES[line]
    return {
        "color": style.colour,
        "linestyle": style.dashes,
        "marker": style.marker,
        "markersize": 4,
        "linewidth": 1.4,
    }


def _draw(axes: Axes, rows: Rows, runs: Sequence[Run], task: Task, line: str, place: int) -> None:
    """One line in one task: medians, with bars from the least to the greatest; nothing where nothing is known."""
    found = {number: scores(rows, runs, task, number, line, FIRST) for number in task.trajectories}
    numbers = [number for number, cell in found.items() if cell]
    if not numbers:
        return
    least, middle, greatest = (
        np.array([float(of(found[number])) for number in numbers]) for of in (np.min, np.median, np.max)
    )
    gap = task.trajectories[1] - task.trajectories[0]
    beside = 0.05 * gap * (place - (len(LINES) - 1) / 2)  # lines that meet at the expert's score stay apart
    where = np.array(numbers) + beside
    axes.errorbar(where, middle, yerr=(middle - least, greatest - middle), elinewidth=1, **_look(line))
    if line in OURS:
        second = [float(np.median(scores(rows, runs, task, number, line, SECOND))) for number in numbers]
        axes.plot(where, second, **{**_look(line), "linestyle": "none"}, fillstyle="none")
