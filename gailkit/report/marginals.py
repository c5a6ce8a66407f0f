"""The section on single features: what policy and expert see and do, each number by itself."""

from __future__ import annotations

import numpy as np

from gailkit.evaluation.closeness import Closeness
from gailkit.evaluation.occupancy import FeatureDistance
from gailkit.evaluation.steps_as_points import Feature
from gailkit.report.blocks import Panel, Panels, Paragraph
from gailkit.report.markup import shortened
from gailkit.report.page import Section
from gailkit.report.palette import EXPERT, POLICY
from gailkit.report.panels import draw_choices, draw_distribution
from gailkit.report.words import number, percent
from gailkit.wording import counted

MOST = 12
MOST_CHOICES = 24  # more than these have no room for two bars each
LONGEST_NAME = 60


def marginals_section(found: Closeness) -> Section:
    """The features that lie furthest from the expert's, the furthest first."""
    steps = found.steps
    features = sorted(zip(found.occupancy.features, steps.features, strict=True), key=lambda pair: -pair[0].distance)
    policy, expert = np.concatenate(steps.policy), np.concatenate(steps.expert)
    panels = [_panel(distance, feature, policy, expert) for distance, feature in features[:MOST]]
    changes = any(feature.is_change for feature in steps.features)
    shown = "what changed in them" if changes else "actions"
    said = f"Observations and {shown} in the environment's own units, those that differ most first."
    more = len(features) - len(panels)
    if more:
        said += f" The {len(panels)} that differ most are shown, and {counted(more, 'feature')} more are not."
    return Section(
        "What is seen and changes" if changes else "What is seen and done",
        [Paragraph(said), Panels(panels, [EXPERT, POLICY])],
    )


def _panel(distance: FeatureDistance, feature: Feature, policy: np.ndarray, expert: np.ndarray) -> Panel:
    own, experts = policy[:, feature.columns], expert[:, feature.columns]
    label = f"How often each value of {feature.name} occurs, policy and expert"
    if feature.is_choice and len(feature.columns) <= MOST_CHOICES:
        drawn = draw_choices(
            [(EXPERT, experts.mean(axis=0)), (POLICY, own.mean(axis=0))], label, feature.start, "choice"
        )
    elif feature.is_choice:
        numbers = [(side, feature.start + rows.argmax(axis=1)) for side, rows in ((EXPERT, experts), (POLICY, own))]
        drawn = draw_distribution(numbers, label, "choice")
    else:
        drawn = draw_distribution([(EXPERT, experts[:, 0]), (POLICY, own[:, 0])], label)
    return Panel(shortened(feature.name, LONGEST_NAME), drawn, _caption(distance, feature))


def _caption(distance: FeatureDistance, feature: Feature) -> str:
    if feature.is_choice:
        floor = "" if distance.floor is None else f" (one half of the expert's: {percent(distance.floor)})"
        return f"Another choice in {percent(distance.distance)} of the steps{floor}."
    floor = "" if distance.floor is None else f"; one half of the expert's from the other {number(distance.floor)}"
    return f"{number(distance.distance)} of the expert's deviations apart{floor}."
