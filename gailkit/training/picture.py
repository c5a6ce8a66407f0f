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
    ("True return", {"episode/true_return": "mean of the last 50 episodes"}),
    ("How closely the policy matches, by a few episodes", {"eval/closeness": "closeness"}),
    ("Discriminator accuracy", {"discriminator/accuracy_expert": "expert", "discriminator/accuracy_policy": "policy"}),
    ("Discriminator logits", {"discriminator/logit_expert": "expert", "discriminator/logit_policy": "policy"}),
    ("Policy entropy", {"policy/entropy": "nats"}),
    ("How far an update moved the policy", {"policy/kl": "mean KL(old, new), nats"}),
    ("Action value of the steps that were learned from", {"policy/value": "mean Q"}),
    ("Variance of the returns that the value function explains", {"policy/explained_variance": "share"}),
)


def draw_learning(rows: Rows, path: Path) -> None:
    """Draw the curves of ``PANELS`` over environment steps into an SVG file, those that the run has; without any
    nothing is drawn."""
    present = {name for row in rows for name in row}
    panels = [(title, curves) for title, curves in PANELS if present & set(curves)]
    if not panels:
        return
    lines = -(-len(panels) // 2)
    figure = Figure(figsize=(10, 3 * lines), layout="constrained")
    for number, (title, curves) in enumerate(panels, start=1):
        _draw(figure.add_subplot(lines, 2, number), rows, title, curves)
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
