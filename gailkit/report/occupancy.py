"""Where each side spends its time, as a map: regions that hold half and nine tenths of its state-action pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from gailkit.report.palette import DRAWN, Side
from gailkit.report.svg import Drawing, drawing, new_figure, styled

MARGIN = 0.08  # around the points, as a share of their extent
CELLS = 48  # along either axis
BLUR = 1.3  # cells: the standard deviation of the smoothing
SHARES = (0.9, 0.5)  # of a side's pairs, within the outer and the inner line
DOTS = 150  # of each side; each costs 100 bytes
ENDS = (0.001, 0.999)  # quantiles: what lies outside is drawn at the border


def draw_occupancy(points: Sequence[tuple[Side, np.ndarray]], label: str, axes_names: Sequence[str]) -> Drawing:
    """The map of ``points`` (K, 2) of each side, in the coordinates that ``axes_names`` name."""
    every = np.concatenate([values for _, values in points])
    low, high = np.quantile(every, ENDS, axis=0)
    margin = MARGIN * np.where(high > low, high - low, 1.0)
    edges = [np.linspace(low[axis] - margin[axis], high[axis] + margin[axis], CELLS + 1) for axis in (0, 1)]
    centres = [(edge[1:] + edge[:-1]) / 2 for edge in edges]
    with styled():
        figure = new_figure(3.0)
        axes = figure.add_subplot()
        for side, values in points:
            colour, inside = DRAWN[side.colour], values.clip(low, high)
            density = smoothed(np.histogram2d(inside[:, 0], inside[:, 1], bins=edges)[0])
            levels = region_levels(density)
            if not side.dashes:
                axes.contourf(*centres, density.T, [levels[0], density.max() * 1.01], colors=[colour], alpha=0.16)
            dashes = (0.0, side.dashes) if side.dashes else "-"
            axes.contour(*centres, density.T, levels, colors=[colour], linewidths=[1.0, 1.9], linestyles=[dashes])
            shown = inside[np.linspace(0, len(inside) - 1, min(len(inside), DOTS)).round().astype(int)]
            axes.plot(shown[:, 0], shown[:, 1], side.mark, color=colour, ms=2.6, mew=0, alpha=0.5)
        axes.set(xlabel=axes_names[0], ylabel=axes_names[1])
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        return drawing(figure, label)


def smoothed(counts: np.ndarray) -> np.ndarray:
    """``counts`` (M, N) under a Gaussian blur along either axis; none of it leaves the map, and its sum is 1."""
    reach = np.arange(-4, 5)
    kernel = np.exp(-0.5 * (reach / BLUR) ** 2)
    result = counts.astype(np.float64)
    for axis in (0, 1):
        padded = np.pad(result, [(4, 4) if axis == own else (0, 0) for own in (0, 1)], mode="symmetric")
        result = np.apply_along_axis(np.convolve, axis, padded, kernel, mode="valid")
    return np.asarray(result / result.sum())


def region_levels(density: np.ndarray) -> list[float]:
    """The densities at the borders of the smallest regions that hold SHARES of the whole, increasing."""
    ordered = np.sort(density, axis=None)[::-1]
    within = np.cumsum(ordered)
    levels = [float(ordered[np.searchsorted(within, share * within[-1])]) for share in SHARES]
    inner = max(levels[1], np.nextafter(levels[0], 1.0))  # a contour needs two levels, also where all is in one cell
    return [levels[0], float(inner)]
