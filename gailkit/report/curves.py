"""The metrics of a run as curves: read with care, for their file may be anybody's, and drawn over environment steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator

from gailkit.report.palette import DRAWN, Side
from gailkit.report.svg import Drawing, drawing, new_figure, styled

LARGEST = 1e30  # numbers beyond it are no measurements of ours
END = 0.2  # share of a run that counts as its end
MOST_POINTS = 240  # of a curve, whose panel has some 230 units
SMOOTH = 30  # a smooth curve is the mean over so much of a run: one in SMOOTH


@dataclass(frozen=True)
class Curve:
    """One metric over a run."""

    steps: np.ndarray  # (K,), environment steps, in the order of the rows
    values: np.ndarray  # (K,)

    def end(self) -> float:
        """The mean over the last fifth."""
        return float(self.values[-max(1, round(END * len(self.values))) :].mean())

    def later_half(self) -> np.ndarray:
        """The values of the later half."""
        return self.values[len(self.values) // 2 :]

    def middle(self) -> np.ndarray:
        """The values between the first and the last quarter, where schedules neither begin nor run out."""
        quarter = len(self.values) // 4
        return self.values[quarter : len(self.values) - quarter]

    def smooth(self) -> np.ndarray:
        """Running means (K,) over a thirtieth of the run; at either end over what there is."""
        width = max(1, len(self.values) // SMOOTH)
        ones = np.ones(width)
        sums = np.convolve(self.values, ones, mode="same")
        return np.asarray(sums / np.convolve(np.ones(len(self.values)), ones, mode="same"))


Curves = Mapping[str, Curve]


def curves_of(rows: Sequence[Any]) -> Curves:
    """Every metric in the rows of a run that is a number with a number of steps beside it; all else is left out."""
    placed = [row for row in rows if isinstance(row, Mapping) and _is_number(row.get("steps"))]
    numbers = [
        (name, float(row["steps"]), float(value))
        for row in placed
        for name, value in row.items()
        if isinstance(name, str) and _is_number(value)
    ]
    found: dict[str, tuple[list[float], list[float]]] = {}
    for name, at, value in numbers:
        steps, values = found.setdefault(name, ([], []))
        steps.append(at)
        values.append(value)
    return {name: Curve(np.array(steps), np.array(values)) for name, (steps, values) in found.items()}


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


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST
