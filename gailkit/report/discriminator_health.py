"""What a run's metrics say of its discriminator, and of the rewards that it gave."""

from __future__ import annotations

import numpy as np

from gailkit.report.adversarial_failures import chased, is_chased, separated
from gailkit.report.beginning import began_as_clone
from gailkit.report.blocks import Note
from gailkit.report.both_sides import balanced_accuracy, logits
from gailkit.report.curves import Curves
from gailkit.report.thresholds import (
    ALIKE,
    APART,
    CONFIDENT,
    DRIFT,
    LOUD_LOGIT,
    PERFECT,
    STILL_REWARD,
    WRONG_SIDE,
    Plan,
)
from gailkit.report.words import percent


def discriminator_accuracy(curves: Curves, plan: Plan) -> Note | None:
    """How well D tells expert from policy at the end."""
    balanced = balanced_accuracy(curves)
    if balanced is None:
        return None
    expert, policy = (curves[f"discriminator/accuracy_{side}"].end() for side in ("expert", "policy"))
    told = f"{percent(expert)} of the expert's steps and {percent(policy)} of the policy's"
    shares = f"Over its last fifth it recognised {told}"
    if min(expert, policy) > PERFECT:
        return separated(shares, curves, plan)
    if is_chased(curves):
        return chased(curves)
    if balanced.values.max() < ALIKE:
        return _never_apart(shares, began_as_clone(curves))
    if balanced.end() < ALIKE:
        return Note(
            "good",
            "The discriminator can no longer tell policy and expert apart",
            f"{shares}: close to tossing a coin, as it should be when the policy has become the expert. If the policy "
            "is not close, the discriminator is too weak to see what is missing.",
        )
    if balanced.end() > APART:
        return _still_apart(shares, _gap(curves))
    return Note("good", "The discriminator is in balance", f"{shares}: it sees differences and is often mistaken.")


def _never_apart(shares: str, cloned: bool | None) -> Note:
    """D had nothing to tell from the first iteration on, which is good of a clone and of no other policy."""
    title = "The discriminator never told policy and expert apart"
    if cloned:
        return Note("good", title, f"{shares}: the policy began as a clone that is hard to tell from the expert.")
    return Note(
        "warning",
        title,
        f"{shares}, and it never did much better than tossing a coin, so it had little to teach.",
        "a higher --discriminator-learning-rate or more --discriminator-updates.",
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


def rewards(curves: Curves, plan: Plan) -> Note | None:
    """Whether the rewards still differ from step to step; where D is always right, that says why they do not."""
    spread, balanced = curves.get("reward/std"), balanced_accuracy(curves)
    if spread is None or balanced is None or spread.end() >= STILL_REWARD or balanced.end() < ALIKE:
        return None
    if min(curves[f"discriminator/accuracy_{side}"].end() for side in ("expert", "policy")) > PERFECT:
        return None
    return Note(
        "warning",
        "All steps are rewarded alike",
        f"The rewards' standard deviation was {spread.end():.2g} at the end, although the discriminator tells policy "
        "and expert apart: it says nothing about which step was better.",
        "a smaller --discriminator-gradient-penalty.",
    )


def _gap(curves: Curves) -> float:
    sides = logits(curves)
    return 0.0 if sides is None else sides[0].end() - sides[1].end()
