"""What goes wrong while a run trains, a rule each: what was seen, and what to try.

Each rule looks at the last fifth of the rows there are, at ten of them at least, so that it is the same one while a run
trains and when it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gailkit.health.beginning import began_as_clone
from gailkit.health.both_sides import accuracies, balanced_accuracy, logits
from gailkit.health.chase import is_chased
from gailkit.health.curves import Curve, Curves
from gailkit.health.plan import Plan
from gailkit.health.thresholds import (
    ALIKE,
    APART,
    DISCRETE_FLOOR,
    FAR,
    FEWEST_ROWS,
    GAUSSIAN_FLOOR,
    LIMITS,
    MOST,
    NEAR_BOUND,
    NO_REWARD,
    PERFECT,
    SAME_ACTION,
    STILL_REWARD,
    SURE,
)
from gailkit.wording import counted


@dataclass(frozen=True)
class Alarm:
    """A way in which a run goes wrong."""

    tone: Literal["bad", "warning"]
    title: str
    advice: str
    seen: Callable[[Curves, Plan], str | None]  # what was seen of it, in whole sentences; None where nothing was


def raised(curves: Curves, plan: Plan) -> dict[str, str]:
    """What was seen, by the names of the alarms that are raised; none of a run that is too short to judge."""
    if max((len(curve.values) for curve in curves.values()), default=0) < FEWEST_ROWS:
        return {}
    return {name: seen for name, alarm in ALARMS.items() if (seen := alarm.seen(curves, plan)) is not None}


def saturated(curves: Curves, plan: Plan) -> str | None:
    """D is right about nearly everything, for most of the run, and as sure of it as it can be."""
    recognised, means = accuracies(curves), logits(curves)
    if recognised is None or means is None:
        return None
    right = np.minimum(*(side.values for side in recognised)) > PERFECT
    expert, policy = map(_now, means)
    most = SURE if plan.logit_bound is None else NEAR_BOUND * plan.logit_bound
    if right.mean() <= MOST or min(map(_now, recognised)) <= PERFECT or min(expert, -policy) <= most:
        return None
    shares = " and ".join(f"{_now(side):.0%} of {whose}" for side, whose in zip(recognised, WHOSE, strict=True))
    bound = "" if plan.logit_bound is None else f"; {plan.logit_bound:.2f} is as sure as its loss lets it be"
    return (
        f"It recognises {shares} steps, and almost all for most of the run. The mean logits are {expert:.2f} and "
        f"{policy:.2f}{bound}. All that the policy does is rewarded as the worst, nearly alike, and nothing tells it "
        "which way is better."
    )


def blind(curves: Curves, plan: Plan) -> str | None:
    """D never told policy and expert apart, which is good of a clone and of no other policy."""
    recognised, balanced = accuracies(curves), balanced_accuracy(curves)
    if recognised is None or balanced is None or began_as_clone(curves) or is_chased(curves):
        return None
    if balanced.values.max() >= ALIKE:
        return None
    shares = " and ".join(f"{_now(side):.0%} of {whose}" for side, whose in zip(recognised, WHOSE, strict=True))
    return f"It recognises {shares} steps, and it never did much better than tossing a coin, so it had little to teach."


def one_action(curves: Curves, plan: Plan) -> str | None:
    """The policy came to do the same everywhere, and D tells that from the expert.

    One that always did so is the clone of an expert that does.
    """
    share, balanced = curves.get("policy/same_action"), balanced_accuracy(curves)
    if share is None or _now(share) <= SAME_ACTION or share.values.min() > SAME_ACTION:
        return None
    if balanced is not None and _now(balanced) < ALIKE:
        return None
    return f"In {_now(share):.1%} of the steps it took one and the same action, whatever it saw."


def entropy_gone(curves: Curves, plan: Plan) -> str | None:
    """The policy came to make up its mind, and D still tells it from the expert.

    One that had done so when it began may be the clone of an expert that has.
    """
    curve, balanced = curves.get("policy/entropy"), balanced_accuracy(curves)
    if curve is None or balanced is None or plan.action_components is None or one_action(curves, plan):
        return None
    floor = GAUSSIAN_FLOOR * plan.action_components if plan.action_components else DISCRETE_FLOOR
    certain = began_as_clone(curves) and curve.values[0] <= floor
    if _now(curve) > floor or certain or _now(balanced) <= APART:
        return None
    return (
        f"The entropy of its actions is {_now(curve):.2g} nats, after {curve.values[0]:.2g} at the start, and the "
        "discriminator still tells it from the expert. It does not try anything else any more."
    )


def rewards_alike(curves: Curves, plan: Plan) -> str | None:
    """All steps are rewarded alike; where D cannot tell them, or is always right, that says why, if it is not all."""
    spread, balanced = curves.get("reward/std"), balanced_accuracy(curves)
    if spread is None or balanced is None or saturated(curves, plan):
        return None
    told = _now(balanced) >= ALIKE and min(map(_now, accuracies(curves) or ())) <= PERFECT
    if _now(spread) >= (STILL_REWARD if told else NO_REWARD):
        return None
    return f"The rewards' standard deviation is {_now(spread):.2g}: they do not say which step was better."


def updates_far(curves: Curves, plan: Plan) -> str | None:
    """The policy is thrown about by its updates."""
    curve = curves.get("policy/kl")
    if curve is None or float(np.median(curve.recent())) <= FAR:
        return None
    return (
        f"The middling update had a KL divergence of {np.median(curve.recent()):.2g} nats between the policy before "
        "and after. Rewards measured on the old policy say little about one that acts so differently."
    )


def no_episode(curves: Curves, plan: Plan) -> str | None:
    """No episode ends, although there was time for it."""
    ended = curves.get("episode/ended")
    if ended is None or ended.recent().any():
        return None
    rows = len(ended.recent())
    steps = ended.steps[-1] - (ended.steps[-rows - 1] if len(ended.steps) > rows else 0.0)
    if plan.time_limit is not None and steps < LIMITS * plan.time_limit * plan.num_envs:
        return None
    return f"None did within {counted(int(steps), 'step')} of {counted(plan.num_envs, 'environment')}."


WHOSE = ("the expert's", "the policy's")

ALARMS: Mapping[str, Alarm] = {
    "discriminator_saturated": Alarm(
        "bad",
        "The discriminator is saturated",
        "a lower --discriminator-learning-rate, a larger --discriminator-gradient-penalty, more demonstrations, or a "
        "smaller --gamma",
        saturated,
    ),
    "discriminator_blind": Alarm(
        "warning",
        "The discriminator never told policy and expert apart",
        "a higher --discriminator-learning-rate or more --discriminator-updates",
        blind,
    ),
    "policy_one_action": Alarm(
        "bad",
        "The policy does one thing only",
        "--policy-entropy-bonus 0.01, a lower --policy-learning-rate, or more demonstrations",
        one_action,
    ),
    "policy_entropy_gone": Alarm(
        "warning",
        "The policy stopped exploring before it was done",
        "--policy-entropy-bonus 0.01, or a lower --policy-learning-rate",
        entropy_gone,
    ),
    "rewards_alike": Alarm(
        "warning", "All steps are rewarded alike", "a smaller --discriminator-gradient-penalty", rewards_alike
    ),
    "updates_far": Alarm(
        "warning",
        "Updates moved the policy far",
        "a lower --policy-learning-rate or fewer --policy-epochs; for ppo-clip also --policy-target-kl 0.03",
        updates_far,
    ),
    "no_episode_ends": Alarm(
        "warning",
        "No episode ends",
        "a time limit for the environment, such as --env-kwargs '{\"max_episode_steps\": 1000}'",
        no_episode,
    ),
}


def _now(curve: Curve) -> float:
    """The mean of what is recent."""
    return float(curve.recent().mean())
