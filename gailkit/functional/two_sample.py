"""Can two groups of episodes be told apart? A classifier on random features, and its permutation test.

E episodes have N steps in all, D features a step; B labellings of the episodes are tested at once, the first of them
the true one. Episodes are the unit throughout: folds hold whole episodes, and labels are permuted among episodes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata
from scipy.stats import t as student

from gailkit.errors import InputError
from gailkit.functional.resampling import Estimate

FLAT = 1e-9  # deviation below which a feature is left as it is


@dataclass(frozen=True)
class Waves:
    """Steps (N, D) as D numbers and F random waves cos(w . x + b), (N, D + F), each of deviation 1 over some steps.

    Linear functions of waves with w ~ N(0, I / scale^2) and b ~ U(0, 2 pi) approximate those of a Gaussian kernel of
    that length scale (Rahimi & Recht 2007).
    """

    frequencies: np.ndarray  # (D, F)
    phases: np.ndarray  # (F,)
    center: np.ndarray  # (D + F,)
    width: np.ndarray  # (D + F,)

    @classmethod
    def over(cls, rows: np.ndarray, scales: np.ndarray, random: np.random.Generator) -> Waves:
        """A wave for each of ``scales`` (F,), in deviations over ``rows`` (N, D)."""
        frequencies = random.standard_normal((rows.shape[1], len(scales))) / scales
        plain = cls(frequencies, random.uniform(0, 2 * np.pi, len(scales)), np.zeros(1), np.ones(1))
        values = plain(rows)
        deviation = values.std(axis=0)
        return replace(plain, center=values.mean(axis=0), width=np.where(deviation > FLAT, deviation, 1.0))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(N, D) to (N, D + F)."""
        values = np.concatenate([rows, np.cos(rows @ self.frequencies + self.phases)], axis=1)
        standard: np.ndarray = (values - self.center) / self.width
        return standard


def balanced_folds(labels: np.ndarray, folds: int, random: np.random.Generator) -> np.ndarray:
    """The fold (E,) of each episode, at random, so that every fold has its share of both ``labels`` (E,) bool.

    Raises:
        InputError: if a label has fewer episodes than there are folds, or there are fewer than 2 folds.
    """
    fewest = min(int(labels.sum()), int((~labels).sum()))
    if not 2 <= folds <= fewest:
        raise InputError(f"{folds} folds need at least 2 folds and as many episodes of each kind; found {fewest}")
    fold = np.empty(len(labels), dtype=np.int64)
    for label in (True, False):
        own = random.permutation(np.flatnonzero(labels == label))
        fold[own] = np.arange(len(own)) % folds
    return fold


def labellings(labels: np.ndarray, fold: np.ndarray, permutations: int, random: np.random.Generator) -> np.ndarray:
    """The true ``labels`` (E,) and ``permutations`` of them within each fold, (E, 1 + permutations) bool.

    Within folds every labelling leaves the folds balanced, so that under the null hypothesis all are equally likely
    and the permutation test is exact (Phipson & Smyth 2010).
    """
    drawn = np.repeat(labels[:, None], 1 + permutations, axis=1)
    for number in range(fold.max() + 1):
        own = np.flatnonzero(fold == number)
        drawn[own, 1:] = random.permuted(drawn[own, 1:], axis=0)
    return drawn


def fitted_weights(
    features: np.ndarray, episodes: np.ndarray, labels: np.ndarray, fold: np.ndarray, ridge: float
) -> np.ndarray:
    """Weights (K, F, B) of linear classifiers, high where a label is True, one that has not seen it for each fold.

    Ridge regression of the labels on ``features`` (N, F), with an intercept, whose direction is that of Fisher's
    discriminant; the Gram matrix does not depend on the labels, so that all labellings (E, B) cost little more than
    one. ``episodes`` (N,) is the episode of each step, ``fold`` (E,) that of each episode; ``ridge`` is added to the
    mean square of a feature.
    """
    centred = features - features.mean(axis=0)
    targets = labels[episodes] - labels[episodes].mean(axis=0)
    gram, products = centred.T @ centred, centred.T @ targets
    weights = []
    for number in range(fold.max() + 1):
        own = fold[episodes] == number
        held, seen = centred[own], int((~own).sum())
        mean, share = -held.sum(axis=0) / seen, -targets[own].sum(axis=0) / seen  # of what is not held out
        covariance = gram - held.T @ held - seen * np.outer(mean, mean)
        weights.append(
            np.linalg.solve(
                covariance + ridge * seen * np.eye(len(gram)),
                products - held.T @ targets[own] - seen * np.outer(mean, share),
            )
        )
    return np.array(weights)


