"""Two ways in which adversaries fail each other: D is always right, or it and the policy run after each other."""

from __future__ import annotations

from gailkit.health.beginning import began_as_clone
from gailkit.health.both_sides import accuracies
from gailkit.health.chase import later_gaps, turns
from gailkit.health.curves import Curves
from gailkit.health.plan import Plan
from gailkit.report.blocks import Note
from gailkit.report.words import percent


def chased(curves: Curves) -> Note:
    """What is said of a run that ``is_chased``."""
    gaps, sides = later_gaps(curves), accuracies(curves)
    assert gaps is not None and sides is not None
    least = [percent(float(side.later_half().min())) for side in sides]
    return Note(
        "bad",
        "The discriminator and the policy chase each other",
        f"In the later half of the run the lead of the mean logits changed {turns(gaps)} times between expert and "
        f"policy, from {gaps.min():.2g} to {gaps.max():.2g}, and in turns it recognised as few as {least[0]} of the "
        f"expert's steps and {least[1]} of the policy's. What it rewards is out of date when the policy does it: they "
        "go in circles, and it is luck where the last step left them.",
        "more --discriminator-updates, a larger --least-deviation, or a lower --policy-learning-rate (for trpo and "
        "acktr a smaller --policy-max-kl).",
    )


def separated(shares: str, curves: Curves, plan: Plan) -> Note:
    """What is said where D is right about nearly everything at the end, as ``shares`` tells, and not saturated."""
    advice = (
        "a lower --discriminator-learning-rate, a larger --discriminator-gradient-penalty, more demonstrations, or a "
        "smaller --gamma"
    )
    if plan.action_components and not began_as_clone(curves):
        advice += "; where the policy did not begin as a clone also a lower --policy-initial-log-std"
    return Note(
        "bad",
        "The discriminator separates the classes perfectly",
        f"{shares}. Whatever the policy does is then about equally wrong, and its rewards teach little.",
        f"{advice}.",
    )
