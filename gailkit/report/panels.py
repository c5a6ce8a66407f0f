"""The panels of a report: a handful of numbers of each side as one small figure.

A side is told by its colour, its stroke, its filling and its mark; names that come from outside stand beside a figure,
in the page's own text, and not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from gailkit.errors import InputError
from gailkit.report.markup import shortened
from gailkit.report.palette import DRAWN, Side
from gailkit.report.svg import Drawing, drawing, new_figure, styled

Samples = Sequence[tuple[Side, np.ndarray]]  # finite values of each side, (K,)

BINS = 30
MOST_MARKS = 300  # of one side: more marks than these are no longer told apart, and cost 100 bytes each
ROW, TALL_ROW = 0.33, 0.46  # inches of height that an interval takes, with its name beside and above it
LONGEST_BESIDE, LONGEST_ABOVE = 16, 40  # letters of a name
SPIKE = 0.4  # of a distribution in one bin: beside it the rest shows only on a scale of roots
ROOT_TICKS = (0.0, 0.01, 0.05, 0.15, 0.3, 0.5, 0.75, 1.0)
LARGEST = 1e30  # values beyond it are drawn there: arithmetic with larger ones overflows
SAME = 1e-9  # of its own size: a smaller range of values is none


class Interval(NamedTuple):
    """A number and how far it may be off; equal ends are drawn as no interval."""

    name: str  # a word or two
    side: Side
    value: float
    low: float
    high: float


def draw_distribution(samples: Samples, label: str, unit: str = "") -> Drawing:
    """How often each value occurs, as a share of its side: outlines of one set of bins, for all sides."""
    drawn = _finite(samples)
    edges = bin_edges([values for _, values in drawn])
    with styled():
        figure = new_figure()
        axes = figure.add_subplot()
        for side, values in drawn:
            shares = np.histogram(values, edges)[0] / len(values)
            outline(axes, shares, edges, side)
        axes.set(xlabel=unit, ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        _in_percent(axes)
        highest = axes.get_ylim()[1]
        if highest > SPIKE:
            axes.set_yscale("function", functions=(np.sqrt, np.square))
            axes.set(ylim=(0, highest), ylabel="root scale")
            axes.yaxis.set_major_locator(FixedLocator([tick for tick in ROOT_TICKS if tick <= highest]))
            _percent_signs(axes)
        return drawing(figure, label)


def draw_choices(
    shares: Sequence[tuple[Side, np.ndarray]], label: str, start: int = 0, unit: str = "action"
) -> Drawing:
    """How often each of A choices from ``start`` on was taken, shares (A,) of each side, in bars side by side."""
    count = len(shares[0][1])
    width = 0.8 / len(shares)
    with styled():
        figure = new_figure()
        axes = figure.add_subplot()
        for number, (side, values) in enumerate(shares):
            at = start + np.arange(count) + (number - (len(shares) - 1) / 2) * width
            axes.bar(at, values, width * 0.9, color=DRAWN[side.colour], alpha=0.25)
            bars = axes.bar(at, values, width * 0.9, fill=False, edgecolor=DRAWN[side.colour], hatch=side.hatch)
            for bar in bars:
                bar.set(linewidth=1.2, linestyle=_dashes(side))
        axes.set(xlabel=unit, ylim=(0, None))
        axes.grid(False, axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        _in_percent(axes)
        return drawing(figure, label)


def draw_marks(samples: Samples, label: str, unit: str) -> Drawing:
    """Every value as a mark in the row of its side, the side's mean as a line; of very many, evenly chosen ones."""
    drawn = _finite(samples)
    with styled():
        figure = new_figure(0.6 + 0.45 * len(drawn))
        axes = figure.add_subplot()
        for row, (side, values) in enumerate(drawn):
            shown = np.sort(values)[np.linspace(0, len(values) - 1, min(len(values), MOST_MARKS)).round().astype(int)]
            # The golden ratio's multiples spread equal values evenly, and the same ones each time.
            spread = (np.arange(len(shown)) * 0.6180339887 % 1 - 0.5) * 0.5
            colour = DRAWN[side.colour]
            axes.plot(shown, row + spread, side.mark, color=colour, ms=3.5, mew=0, alpha=0.55)
            axes.plot([values.mean()] * 2, [row - 0.4, row + 0.4], color=DRAWN["ink"], linewidth=1.8)
        _rows(axes, [side.label for side, _ in drawn])
        axes.set_xlabel(unit)
        return drawing(figure, label)


