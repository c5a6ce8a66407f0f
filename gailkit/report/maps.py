"""The section with the occupancy as a map: steps (s, a) in the two directions in which they vary most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gailkit.evaluation.closeness import Steps
from gailkit.report.blocks import Block, Panel, Panels, Paragraph
from gailkit.report.occupancy import draw_occupancy
from gailkit.report.page import Section
from gailkit.report.palette import EXPERT, POLICY, RANDOM
from gailkit.report.words import percent

TITLE = "Where they spend their time"
MOST_ROWS = 20_000  # of each side
LEADING = 0.3  # share of the largest weight that makes a feature worth naming
NAMED = 3  # features that a direction is described by
CAPTION = "The inner line holds half of a side's steps, the outer one nine tenths."


class Plane(NamedTuple):
    """Two directions in the space of standardised steps."""

    center: np.ndarray  # (D,)
    directions: np.ndarray  # (2, D), orthonormal
    shares: np.ndarray  # (2,), of the variance


def maps_section(steps: Steps) -> Section:
    """The policy's map beside that of random actions, the expert's in both."""
    policy, expert, random = (
        _some(np.concatenate(steps.scale.apply(side))) for side in (steps.policy, steps.expert, steps.random)
    )
    if (steps.scale.width > 0).sum() < 2:
        return Section(TITLE, [Paragraph("A map takes two features that vary; there are fewer.")])
    plane = principal_plane(expert, policy)
    names = [f"component {number} ({percent(share)})" for number, share in enumerate(plane.shares, 1)]
    own, experts, randoms = (
        (side, (rows - plane.center) @ plane.directions.T)
        for side, rows in ((POLICY, policy), (EXPERT, expert), (RANDOM, random))
    )
    seen = "Observation and action of each step"
    if any(feature.is_change for feature in steps.features):
        seen = "The observation of each step and what it changed"
    blocks: list[Block] = [
        Paragraph(
            f"{seen}, in the expert's deviations, along the two directions in which the steps of policy and expert "
            f"vary most. {_described(plane, steps)}"
        ),
        Panels(
            [
                Panel("Policy and expert", draw_occupancy([experts, own], "Map of policy and expert", names), CAPTION),
                Panel(
                    "Random actions and expert, to compare",
                    draw_occupancy([experts, randoms], "Map of random actions and expert", names),
                    f"{CAPTION} The same directions, another section of the plane.",
                ),
            ],
            [EXPERT, POLICY, RANDOM],
        ),
    ]
    return Section(TITLE, blocks)


def principal_plane(one: np.ndarray, other: np.ndarray) -> Plane:
    """The two principal components of two sets of rows (K, D), (M, D) that count alike, however large (Hotelling 1933).

    Signs are chosen so that the largest part of a direction is positive.
    """
    center = (one.mean(axis=0) + other.mean(axis=0)) / 2
    spread = sum((rows - center).T @ (rows - center) / (2 * len(rows)) for rows in (one, other))
    values, vectors = np.linalg.eigh(spread)
    directions = vectors[:, [-1, -2]].T
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    return Plane(center, directions * np.sign(largest), values[[-1, -2]].clip(0) / max(float(values.sum()), 1e-300))


def _described(plane: Plane, steps: Steps) -> str:
    """What the two directions are made of."""
    return " ".join(
        f"Component {number} is mostly {', '.join(_leading(direction, steps))}."
        for number, direction in enumerate(plane.directions, 1)
    )


def _leading(direction: np.ndarray, steps: Steps) -> Sequence[str]:
    weights = [float(np.abs(direction[list(feature.columns)]).max()) for feature in steps.features]
    order = np.argsort(weights, kind="stable")[::-1][:NAMED]
    return [steps.features[index].name for index in order if weights[index] > LEADING * max(weights)]


def _some(rows: np.ndarray) -> np.ndarray:
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).round().astype(int)
    return np.asarray(rows[chosen])
