"""A run as a picture: how the learner fared and how the discriminator felt about it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gailkit.storage import write_atomically

Rows = Sequence[Mapping[str, float]]

PANELS: Sequence[tuple[str, Mapping[str, str]]] = (
    ("True return (not trained on)", {"episode/true_return": "mean of the last 50 episodes"}),
    ("Discriminator accuracy", {"discriminator/accuracy_expert": "expert", "discriminator/accuracy_policy": "policy"}),
    ("Discriminator logits", {"discriminator/logit_expert": "expert", "discriminator/logit_policy": "policy"}),
    ("Policy entropy", {"policy/entropy": "nats"}),
)


def draw_learning(rows: Rows, path: Path) -> None:
    """Draw the curves of ``PANELS`` over environment steps into an SVG file; nothing is drawn of an empty run."""
    if not rows:
        return
    figure = Figure(figsize=(10, 6), layout="constrained")
    for axes, (title, curves) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
        _draw(axes, rows, title, curves)
    picture = io.BytesIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})
    write_atomically(path, picture.getvalue())


def _draw(axes: Axes, rows: Rows, title: str, curves: Mapping[str, str]) -> None:
    for style, (name, label) in zip(("-", "--"), curves.items(), strict=False):
        present = [row for row in rows if name in row]
        axes.plot([row["steps"] for row in present], [row[name] for row in present], style, label=label)
    axes.set(title=title, xlabel="environment steps")
    axes.legend()
    axes.grid(alpha=0.3)
