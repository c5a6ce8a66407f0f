"""Learning curves: how the return of a run rose over its steps, and the figure of every optimiser's."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.tasks import OPTIMISERS, REPOSITORY
from gailkit.storage import write_atomically

CURVES = Path("benchmarks") / "results" / "curves.json"
FIGURE = Path("docs") / "learning-curves.svg"
DRAWN = ("CartPole-v1", "Hopper-v5")
POINTS = 100  # kept of each run
RETURN = "episode/true_return"  # of the metrics: the mean of the last episodes, with sampled actions

Curve = Mapping[str, Any]
Metrics = Sequence[Mapping[str, float]]


class Style(NamedTuple):
    """How one optimiser's curve looks: told apart by colour (Okabe & Ito 2008), by dashes and by marker alike."""

    colour: str
    dashes: str | tuple[int, tuple[int, ...]]
    marker: str


STYLES = {
    "ppo-clip": Style("#000000", "-", "o"),
    "ppo-penalty": Style("#0072B2", (0, (6, 2)), "s"),
    "trpo": Style("#D55E00", (0, (3, 1, 1, 1)), "^"),
    "acktr": Style("#009E73", (0, (4, 1, 1, 1, 1, 1)), "D"),
    "pg": Style("#CC79A7", (0, (1, 1)), "v"),
}


def steps_to_share(metrics: Metrics, random: float, expert: float, share: float = 0.9) -> int | None:
    """Steps until the mean return of the last episodes first was at least random + share (expert - random).

    None if it never was. ``random`` and ``expert`` are mean returns, random below expert.
    """
    mark = random + share * (expert - random)
    return next((int(row["steps"]) for row in metrics if row.get(RETURN, -np.inf) >= mark), None)


def thinned(metrics: Metrics, points: int = POINTS) -> dict[str, list[float]]:
    """``steps`` and ``true_return`` of at most ``points`` iterations, evenly spaced, the first and the last among them.

    Iterations before the first episode ended have no return and are left out. Returns keep four digits.
    """
    told = [row for row in metrics if RETURN in row]
    places = np.linspace(0, len(told) - 1, min(len(told), points)).round().astype(int)
    kept = [told[place] for place in places]
    return {"steps": [int(row["steps"]) for row in kept], "true_return": [float(f"{row[RETURN]:.4g}") for row in kept]}


@click.command()
def curves() -> None:
    """Draw the learning curves of every optimiser, from those that `imitation` kept, into docs/."""
    source = REPOSITORY / CURVES
    if not source.is_file():
        raise click.ClickException(f"there is no {CURVES}; python -m benchmarks imitation makes it")
    kept: list[Curve] = json.loads(source.read_text(encoding="utf-8"))
    for task in DRAWN:
        for optimiser in OPTIMISERS:
            if not _of(kept, task, optimiser):
                click.echo(f"NOT DRAWN: {optimiser} in {task}, which {CURVES} does not hold")
    (REPOSITORY / FIGURE).parent.mkdir(exist_ok=True)
    write_atomically(REPOSITORY / FIGURE, drawn(kept))
    click.echo(f"{FIGURE}")


def drawn(kept: Sequence[Curve]) -> bytes:
    """The figure as SVG, the same bytes for the same curves: a panel for each task in ``DRAWN``."""
    figure = Figure(figsize=(8.5, 3.8), layout="constrained")
    panels = figure.subplots(1, len(DRAWN), sharey=True)
    for axes, task in zip(panels, DRAWN, strict=True):
        for place, optimiser in enumerate(OPTIMISERS):
            _draw(axes, _of(kept, task, optimiser), optimiser, place)
        axes.set(title=task, xlabel="environment steps")
        axes.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1000:,.0f}k" if steps else "0")
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 (random)", "0.25", "0.5", "0.75", "1 (expert)"])
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("normalised score")
    lines = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=len(OPTIMISERS), handlelength=4)
    picture = io.BytesIO()
    with rc_context({"svg.hashsalt": "gailkit"}):  # the identifiers within are random without
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


def _draw(axes: Axes, seeds: Sequence[Curve], optimiser: str, place: int) -> None:
    """The median over seeds as a line, from the least to the greatest as a band; nothing where there are none."""
    if not seeds:
        return
    steps, scores = scores_over_steps(seeds)
    style = STYLES[optimiser]
    axes.fill_between(steps, scores.min(0), scores.max(0), color=style.colour, alpha=0.12, linewidth=0)
    every = len(steps) // 8
    axes.plot(
        steps,
        np.median(scores, axis=0),
        color=style.colour,
        linestyle=style.dashes,
        marker=style.marker,
        markersize=4,
        markevery=(every * place // len(OPTIMISERS), every),  # no two optimisers' markers on top of each other
        linewidth=1.4,
        label=optimiser,
    )


def scores_over_steps(seeds: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """Steps (P,) that the runs ``seeds`` have in common, and their normalised scores there, (seeds, P)."""
    steps = np.linspace(max(curve["steps"][0] for curve in seeds), min(curve["steps"][-1] for curve in seeds), POINTS)
    returns = np.stack([np.interp(steps, curve["steps"], curve["true_return"]) for curve in seeds])
    random, expert = (np.array([[curve[f"{who}_return_mean"]] for curve in seeds]) for who in ("random", "expert"))
    return steps, (returns - random) / (expert - random)


def _of(kept: Sequence[Curve], task: str, optimiser: str) -> list[Curve]:
    """The runs of one optimiser in one task that any episode ended in."""
    return [
        curve for curve in kept if (curve["task"], curve["method"]) == (task, OPTIMISERS[optimiser]) and curve["steps"]
    ]
