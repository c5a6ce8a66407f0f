"""Whether a classifier can tell the policy's steps from the expert's, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gailkit.evaluation.steps_as_points import Feature, Points, cloud
from gailkit.functional.kernels import episode_kernel, median_distance, mmd_squared
from gailkit.functional.resampling import Estimate
from gailkit.functional.two_sample import (
    Waves,
    area_interval,
    balanced_folds,
    fitted_weights,
    grouped_area,
    held_out_scores,
    labellings,
    permutation_p,
)

MOST_ROWS, MOST_A_EPISODE = 8000, 200  # steps that it sees
KERNEL_ROWS = 4000
WAVES = 400
LENGTH_SCALES = (0.125, 0.25, 0.5, 1.0)  # times sqrt(D): of details and of the whole
RIDGE = 0.01
FOLDS = 5
ALPHA = 0.05  # a smaller p is said to tell apart
PERMUTATIONS = 500
MOST_LOOKED_AT = 64  # features whose part in telling apart is found out


@dataclass(frozen=True)
class TwoSample:
    """The two-sample tests; p is the share of ways to label the episodes that tell them apart as well or better."""

    auc: float  # P(a step of the policy scores higher than one of the expert), held out; 0.5 cannot tell
    auc_ci95: tuple[float, float]  # of the same for other episodes
    p: float
    mmd_squared: float  # of a Gaussian kernel of the median distance
    mmd_p: float
    losses: tuple[float, ...]  # for each feature how much auc falls when it is shuffled among steps; () if too many

    @property
    def area(self) -> Estimate:
        """``auc`` with its interval."""
        return Estimate(self.auc, *self.auc_ci95)


@dataclass(frozen=True)
class _Episodes:
    """Steps of labelled episodes, on a scale that does not know the labels."""

    rows: np.ndarray  # (N, D), of deviation 1 over both sides
    episode: np.ndarray  # (N,)
    labels: np.ndarray  # (E,) bool, True for the policy

    @classmethod
    def of(cls, policy: Points, expert: Points, most: int, random: np.random.Generator) -> _Episodes:
        """A share of the steps of each, so that there are no more than ``most``."""
        both = [*policy, *expert]
        count = max(1, min(MOST_A_EPISODE, most // len(both)))
        parts = [rows if len(rows) <= count else cloud([rows], count, random) for rows in both]
        episode = np.repeat(np.arange(len(both)), [len(part) for part in parts])
        rows = np.concatenate(parts)
        width = rows.std(axis=0)
        return cls(rows / np.where(width > 0, width, 1.0), episode, np.arange(len(both)) < len(policy))


def tell_apart(policy: Points, expert: Points, features: Sequence[Feature], seed: int = 0) -> TwoSample | None:
    """Test whether episodes of the policy and of the expert are alike; None with fewer than two of either.

    A linear classifier on the numbers of a step and on random waves of them (Lopez-Paz & Oquab 2017 on classifier
    tests; Rahimi & Recht 2007 on the waves) is fitted and judged on disjoint episodes. A split by steps instead would
    let it recognise the episodes.
    """
    if min(len(policy), len(expert)) < 2:
        return None
    random = np.random.default_rng(seed)
    seen = _Episodes.of(policy, expert, MOST_ROWS, random)
    fold = balanced_folds(seen.labels, _folds(len(policy), len(expert)), random)
    labels = labellings(seen.labels, fold, PERMUTATIONS, random)
    waves = _waves(seen.rows, random)
    weights = fitted_weights(waves(seen.rows), seen.episode, labels, fold, RIDGE)
    scores = held_out_scores(waves(seen.rows), fold[seen.episode], weights)
    areas = grouped_area(scores, seen.episode, labels, fold)
    _, low, high = area_interval(scores[:, 0], seen.episode, seen.labels, fold, float(areas[1:].std()))
    few = _Episodes.of(policy, expert, KERNEL_ROWS, random)
    squared = _mmd(few, random)
    return TwoSample(
        auc=float(areas[0]),
        auc_ci95=(low, high),
        p=permutation_p(areas),
        mmd_squared=float(squared[0]),
        mmd_p=permutation_p(squared),
        losses=_losses(seen, fold, features, waves, weights[:, :, :1], random),
    )


def _folds(policy: int, expert: int) -> int:
    return max(2, min(FOLDS, min(policy, expert) // 2))


def _waves(rows: np.ndarray, random: np.random.Generator) -> Waves:
    varying = max(1, int((rows.std(axis=0) > 0).sum()))
    return Waves.over(rows, np.resize(np.array(LENGTH_SCALES), WAVES) * np.sqrt(varying), random)


def _mmd(few: _Episodes, random: np.random.Generator) -> np.ndarray:
    """Squared discrepancies (1 + PERMUTATIONS,), the first that of the true labels."""
    scale = median_distance(random.permutation(few.rows)) or 1.0
    sums = episode_kernel(few.rows, few.episode, scale)
    labels = labellings(few.labels, np.zeros(len(few.labels), dtype=np.int64), PERMUTATIONS, random)
    return mmd_squared(sums, np.bincount(few.episode), labels)


def _losses(
    seen: _Episodes,
    fold: np.ndarray,
    features: Sequence[Feature],
    waves: Waves,
    weights: np.ndarray,
    random: np.random.Generator,
) -> tuple[float, ...]:
    """How much the area under the curve falls when a feature is shuffled among the steps (Breiman 2001)."""
    if len(features) > MOST_LOOKED_AT:
        return ()

    def area(rows: np.ndarray) -> float:
        scores = held_out_scores(waves(rows), fold[seen.episode], weights)
        return float(grouped_area(scores, seen.episode, seen.labels[:, None], fold)[0])

    whole, order = area(seen.rows), random.permutation(len(seen.rows))
    falls = []
    for feature in features:
        shuffled = seen.rows.copy()
        shuffled[:, feature.columns] = seen.rows[order][:, feature.columns]
        falls.append(whole - area(shuffled))
    return tuple(falls)
