"""Several policies beside each other: methods, each of one run or of several that differ only in their seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from gailkit.evaluation.evaluation import Evaluation
from gailkit.evaluation.returns import Paired, Returns, Side, compare_returns, paired, side_of
from gailkit.functional.resampling import (
    RESAMPLES,
    Estimate,
    affordable,
    interval,
    probability_of_improvement,
    resampled,
)

DEVIATIONS = 2 * 1.96  # in the width of a 95 % interval


@dataclass(frozen=True)
class Candidate:
    """One policy that was evaluated."""

    spec: str
    method: str  # the same for runs that differ only in their seed
    evaluation: Evaluation


@dataclass(frozen=True)
class Method:
    """Runs of one configuration; the intervals are over runs and episodes."""

    name: str
    candidates: tuple[Candidate, ...]
    returns: Returns
    closeness: Estimate | None  # mean over runs; None where it is not known of each

    @property
    def verdicts(self) -> dict[str, int]:
        """How many runs got each verdict."""
        words = [candidate.evaluation.closeness.verdict.verdict for candidate in self.candidates]
        return {word: words.count(word) for word in dict.fromkeys(words)}


@dataclass(frozen=True)
class Contrast:
    """One method against another."""

    first: str
    second: str
    improvement: Estimate  # P(an episode of the first earns more than one of the second), ties half
    paired: Paired | None  # over episodes that began alike, averaged over the runs of a method


@dataclass(frozen=True)
class Comparison:
    """Methods in the order they were given, and every two of them."""

    methods: tuple[Method, ...]
    contrasts: tuple[Contrast, ...]


def compare(candidates: Sequence[Candidate], seed: int = 0) -> Comparison:
    """Put the runs of each method together and the methods beside each other.

    All must have been evaluated beside the same demonstrations, by one ``Reference``.
    """
    names = dict.fromkeys(candidate.method for candidate in candidates)
    groups = [tuple(each for each in candidates if each.method == name) for name in names]
    methods = tuple(_method(group, seed) for group in groups)
    sides = {method.name: _side(method.candidates) for method in methods}
    contrasts = tuple(
        _contrast(first, second, sides[first], sides[second], seed) for first, second in combinations(names, 2)
    )
    return Comparison(methods, contrasts)


def _method(candidates: tuple[Candidate, ...], seed: int) -> Method:
    one = candidates[0].evaluation
    returns = one.returns
    if len(candidates) > 1:
        returns = compare_returns(_side(candidates), side_of(one.expert), side_of(one.at_random), seed)
    return Method(candidates[0].method, candidates, returns, _closeness(candidates, seed))


def _closeness(candidates: Sequence[Candidate], seed: int) -> Estimate | None:
    known = [candidate.evaluation.closeness.occupancy.closeness for candidate in candidates]
    found = [each for each in known if each is not None]
    return None if len(found) < len(known) else mean_over_runs(found, seed)


def mean_over_runs(found: Sequence[Estimate], seed: int = 0) -> Estimate:
    """Of one run its own estimate; of several the mean, its interval over runs drawn with replacement and an error that
    they share: all are compared with the same episodes of the expert, so that more runs do not make it smaller.
    """
    if len(found) == 1:
        return found[0]
    values = np.array([each.value for each in found])
    deviations = np.array([(each.high - each.low) / DEVIATIONS for each in found])
    random = np.random.default_rng(seed)
    drawn = random.integers(len(found), size=(RESAMPLES, len(found)))
    errors = random.standard_normal(RESAMPLES) * deviations[drawn].mean(axis=1)
    replicates = values[drawn].mean(axis=1) + errors
    return interval(float(values.mean()), replicates)


def _contrast(first: str, second: str, own: Side, others: Side, seed: int) -> Contrast:
    random = np.random.default_rng(seed)
    count = affordable(own.runs, others.runs)
    replicates = probability_of_improvement(*(resampled(side.runs, random, count) for side in (own, others)))
    value = float(probability_of_improvement(own.all, others.all))
    return Contrast(first, second, interval(value, replicates), paired(own, others, seed))


def _side(candidates: Sequence[Candidate]) -> Side:
    side = side_of(*(candidate.evaluation.played for candidate in candidates))
    assert side is not None  # what was run here has its rewards
    return side
