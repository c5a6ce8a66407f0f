"""The curves of a run, drawn over environment steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator

from gailkit.health.curves import SMOOTH, Curve
from gailkit.report.palette import DRAWN, Side
from gailkit.report.svg import Drawing, drawing, new_figure, styled

MOST_POINTS = 240  # of a curve, whose panel has some 230 units


def draw_curves(curves: Sequence[tuple[Side | None, Curve]], label: str, unit: str = "") -> Drawing:
    """Each curve as it is, faintly, and smoothed; one that belongs to no side is drawn in the colour of the text."""
    with styled():
        figure = new_figure()
        axes = figure.add_subplot()
        for side, curve in curves:
            _draw(axes, side, curve)
        axes.set(xlabel="environment steps", ylabel=unit)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.ticklabel_format(axis="y", useOffset=False, scilimits=(-3, 5))
        return drawing(figure, label)


def _draw(axes: Axes, side: Side | None, curve: Curve) -> None:
    colour = DRAWN["ink" if side is None else side.colour]
    dashes = (0.0, side.dashes) if side is not None and side.dashes else "-"
    chosen = np.linspace(0, len(curve.values) - 1, min(len(curve.values), MOST_POINTS)).round().astype(int)
    steps = curve.steps[chosen]
    if len(chosen) > SMOOTH:
        axes.plot(steps, curve.values[chosen], color=colour, linewidth=0.7, alpha=0.35)
    mark = None if len(chosen) > 1 else "o"
    axes.plot(steps, curve.smooth()[chosen], marker=mark, color=colour, linestyle=dashes)
