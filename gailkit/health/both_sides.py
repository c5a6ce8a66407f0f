"""The curves of a run that are of expert and policy alike, as pairs."""

from __future__ import annotations

from gailkit.health.curves import Curve, Curves

Sides = tuple[Curve, Curve]
"""Of the expert and of the policy, row by row."""


def logits(curves: Curves) -> Sides | None:
    """D's mean logits on either side."""
    return _sides(curves, "logit")


def accuracies(curves: Curves) -> Sides | None:
    """The shares of either side's steps that D recognised."""
    return _sides(curves, "accuracy")


def balanced_accuracy(curves: Curves) -> Curve | None:
    """Mean of the two accuracies, smoothed: each is of one batch only."""
    sides = accuracies(curves)
    if sides is None:
        return None
    expert, policy = sides
    return Curve(expert.steps, (expert.smooth() + policy.smooth()) / 2)


def _sides(curves: Curves, metric: str) -> Sides | None:
    """The curves of expert and policy; None where they are not of the same rows."""
    expert, policy = (curves.get(f"discriminator/{metric}_{side}") for side in ("expert", "policy"))
    if expert is None or policy is None or len(expert.values) != len(policy.values):
        return None
    return expert, policy
