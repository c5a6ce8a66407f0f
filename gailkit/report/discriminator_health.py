"""What a run's metrics say of its discriminator, beside the alarms."""

from __future__ import annotations

import numpy as np

from gailkit.health.alarms import blind, saturated
from gailkit.health.beginning import began_as_clone
from gailkit.health.both_sides import balanced_accuracy, logits
from gailkit.health.chase import is_chased
from gailkit.health.curves import Curves
from gailkit.health.plan import Plan
from gailkit.health.thresholds import (
    ALIKE,
    APART,
    CONFIDENT,
    DRIFT,
    LOUD_LOGIT,
    PERFECT,
    WRONG_SIDE,
)
from gailkit.report.adversarial_failures import chased, separated
from gailkit.report.blocks import Note
from gailkit.report.words import percent


def discriminator_accuracy(curves: Curves, plan: Plan) -> Note | None:
    """How well D tells expert from policy at the end."""
    balanced = balanced_accuracy(curves)
    if balanced is None:
        return None
    expert, policy = (curves[f"discriminator/accuracy_{side}"].end() for side in ("expert", "policy"))
    told = f"{percent(expert)} of the expert's steps and {percent(policy)} of the policy's"
    shares = f"Over its last fifth it recognised {told}"
    if saturated(curves, plan) or blind(curves, plan):
        return None  # that says it all
    if min(expert, policy) > PERFECT:
        return separated(shares, curves, plan)
    if is_chased(curves):
        return chased(curves)
    if balanced.values.max() < ALIKE:
        return _never_apart(shares)
    if balanced.end() < ALIKE:
        return Note(
            "good",
            "The discriminator can no longer tell policy and expert apart",
            f"{shares}: close to tossing a coin, as it should be when the policy has become the expert. If the policy "
            "is not close, the discriminator is too weak to see what is missing.",
        )
    if balanced.end() > APART:
        return _still_apart(shares, 0.0 if began_as_clone(curves) else _gap(curves))
    return Note("good", "The discriminator is in balance", f"{shares}: it sees differences and is often mistaken.")


def _never_apart(shares: str) -> Note:
    """D had nothing to tell from the first iteration on, which is good of a clone."""
    return Note(
        "good",
        "The discriminator never told policy and expert apart",
        f"{shares}: the policy began as a clone that is hard to tell from the expert.",
    )


def _still_apart(shares: str, gap: float) -> Note:
    if gap > CONFIDENT:
        return Note(
            "warning",
            "The policy is still far from the expert",
            f"{shares}, and is sure of it: their mean logits are {gap:.2g} apart.",
            "more steps, another --generator, a higher --policy-learning-rate, or more demonstrations.",
        )
    return Note(
        "note",
        "The discriminator still tells policy and expert apart",
        f"{shares}. There is something left to learn, or it knows the few demonstrations by heart.",
    )


def discriminator_logits(curves: Curves, plan: Plan) -> Note | None:
    """Whether the mean logits keep their sides and their size."""
    sides = logits(curves)
    if sides is None:
        return None
    expert, policy = sides
    for curve in sides:
        now, before = abs(curve.end()), float(np.abs(curve.middle()).mean())
        if now > LOUD_LOGIT and now > DRIFT * before:
            return Note(
                "bad",
                "The discriminator's logits drift away",
                f"Their mean was {now:.2g} from zero at the end, {before:.2g} in the middle of the run. Nothing holds "
                "them, and the rewards lose their scale.",
                "a larger --discriminator-logit-penalty or --discriminator-gradient-penalty.",
            )
    if policy.end() - expert.end() > WRONG_SIDE and not is_chased(curves):
        return Note(
            "warning",
            "The discriminator takes the policy for the expert",
            f"The policy's mean logit is {policy.end():.2f}, the expert's {expert.end():.2f}: it rewards what the "
            "expert does not do.",
            "a lower --discriminator-learning-rate.",
        )
    return None


def _gap(curves: Curves) -> float:
    sides = logits(curves)
    return 0.0 if sides is None else sides[0].end() - sides[1].end()
