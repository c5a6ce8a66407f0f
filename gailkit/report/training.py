"""The section on how a policy was trained: what its metrics say, and their curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gailkit.health.curves import Curves, curves_of
from gailkit.health.plan import Plan
from gailkit.report.blocks import Block, Note, Panel, Panels
from gailkit.report.choice import choice_paragraph
from gailkit.report.curves import draw_curves
from gailkit.report.diagnosis import diagnose
from gailkit.report.page import Section
from gailkit.report.palette import EXPERT, POLICY, Side
from gailkit.training.picture import PANELS

TITLE = "How it was trained"
SIDES: Mapping[str, Side] = {"expert": EXPERT, "policy": POLICY}


def training_section(rows: Sequence[Any] | None, plan: Plan, choice: object = None) -> Section:
    """The diagnosis and the curves of a run from the rows of its metrics; None where the policy is of no run.

    ``choice`` is what the run recorded of the policies that it ended with.
    """
    if rows is None:
        said = "This policy is not a run of gailkit's, so there is nothing to see of how it learned."
        return Section(TITLE, [Note("note", "There is no record of its training", said)])
    curves = curves_of(rows)
    panels = list(_panels(curves))
    sides = [side for side in SIDES.values() if any(side.label in labels.values() for _, labels in PANELS)]
    shown: list[Block] = [Panels(panels, sides)] if panels else []
    chosen = choice_paragraph(choice)
    return Section(TITLE, [*diagnose(curves, plan), *([] if chosen is None else [chosen]), *shown])


def _panels(curves: Curves) -> Iterator[Panel]:
    for title, names in PANELS:
        drawn = [(SIDES.get(label), curves[name]) for name, label in names.items() if name in curves]
        if drawn:
            ends = ", ".join(
                f"{label} {curves[name].end():.3g}" if label in SIDES else f"{curves[name].end():.4g} ({label})"
                for name, label in names.items()
                if name in curves
            )
            yield Panel(title, draw_curves(drawn, f"{title} over environment steps"), f"Over its last fifth: {ends}.")
