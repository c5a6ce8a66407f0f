"""What a run's metrics say of the policy that it began with."""

from __future__ import annotations

from gailkit.generator.cloning import LEAST_GAIN
from gailkit.report.blocks import Note
from gailkit.report.curves import Curves
from gailkit.report.thresholds import Plan


def began_as_clone(curves: Curves) -> bool | None:
    """Whether the run used its clone; None where it tried none.

    A policy that began as one is guided by the expert's actions, more and more weakly; no other is. Where the guidance
    was not recorded, the gain tells.
    """
    gain, guidance = curves.get("clone/gain"), curves.get("clone/guidance")
    if gain is None:
        return None
    return bool(gain.values[-1] >= LEAST_GAIN) if guidance is None else bool(guidance.values.max() > 0)


def clone(curves: Curves, plan: Plan) -> Note | None:
    """What the policy began with."""
    used = began_as_clone(curves)
    if used is None:
        return None
    gain = float(curves["clone/gain"].values[-1])
    unit = "nats a component" if plan.action_components else "nats"
    plain = "their mean does" if plan.action_components else "their frequencies do"
    more = "better" if gain >= LEAST_GAIN else "worse" if gain < 0 else "hardly better"
    known = f"held-out actions {more} than {plain}, by {abs(gain):.3g} {unit} (clone/gain)"
    if not used:
        few = "" if gain >= LEAST_GAIN else f"; it takes {LEAST_GAIN:g} more to be of use"
        return Note(
            "note",
            "The policy did not begin as a clone",
            f"A clone of the demonstrations, made by supervised learning alone, knew {known}{few}. The policy began "
            "untrained.",
            "more demonstrations: these are too few or too poor to clone.",
        )
    sure = "" if gain >= LEAST_GAIN else ", but was nearly certain of them: this expert does almost always the same"
    return Note(
        "good",
        "The policy began as a clone",
        f"By supervised learning on the demonstrations alone it knew {known}{sure}.",
    )
