"""What a run's metrics say of its policy, beside the alarms: its updates, its value function, its returns."""

from __future__ import annotations

import numpy as np

from gailkit.health.alarms import one_action
from gailkit.health.beginning import began_as_clone
from gailkit.health.both_sides import balanced_accuracy
from gailkit.health.curves import Curves
from gailkit.health.plan import Plan
from gailkit.health.thresholds import (
    ALIKE,
    APART,
    AT_TOP,
    DISCRETE_FLOOR,
    FAILED_SEARCHES,
    FELL,
    FELL_PART,
    FEWEST_ROWS,
    GAUSSIAN_FLOOR,
    NEAR,
    RISING,
    SHORTER,
    UNFINISHED,
    USELESS_VALUE,
)
from gailkit.report.blocks import Note
from gailkit.wording import counted


def entropy(curves: Curves, plan: Plan) -> Note | None:
    """Whether the policy has done with exploring."""
    curve, balanced = curves.get("policy/entropy"), balanced_accuracy(curves)
    if curve is None or plan.action_components is None:
        return None
    floor = GAUSSIAN_FLOOR * plan.action_components if plan.action_components else DISCRETE_FLOOR
    if curve.end() > floor or (balanced is not None and balanced.end() > APART) or one_action(curves, plan):
        return None  # an alarm, or none
    seen = f"The entropy of its actions was {curve.end():.2g} nats at the end, {curve.values[0]:.2g} at the start"
    return Note("note", "The policy has made up its mind", f"{seen}. A finished policy looks like that.")


def step_sizes(curves: Curves, plan: Plan) -> Note | None:
    """Whether updates moved the policy at all; one that D takes for the expert may rest."""
    curve = curves.get("policy/kl")
    if curve is None:
        return None
    usual = float(np.median(curve.middle()))
    balanced = balanced_accuracy(curves)
    if usual < NEAR and (balanced is None or balanced.end() >= ALIKE):
        return Note(
            "warning",
            "Updates hardly moved the policy",
            f"The usual KL divergence between the policy before and after one was {usual:.1g} nats.",
            "a higher --policy-learning-rate, more --policy-epochs, or, for trpo and acktr, a larger --policy-max-kl.",
        )
    return None


def value_function(curves: Curves, plan: Plan) -> Note | None:
    """Whether V knows anything about the returns."""
    curve = curves.get("policy/explained_variance")
    if curve is None or curve.end() >= USELESS_VALUE:
        return None
    return Note(
        "warning",
        "The value function is worse than a constant",
        f"The share of the returns' variance that it explains was {curve.end():.2f} at the end; advantages made with "
        "it are mostly noise.",
        "more --policy-epochs, a larger --rollout-size, or a discriminator that changes more slowly.",
    )


def line_searches(curves: Curves, plan: Plan) -> Note | None:
    """How often TRPO found no step to take; the metric counts from the start of the run."""
    curve = curves.get("policy/line_search_failures")
    if curve is None or curve.values[-1] <= FAILED_SEARCHES * len(curve.values):
        return None
    return Note(
        "warning",
        "Line searches fail",
        f"In {curve.values[-1]:.0f} of {len(curve.values)} iterations no step was found, and the policy stayed as it "
        "was.",
        "a larger --policy-damping, a smaller --policy-max-kl, or --policy-fisher-stride 1.",
    )


def true_return(curves: Curves, plan: Plan) -> Note | None:
    """Whether the return fell from its best, or was still rising. Imitation reports it and never learns from it."""
    curve = curves.get("episode/true_return")
    if curve is None or len(curve.values) < FEWEST_ROWS:
        return None
    smooth = curve.smooth()
    best, now, span = float(smooth.max()), curve.end(), float(np.ptp(smooth))
    if best - now > max(FELL * span, FELL_PART * abs(best)):
        seen = f"Its mean return was {best:.4g} at its best, around step {curve.steps[smooth.argmax()]:,.0f}, and "
        if began_as_clone(curves):
            return Note(
                "note",
                "The policy moved away from where it began",
                f"{seen}{now:.4g} at the end{_shorter(curves)}. A clone begins near the expert, and can move in a "
                "circle around it; a run ends with the one of its policies that moves most like the expert.",
            )
        return Note(
            "bad",
            "The policy became worse again",
            f"{seen}{now:.4g} at the end{_shorter(curves)}.",
            "a larger --discriminator-gradient-penalty, lower learning rates, or fewer steps. --checkpoint best shows "
            "what was lost; it was chosen by the true return, which an imitator does not have.",
        )
    tenth = max(2, len(curve.values) // 10)
    gained = float(curve.values[-tenth:].mean() - curve.values[-2 * tenth : -tenth].mean())
    if span > 0 and gained > RISING * span and best - float(smooth[-1]) <= AT_TOP * span:
        return Note(
            "note",
            "The policy was still getting better",
            f"Its mean return rose by {gained:.3g} in the last tenth of the run.",
            f"more steps; it had {curve.steps[-1]:,.0f}.",
        )
    return None


def unfinished(curves: Curves, plan: Plan) -> Note | None:
    """Whether the run ended before it was to."""
    curve = curves.get("steps")
    if curve is None or plan.steps is None or curve.values[-1] >= UNFINISHED * plan.steps:
        return None
    done = f"It stands at {curve.values[-1]:,.0f} of {counted(plan.steps, 'step')}."
    return Note(
        "warning",
        "The run was not finished",
        done,
        "the same command with another --out, or with --overwrite, which replaces this run.",
    )


def _shorter(curves: Curves) -> str:
    length = curves.get("episode/length")
    if length is None or length.end() >= SHORTER * float(length.smooth().max()):
        return ""
    return f"; episodes became shorter, from {length.smooth().max():.0f} steps to {length.end():.0f}"
