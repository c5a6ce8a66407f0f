"""What came of a sweep as a picture: the closeness of every run, and the mean of each method with its interval."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gailkit.storage import write_atomically
from gailkit.sweep.outcomes import Outcome, Outcomes

MOST_BESIDE = 4  # panels in a row
BLUE, MUTED = "#0072B2", "#888888"


def draw_outcomes(outcomes: Outcomes, runs: Sequence[Outcome], path: Path) -> None:
    """Draw a panel a task, a line a method, the closest on top, into an SVG file; without a closeness nothing is drawn.

    A small ring is a run, a dot with a bar the mean of the runs and its 95 % interval; the dashed line is the expert.
    """
    tasks = [task for task in outcomes.tasks if any(run.task == task and run.closeness is not None for run in runs)]
    if not tasks:
        return
    methods = [each.method for each in outcomes.methods]
    beside = min(len(tasks), MOST_BESIDE)
    rows = -(-len(tasks) // beside)
    with rc_context({"svg.hashsalt": "gailkit", "text.parse_math": False}):  # a name with dollar signs is no formula
        figure = Figure(figsize=(2.4 * beside + 2.6, rows * (0.28 * len(methods) + 1.1)), layout="constrained")
        panels = list(figure.subplots(rows, beside, sharey=True, squeeze=False).flat)
        for task, axes in zip(tasks, panels, strict=False):
            _draw(axes, task, methods, outcomes, runs)
        for axes in panels[len(tasks) :]:
            axes.set_axis_off()
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", metadata={"Date": None})
    write_atomically(path, picture.getvalue())


def _draw(axes: Axes, task: str, methods: Sequence[str], outcomes: Outcomes, runs: Sequence[Outcome]) -> None:
    for place, method in enumerate(reversed(methods)):
        own = [run.closeness.value for run in runs if (run.task, run.method) == (task, method) and run.closeness]
        axes.plot(own, [place] * len(own), "o", color=MUTED, markerfacecolor="none", markersize=5, markeredgewidth=0.8)
        cell = outcomes.cell(task, method)
        if cell is not None and cell.closeness is not None:
            value, low, high = cell.closeness
            axes.plot([low, high], [place, place], color=BLUE, linewidth=1.6)
            axes.plot([value], [place], "o", color=BLUE, markersize=5)
    axes.axvline(1, color="#000000", linewidth=0.8, linestyle="--")
    axes.set(title=task, xlabel="closeness (1: the expert)", ylim=(-0.6, len(methods) - 0.4))
    axes.set_yticks(range(len(methods)), list(reversed(methods)))
    axes.grid(alpha=0.3, axis="x")