def held_out_scores(features: np.ndarray, fold_of_step: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Score (N, B) of each step, with the ``weights`` (K, F, B) that have not seen its fold (N,)."""
    scores = np.empty((len(features), weights.shape[2]))
    for number, own in enumerate(weights):
        scores[fold_of_step == number] = features[fold_of_step == number] @ own
    return scores


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """P(score of a positive > score of a negative) + P(equal) / 2, (B,), of scores (n, B) and positive (n, B) bool.

    The Mann-Whitney statistic; 1/2 where the scores know nothing.
    """
    ranks = rankdata(scores, axis=0)
    wins = (ranks * positive).sum(axis=0)
    count = positive.sum(axis=0)
    area: np.ndarray = (wins - count * (count + 1) / 2) / (count * (len(scores) - count))
    return area


def grouped_area(scores: np.ndarray, episodes: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Mean over folds of the area under the curve within each, (B,): scores of different folds are not compared."""
    of_step = fold[episodes]
    areas = [
        area_under_curve(scores[of_step == number], labels[episodes[of_step == number]])
        for number in range(fold.max() + 1)
    ]
    mean: np.ndarray = np.mean(areas, axis=0)
    return mean


def area_interval(
    scores: np.ndarray, episodes: np.ndarray, labels: np.ndarray, fold: np.ndarray, untaught: float = 0.0
) -> Estimate:
    """``grouped_area`` of ``scores`` (N,) and true ``labels`` (E,), with the 95 % interval for other episodes.

    What other tests would give varies by DeLong's variance (1988) with whole episodes as the unit (Obuchowski 1997),
    summed over the folds: where V(x) is the share of the other side that a step x is on the right side of and A the
    area, u_i = sum_{x in i} (V(x) - A) / n of the m episodes i of a side gives m / (m - 1) sum_i u_i^2, and both sides
    add up. Classifiers that were taught with other episodes vary too: what areas under labels that teach nothing vary
    by, the deviation ``untaught``, is added in proportion to A (1 - A), 4 A (1 - A) untaught^2. That holds a part for
    testing as well, so that the interval is rather too wide.

    The interval is Wilson's (1927) of as many independent trials as give that variance, A (1 - A) / var, with Student's
    t for the normal quantile. Where no step is on the wrong side they are as many as episodes of the smaller side.
    Where a fold has but one episode of a side nothing is known of the variance, and the interval is 0 to 1.
    """
    parts = [_one_fold(scores, episodes, labels, fold == number) for number in range(fold.max() + 1)]
    areas, variances, freedom = (np.concatenate(part) for part in zip(*parts, strict=True))
    value, tested = float(areas.mean()), float(variances.sum()) / len(parts) ** 2
    if freedom.min() < 1:
        return Estimate(value, 0.0, 1.0)
    variance = tested + 4 * value * (1 - value) * untaught**2
    if tested == 0:
        return _wilson(value, float(min(labels.sum(), (~labels).sum())), float(student.ppf(0.975, freedom.sum())))
    degrees = variance**2 * len(parts) ** 4 / float((variances**2 / freedom).sum())  # Welch & Satterthwaite
    return _wilson(value, value * (1 - value) / variance, float(student.ppf(0.975, degrees)))


def _one_fold(
    scores: np.ndarray, episodes: np.ndarray, labels: np.ndarray, chosen: np.ndarray
) -> tuple[list[float], list[float], list[int]]:
    """The area under the curve of the episodes ``chosen`` (E,) bool, its variance from either side, and the degrees of
    freedom that each of these is known by."""
    held = chosen[episodes]
    own, of_step = scores[held], episodes[held]
    ranks, positive = rankdata(own), labels[of_step]
    areas, variances = [], []
    for side in (positive, ~positive):
        below = (ranks[side] - rankdata(own[side])) / (~side).sum()  # V, or 1 - V of the negatives
        areas.append(float(below.mean()))
        sums = np.bincount(of_step[side], (below - areas[-1]) / side.sum())
        count = len(np.unique(of_step[side]))
        variances.append(count / max(1, count - 1) * float((sums**2).sum()))
    counts = [int((chosen & side).sum()) for side in (labels, ~labels)]
    return areas[:1], variances, [count - 1 for count in counts]


def _wilson(share: float, trials: float, quantile: float) -> Estimate:
    """A share of so many independent trials with its interval (Wilson 1927)."""
    square = quantile**2 / trials
    middle = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return Estimate(share, max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def permutation_p(statistics: np.ndarray) -> float:
    """(1 + #{permuted >= observed}) / (1 + permutations) of statistics (B,), the first of which is the observed one.

    At least 1 / B: what was observed is one of the possible labellings (Phipson & Smyth 2010).
    """
    as_large = statistics[1:] >= statistics[0] - 1e-12 * abs(statistics[0])
    return float((1 + as_large.sum()) / len(statistics))
