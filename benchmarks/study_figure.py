"""The study as a figure: what each variant does to the closeness of the last policy, task by task."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks.study_variants import VARIANTS

Rows = Sequence[Mapping[str, Any]]
LEAST = 0.3  # where the axis ends; what is further away is drawn there


def drawn(rows: Rows, tasks: Sequence[str]) -> bytes:
    """The figure as SVG, the same bytes for the same rows: a panel a task, a line a variant."""
    figure = Figure(figsize=(1.9 * len(tasks) + 4.0, 7.2), layout="constrained")
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    shown_variants = [variant for variant in VARIANTS if any(row["variant"] == variant.name for row in rows)]
    places = range(len(shown_variants), 0, -1)
    for axes, task in zip(panels, tasks, strict=True):
        usual = _closeness(rows, task, VARIANTS[0].name)
        for place, variant in zip(places, shown_variants, strict=True):
            value = _closeness(rows, task, variant.name)
            if value is None or usual is None:
                continue
            shown = max(value, LEAST)
            colour = "#0072B2" if value >= usual else "#D55E00"
            axes.plot([usual, shown], [place, place], color=colour, linewidth=1.4)
            axes.plot([shown], [place], color=colour, marker="o" if value >= LEAST else "<", markersize=5)
        if usual is not None:
            axes.axvline(usual, color="#000000", linewidth=0.8)
        axes.set(title=task.rpartition(":")[2], xlabel="closeness", xlim=(LEAST - 0.03, 1.08))
        axes.grid(alpha=0.3, axis="x")
    panels[0].set_yticks(list(places), [variant.says for variant in shown_variants])
    picture = io.BytesIO()
    with rc_context({"svg.hashsalt": "gailkit"}):  # the identifiers within are random without
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


def _closeness(rows: Rows, task: str, variant: str) -> float | None:
    """The median over seeds of the last policy's closeness; None where it is not measured or has no scale."""
    own = [row["last"]["closeness"] for row in rows if (row["task"], row["variant"]) == (task, variant)]
    found = [value for value in own if value is not None]
    return median(found) if found else None
