"""What a run's metrics say of the policy that it began with."""

from __future__ import annotations

from gailkit.generator.cloning import LEAST_GAIN
from gailkit.health.beginning import began_as_clone
from gailkit.health.curves import Curves
from gailkit.health.plan import Plan
from gailkit.report.blocks import Note


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
