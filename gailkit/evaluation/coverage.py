"""Which part of what the expert does the policy does too, and how much else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gailkit.evaluation.steps_as_points import FLAT, Feature, Points, cloud
from gailkit.functional.neighbours import reached, within

NEIGHBOURS = 5
CLOSE = 0.1  # expert's deviations in every number: so near is close in any case, also where the expert stands still
POINTS, SPLITS = 1000, 4


@dataclass(frozen=True)
class Coverage:
    """By nearest neighbours, between equally many episodes; with what other episodes of the expert reach beside it."""

    recall: float  # share of the expert's steps that the policy comes close to: modes it misses lower it
    expert_recall: float
    precision: float  # share of the policy's steps that are close to some of the expert's
    expert_precision: float


def measure_coverage(policy: Points, expert: Points, features: Sequence[Feature], seed: int = 0) -> Coverage | None:
    """Coverage by the ``NEIGHBOURS`` nearest (Naeem et al. 2020); None with fewer than three episodes of the expert, or
    so few steps that there are no such neighbours.

    One third of the expert's episodes is to be reached, the second says what is close, the third is an expert's try.
    """
    third = len(expert) // 3
    if third < 1:
        return None
    random = np.random.default_rng(seed)
    splits = [_split(policy, expert, random) for _ in range(SPLITS)]
    points = min(POINTS, *(sum(map(len, part)) for split in splits for part in split))  # no step twice
    if points < NEIGHBOURS:
        return None
    numbers = [feature.columns[0] for feature in features if not feature.is_choice]
    varying = (
        np.concatenate(expert)[:, numbers].std(axis=0) > FLAT
    )  # a column that the expert keeps constant is 0 but for rounding
    least = CLOSE * float(np.sqrt(varying.sum()))
    found = []
    for split in splits:
        aim, radius, own, tried = (cloud(part, points, random) for part in split)
        found.append(
            [
                reached(aim, radius, tried, NEIGHBOURS, least),
                reached(aim, radius, own, NEIGHBOURS, least),
                within(tried, aim, radius, NEIGHBOURS, least),
                within(own, aim, radius, NEIGHBOURS, least),
            ]
        )
    return Coverage(*np.mean(found, axis=0).tolist())


def _split(policy: Points, expert: Points, random: np.random.Generator) -> tuple[Points, Points, Points, Points]:
    """Three thirds of the expert's episodes and as many of the policy's, or fewer of each where it has fewer."""
    third = len(expert) // 3
    count = min(third, len(policy))
    order, own = random.permutation(len(expert)), random.permutation(len(policy))
    first, second, last = ([expert[index] for index in order[at : at + count]] for at in (0, third, 2 * third))
    return first, second, last, [policy[index] for index in own[:count]]
