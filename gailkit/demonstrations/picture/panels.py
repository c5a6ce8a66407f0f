"""The panels of a data set's picture, each drawn into axes of its own.

The colours are Okabe and Ito's, which people of every colour vision tell apart; hatching and the shape of a mark tell
the endings apart without any.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gailkit.demonstrations.picture.marginals import SAME, binned

BLUE, ORANGE, BLACK = "#0072B2", "#E69F00", "#000000"
BINS = 40  # of a feature; whole numbers that are fewer have a bar each
EPISODE_BINS = 25
LABELLED = 6  # as many bars still have room for their share in numbers
CROWD = 200  # more episodes than these are drawn fainter and smaller
HEADROOM = 1.3  # of the highest bar, for the legend


def draw_returns(axes: Axes, returns: np.ndarray) -> None:
    """How often each return (N,) was earned, one tick an episode below, and the mean."""
    mean = float(returns.mean())
    _bars(axes, returns, EPISODE_BINS, BLUE)
    strength = 1.0 if len(returns) <= CROWD else 0.2  # so that the bars show behind the ticks
    heights = np.full(len(returns), 0.025)
    axes.plot(returns, heights, "|", color=BLACK, ms=8, alpha=strength, transform=axes.get_xaxis_transform())
    axes.axvline(mean, ymax=1 / HEADROOM, color=BLACK, linestyle="--", linewidth=1, label=f"mean {mean:.5g}")
    axes.set(title=_always("Returns", returns), xlabel="return (a tick an episode)", ylabel="episodes")
    _finish(axes)


def draw_lengths(axes: Axes, lengths: np.ndarray, terminated: np.ndarray) -> None:
    """How often episodes had each length (N,), those that terminated (N,) stacked upon those that were truncated."""
    counts, edges = binned(lengths, EPISODE_BINS)
    below = np.zeros_like(counts)
    for ended, label, color, hatch in ((False, "truncated", BLUE, ""), (True, "terminated", ORANGE, "////")):
        own = lengths[terminated == ended]
        if len(own):
            height = np.histogram(own, edges)[0]
            bars = axes.bar(edges[:-1], height, np.diff(edges), below, align="edge", color=color, edgecolor="white")
            bars.set_label(f"{label} ({len(own)})")
            for bar in bars:
                bar.set(hatch=hatch, linewidth=0.5)
            below = below + height
    axes.set(title=_always("Lengths", lengths), xlabel="steps", ylabel="episodes")
    _give_room(axes, edges)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _finish(axes)


def draw_order(axes: Axes, returns: np.ndarray, terminated: np.ndarray) -> None:
    """The return (N,) of each episode, a cross where it terminated (N,) and a dot elsewhere, in recorded order."""
    size = 6 if len(returns) <= CROWD else 3
    for ended, label, color, mark in ((False, "truncated", BLUE, "o"), (True, "terminated", ORANGE, "X")):
        own = np.flatnonzero(terminated == ended)
        if len(own):
            axes.plot(own, returns[own], mark, color=color, ms=size, mew=0, label=label)
    axes.set(title="Returns in recorded order", xlabel="episode", ylabel="return")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _finish(axes)


def draw_nothing(axes: Axes, title: str, reason: str) -> None:
    """That there is nothing to draw, and why."""
    axes.set(title=title, xticks=[], yticks=[])
    axes.text(0.5, 0.5, reason, ha="center", va="center", transform=axes.transAxes)


def draw_feature(axes: Axes, title: str, values: np.ndarray, bounds: tuple[float, float] | None = None) -> None:
    """How often each value (K,) occurs; finite ``bounds`` are drawn, and how much lies outside is said."""
    outside = 0.0
    if bounds is not None:
        for bound in bounds:
            axes.axvline(bound, color=BLACK, linestyle=":", linewidth=1.2)
        outside = float(np.mean((values < bounds[0]) | (values > bounds[1])))
    _bars(axes, values, BINS, BLUE)
    said = f"\n{outside:.1%} outside the bounds" if outside else ""
    axes.set_title(_always(title, values) + said, fontsize="medium")
    axes.set_yticks([])
    axes.tick_params(labelsize="small")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=values.dtype.kind != "f"))


def draw_choices(axes: Axes, title: str, values: np.ndarray, choices: range) -> None:
    """How often each of the ``choices`` of a Discrete space was taken, also those that never were."""
    shares = np.bincount(values - choices.start, minlength=len(choices))[: len(choices)] / len(values)
    bars = axes.bar(np.arange(choices.start, choices.stop), shares, color=BLUE)
    if len(choices) <= LABELLED:
        axes.bar_label(bars, [f"{share:.1%}" for share in shares], fontsize="small")
    axes.set_title(title, fontsize="medium")
    axes.set_ylim(0, max(shares) * 1.15)
    axes.set_yticks([])
    axes.tick_params(labelsize="small")
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))


def draw_frame(axes: Axes, title: str, image: np.ndarray) -> None:
    """One image, (H, W) grey or (H, W, 3), between 0 and 1."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    axes.set_title(title, fontsize="small")
    axes.set(xticks=[], yticks=[])


def _bars(axes: Axes, values: np.ndarray, bins: int, color: str) -> None:
    counts, edges = binned(values, bins)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=color, edgecolor="white", linewidth=0.3)
    _give_room(axes, edges)


def _give_room(axes: Axes, edges: np.ndarray) -> None:
    """Around a single bar, which would not look like one if it were as wide as the panel."""
    if len(edges) == 2:
        low, high = axes.get_xlim()
        width = edges[1] - edges[0]
        axes.set_xlim(min(low, edges[0] - 3 * width), max(high, edges[1] + 3 * width))


def _always(title: str, values: np.ndarray) -> str:
    """The title, and the value where there is only one: no axis can show that it does not vary."""
    low, high = values.min(), values.max()
    return f"{title}: always {low:.6g}" if high - low <= SAME * max(abs(low), abs(high)) else title


def _finish(axes: Axes) -> None:
    """A legend above what is drawn."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, bottom + (top - bottom) * HEADROOM)
    axes.ticklabel_format(useOffset=False)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=axes.get_ylabel() == "episodes"))
    axes.legend(loc="upper center", ncols=2, frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
