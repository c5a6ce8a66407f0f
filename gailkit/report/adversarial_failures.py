"""Two ways in which adversaries fail each other: D is always right, or it and the policy run after each other."""

from __future__ import annotations

import numpy as np

from gailkit.report.beginning import began_as_clone
from gailkit.report.blocks import Note
from gailkit.report.both_sides import accuracies, logits
from gailkit.report.curves import Curves
from gailkit.report.thresholds import FOOLED, MOST, NEAR_BOUND, PERFECT, RARELY, TURN, TURNS, Plan
from gailkit.report.words import percent


def is_chased(curves: Curves) -> bool:
    """Whether D and the policy run after each other in the later half of a run.

    Now the expert's mean logit leads, now the policy's, by more than noise and by more than what remains on average,
    and D is fooled about either side. Where it cannot tell them apart its logits are small, and so are all leads.
    """
    gaps, sides = _later_gaps(curves), accuracies(curves)
    if gaps is None or sides is None:
        return False
    fooled = [float(np.quantile(side.later_half(), RARELY)) < FOOLED for side in sides]
    return all(fooled) and _turns(gaps) >= TURNS and bool(gaps.std() > abs(gaps.mean()))


def chased(curves: Curves) -> Note:
    """What is said of a run that ``is_chased``."""
    gaps, sides = _later_gaps(curves), accuracies(curves)
    assert gaps is not None and sides is not None
    least = [percent(float(side.later_half().min())) for side in sides]
    return Note(
        "bad",
        "The discriminator and the policy chase each other",
        f"In the later half of the run the lead of the mean logits changed {_turns(gaps)} times between expert and "
        f"policy, from {gaps.min():.2g} to {gaps.max():.2g}, and in turns it recognised as few as {least[0]} of the "
        f"expert's steps and {least[1]} of the policy's. What it rewards is out of date when the policy does it: they "
        "go in circles, and it is luck where the last step left them.",
        "more --discriminator-updates, a larger --least-deviation, or a lower --policy-learning-rate (for trpo and "
        "acktr a smaller --policy-max-kl).",
    )


def separated(shares: str, curves: Curves, plan: Plan) -> Note:
    """What is said where D is right about nearly everything at the end, as ``shares`` tells; saturated or not."""
    advice = (
        "a lower --discriminator-learning-rate, a larger --discriminator-gradient-penalty, more demonstrations, or a "
        "smaller --gamma"
    )
    if plan.action_components and not began_as_clone(curves):
        advice += "; where the policy did not begin as a clone also a lower --policy-initial-log-std"
    if not _is_saturated(curves, plan):
        return Note(
            "bad",
            "The discriminator separates the classes perfectly",
            f"{shares}. Whatever the policy does is then about equally wrong, and its rewards teach little.",
            f"{advice}.",
        )
    expert, policy = (curves[f"discriminator/logit_{side}"].end() for side in ("expert", "policy"))
    return Note(
        "bad",
        "The discriminator is saturated",
        f"{shares}, and almost all for most of the run. The mean logits are {expert:.2f} and {policy:.2f}; "
        f"{plan.logit_bound:.2f} is as sure as its loss lets it be. All that the policy does is rewarded as the worst, "
        "nearly alike, and nothing tells it which way is better.",
        f"{advice}.",
    )


def _is_saturated(curves: Curves, plan: Plan) -> bool:
    """Whether D was right about nearly everything for most of the run, and is as sure of it as it can be."""
    recognised, means = accuracies(curves), logits(curves)
    if recognised is None or means is None or plan.logit_bound is None:
        return False
    right = np.minimum(*(side.values for side in recognised)) > PERFECT
    expert, policy = (side.end() for side in means)
    return bool(right.mean() > MOST) and min(expert, -policy) > NEAR_BOUND * plan.logit_bound


def _turns(gaps: np.ndarray) -> int:
    """How often the lead changes from one side to the other; less than TURN is nobody's."""
    leads = np.sign(gaps[np.abs(gaps) > TURN])
    return int(np.count_nonzero(np.diff(leads)))


def _later_gaps(curves: Curves) -> np.ndarray | None:
    """Mean logit of the expert less that of the policy, in the later half."""
    sides = logits(curves)
    return None if sides is None else sides[0].later_half() - sides[1].later_half()
