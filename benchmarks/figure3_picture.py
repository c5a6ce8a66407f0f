"""Returns over steps and over minutes, a column of two panels for each task."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.curves import POINTS, STYLES, Style

REPLAYING = {
    "ddpg": Style("#E69F00", (0, (5, 1)), "P"),
    "td3": Style("#56B4E9", (0, (2, 1)), "X"),
    "sac": Style("#882255", "-", "*"),
}
ALL_STYLES = {**STYLES, **REPLAYING}
COLUMNS = 4

Rows = Sequence[Mapping[str, Any]]


def drawn(rows: Rows, tasks: Sequence[str]) -> bytes:
    """The figure as SVG, the same bytes for the same rows: above over steps, below over minutes."""
    figure = Figure(figsize=(13, 12), layout="constrained")
    lines = -(-len(tasks) // COLUMNS)
    panels = figure.subplots(2 * lines, COLUMNS)
    for place, task in enumerate(tasks):
        over_steps, over_minutes = (panels[2 * (place // COLUMNS) + k, place % COLUMNS] for k in (0, 1))
        _draw(over_steps, [row for row in rows if row["task"] == task], "steps")
        _draw(over_minutes, [row for row in rows if row["task"] == task], "minutes")
        over_steps.set(title=task, xlabel="environment steps")
        over_steps.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1000:,.0f}k" if steps else "0")
        over_minutes.set(xlabel="minutes", xscale="log")
    for place in range(len(tasks), lines * COLUMNS):
        for k in (0, 1):
            panels[2 * (place // COLUMNS) + k, place % COLUMNS].set_axis_off()
    shown = {line.get_label(): line for axes in panels.flat for line in axes.get_lines()}
    if shown:
        figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=len(ALL_STYLES), handlelength=4)
    picture = io.BytesIO()
    with rc_context({"svg.hashsalt": "gailkit"}):  # the identifiers within are random without
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


def _draw(axes: Axes, rows: Rows, over: str) -> None:
    """The median over seeds of each optimiser as a line, from the least to the greatest as a band."""
    for name, style in ALL_STYLES.items():
        runs = [row for row in rows if row["method"] == name and len(row["steps"]) > 1]
        if not runs:
            continue
        last = min(row["steps"][-1] for row in runs)
        steps = np.linspace(max(row["steps"][0] for row in runs), last, POINTS)
        returns = np.stack([np.interp(steps, row["steps"], row["true_return"]) for row in runs])
        minutes = steps / last * float(np.median([row["seconds_in_all"] for row in runs])) / 60
        x = steps if over == "steps" else minutes
        axes.fill_between(x, returns.min(0), returns.max(0), color=style.colour, alpha=0.12, linewidth=0)
        axes.plot(
            x,
            np.median(returns, axis=0),
            color=style.colour,
            linestyle=style.dashes,
            marker=style.marker,
            markersize=4,
            markevery=POINTS // 5,
            linewidth=1.3,
            label=name,
        )
    axes.grid(alpha=0.3)
    axes.set_ylabel("return")
