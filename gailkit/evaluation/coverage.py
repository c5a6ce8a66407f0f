"""Which part of what the expert does the policy does too, and how much else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gailkit.evaluation.features import Points, cloud
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


def measure_coverage(policy: Points, expert: Points, seed: int = 0) -> Coverage | None:
    """Coverage by the ``NEIGHBOURS`` nearest (Naeem et al. 2020); None with fewer than three episodes of the expert, or
    so few steps that there are no such neighbours.

    One third of the expert's episodes is to be reached, the second says what is close, the third is an expert's try.
    """
    third = len(expert) // 3
    count = min(third, len(policy))
    points = min(POINTS, *(count * min(map(len, side)) for side in (policy, expert)))  # no step twice
    if third < 1 or points < NEIGHBOURS:
        return None
    random = np.random.default_rng(seed)
    least = CLOSE * float(np.sqrt(expert[0].shape[1]))

    def draw(side: Points, chosen: np.ndarray) -> np.ndarray:
        return cloud([side[index] for index in chosen], points, random)

    found = []
    for _ in range(SPLITS):
        order = random.permutation(len(expert))
        aim, radius, own = (draw(expert, order[start : start + count]) for start in (0, third, 2 * third))
        tried = draw(policy, random.permutation(len(policy))[:count])
        found.append(
            [
                reached(aim, radius, tried, NEIGHBOURS, least),
                reached(aim, radius, own, NEIGHBOURS, least),
                within(tried, aim, radius, NEIGHBOURS, least),
                within(own, aim, radius, NEIGHBOURS, least),
            ]
        )
    return Coverage(*np.mean(found, axis=0).tolist())