def draw_cumulative(samples: Samples, label: str, unit: str) -> Drawing:
    """The share of values up to each one (empirical distribution function), a stair for each side."""
    drawn = _finite(samples)
    with styled():
        figure = new_figure()
        axes = figure.add_subplot()
        low = min(values.min() for _, values in drawn)
        high = max(values.max() for _, values in drawn)
        for side, values in drawn:
            at = np.quantile(values, np.linspace(0, 1, min(len(values), MOST_MARKS)), method="inverted_cdf")
            shares = np.searchsorted(np.sort(values), at, side="right") / len(values)
            axes.step(
                [low, *at, high], [0, *shares, 1], where="post", color=DRAWN[side.colour], linestyle=_dashes(side)
            )
        axes.set(xlabel=unit, ylim=(-0.02, 1.02), yticks=[0, 0.25, 0.5, 0.75, 1])
        axes.xaxis.set_major_locator(MaxNLocator(5))
        _percent_signs(axes)
        return drawing(figure, label)


def draw_intervals(
    intervals: Sequence[Interval], label: str, unit: str, references: Mapping[str, float] | None = None
) -> Drawing:
    """Numbers with their intervals, one below the other, and ``references``, named places on the same scale."""
    above = max(len(plain(interval.name, LONGEST_ABOVE)) for interval in intervals) > LONGEST_BESIDE
    row_height = TALL_ROW if above else ROW
    with styled():
        figure = new_figure(0.65 + row_height * len(intervals) + (0.2 if references else 0))
        axes = figure.add_subplot()
        for row, interval in enumerate(intervals):
            colour = DRAWN[interval.side.colour]
            axes.plot([interval.low, interval.high], [row, row], color=colour, linewidth=2, linestyle="-")
            for end in (interval.low, interval.high):
                axes.plot([end, end], [row - 0.18, row + 0.18], color=colour, linewidth=1.5)
            axes.plot([interval.value], [row], interval.side.mark, color=colour, ms=6)
        names = [interval.name for interval in intervals]
        _rows(axes, [""] * len(names) if above else names)
        if above:
            _names_above(axes, names)
        for name, place in (references or {}).items():
            axes.axvline(place, color=DRAWN["muted"], linewidth=1, linestyle=(0, (3, 2)))
            axes.text(
                place, 1.02, name, transform=axes.get_xaxis_transform(), ha="center", va="bottom", color=DRAWN["muted"]
            )
        axes.set_xlabel(unit)
        return drawing(figure, label)


def outline(axes: Axes, heights: np.ndarray, edges: np.ndarray, side: Side) -> None:
    """A histogram (K,) over ``edges`` (K + 1,) as a stair, filled faintly, hatched where the side is."""
    colour = DRAWN[side.colour]
    axes.stairs(heights, edges, fill=True, color=colour, alpha=0.18, linewidth=0)
    stair = axes.stairs(heights, edges, color=colour, linewidth=1.5, linestyle=_dashes(side))
    stair.set_hatch(side.hatch)


def bin_edges(samples: Sequence[np.ndarray], bins: int = BINS) -> np.ndarray:
    """Edges of at most ``bins`` bins for all ``samples`` together; whole numbers have their bins around them.

    The outer thousandth at either end of a long tail shares the outermost bins.
    """
    values = np.concatenate(samples)
    low, high = float(values.min()), float(values.max())
    if high - low <= SAME * max(abs(low), abs(high), 1.0):
        width = max(abs(low), 1.0) * 0.5
        return np.linspace(low - width, high + width, 4)
    whole = bool(np.all(values == np.round(values)))
    if whole and high - low < bins:
        return np.arange(low, high + 2) - 0.5
    near_low, near_high = np.quantile(values, [0.001, 0.999])
    if near_high - near_low > 0.05 * (high - low):
        return np.linspace(low, high, bins + 1)
    inner = np.linspace(near_low, near_high, bins - 1) if near_high > near_low else np.array([near_low])
    return np.unique(np.array([low, *inner, high]))


def _finite(samples: Samples) -> Samples:
    """The sides' values as numbers that can be drawn. Raises InputError where a side has none."""
    checked = []
    for side, values in samples:
        flat = np.asarray(values, dtype=np.float64)
        if flat.ndim != 1 or len(flat) == 0 or not np.isfinite(flat).all():
            raise InputError(f"what is drawn must be finite numbers of shape (K,); found {flat.shape} of {side.label}")
        checked.append((side, flat.clip(-LARGEST, LARGEST)))
    return checked


def _rows(axes: Axes, names: Sequence[str]) -> None:
    """Names instead of numbers at the left, the first one on top."""
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))


def _names_above(axes: Axes, names: Sequence[str]) -> None:
    """Long names have the whole width above their rows."""
    axes.set_ylim(len(names) - 0.6, -0.75)
    for row, name in enumerate(names):
        axes.text(0, row - 0.24, plain(name, LONGEST_ABOVE), transform=axes.get_yaxis_transform(), va="bottom")


def plain(name: str, most: int = LONGEST_BESIDE) -> str:
    """``name`` in letters that every font has, and not more than ``most`` of them."""
    return shortened(ascii(name)[1:-1], most)


def _in_percent(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(4))
    _percent_signs(axes)


def _percent_signs(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))


def _dashes(side: Side) -> tuple[float, tuple[float, ...]] | str:
    return (0.0, side.dashes) if side.dashes else "-"
