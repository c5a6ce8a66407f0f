"""What gives the policy away, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gailkit.evaluation.classifier import ALPHA, TwoSample
from gailkit.evaluation.occupancy import FeatureDistance
from gailkit.evaluation.steps_as_points import Feature, Points, Scale

MOST = 5
LEAST_LOSS = 0.01  # of the area under the curve
SHIFT = 0.2  # of the mean, in the expert's deviations
SPREAD = 1.2  # ratio of deviations
APART, MANY_FLOORS = 0.05, 2.0  # a distance that is seen, in the expert's deviations and in floors
SHARE = 0.02  # of the steps, by which a choice is taken more or less often


@dataclass(frozen=True)
class GiveAway:
    """A feature by which the classifier tells the policy from the expert."""

    feature: str
    loss: float  # how much of the area under the curve goes when this feature is shuffled
    words: str


def give_aways(
    two_sample: TwoSample | None,
    features: Sequence[Feature],
    policy: Points,
    expert: Points,
    scale: Scale,
    distances: Sequence[FeatureDistance],
) -> tuple[GiveAway, ...]:
    """The features that the classifier leans on most, the first the most; none where it cannot tell the two apart.

    ``policy`` and ``expert`` are steps in the environment's own units, ``scale`` is the expert's and
    ``distances`` are those of the features, each by itself.
    """
    if two_sample is None or two_sample.p > ALPHA:
        return ()
    played, shown = np.concatenate(policy), np.concatenate(expert)
    known = zip(two_sample.losses, features, distances, strict=bool(two_sample.losses))
    leading = sorted(known, key=lambda each: -each[0])[:MOST]
    return tuple(
        GiveAway(
            feature.name, loss, _words(feature, played[:, feature.columns], shown[:, feature.columns], scale, distance)
        )
        for loss, feature, distance in leading
        if loss >= LEAST_LOSS
    )


def _words(feature: Feature, policy: np.ndarray, expert: np.ndarray, scale: Scale, distance: FeatureDistance) -> str:
    if feature.is_choice:
        return _choice_words(feature, policy.mean(axis=0), expert.mean(axis=0))
    mean, expert_mean = float(policy.mean()), float(expert.mean())
    width, expert_width = float(policy.std()), float(expert.std())
    if scale.constant[feature.columns[0]]:
        return f"{feature.name} leaves {expert_mean:.3g}, where the expert keeps it always"
    said = []
    if abs(mean - expert_mean) > SHIFT * expert_width:
        direction = "higher" if mean > expert_mean else "lower"
        said.append(f"is {direction} on average ({mean:.3g} against the expert's {expert_mean:.3g})")
    if not 1 / SPREAD < width / expert_width < SPREAD:
        direction = "more" if width > expert_width else "less"
        said.append(f"varies {direction} (standard deviation {width:.3g} against {expert_width:.3g})")
    if said:
        return f"{feature.name} {' and '.join(said)}"
    if distance.floor is not None and distance.distance > max(APART, MANY_FLOORS * distance.floor):
        return (
            f"{feature.name} takes other values, {distance.distance:.2g} of the expert's deviations apart (halves of "
            f"the expert's own episodes {distance.floor:.2g})"
        )
    return _alike(feature)


def _choice_words(feature: Feature, shares: np.ndarray, expert_shares: np.ndarray) -> str:
    which = int(np.argmax(np.abs(shares - expert_shares)))
    if abs(shares[which] - expert_shares[which]) < SHARE:
        return _alike(feature)
    share, expert = shares[which], expert_shares[which]
    value = feature.start + which
    return f"{feature.name}: {value} is taken in {share:.0%} of the steps against the expert's {expert:.0%}"


def _alike(feature: Feature) -> str:
    if feature.is_action or feature.is_change:
        return f"{feature.name} by itself looks alike, but it is another answer to the same observations"
    return f"{feature.name} by itself looks alike, but goes together with other values of the rest"
