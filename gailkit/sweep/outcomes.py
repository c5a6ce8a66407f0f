"""What came of the runs of a sweep, and which methods that tells apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from gailkit.errors import DataError
from gailkit.evaluation.compare import mean_over_runs
from gailkit.functional.resampling import Estimate
from gailkit.functional.strata import stratified_iqm, stratified_mean

ENOUGH_SEEDS = 3
MOST_PAIRED = 12  # methods, of which every two are compared


@dataclass(frozen=True)
class Outcome:
    """One run that finished."""

    task: str
    method: str
    seed: int
    closeness: Estimate | None  # None where the demonstrations give no scale
    score: Estimate | None
    verdict: str

    @classmethod
    def of(cls, task: str, method: str, seed: int, evaluation: Mapping[str, Any]) -> Outcome:
        """Of what ``gailkit evaluate --json`` wrote. Raises DataError if that is something else."""
        try:
            closeness = _estimate(evaluation["closeness"], evaluation["closeness_ci95"])
            scored = evaluation["returns"]["score"]
            score = None if scored is None else _estimate(scored["value"], (scored["low"], scored["high"]))
            return cls(task, method, seed, closeness, score, str(evaluation["verdict"]))
        except (LookupError, TypeError, ValueError) as error:
            raise DataError(f"the evaluation of {task}, {method}, seed {seed} is damaged: {error!r}") from error


def _estimate(value: Any, interval: Any) -> Estimate | None:
    return None if value is None else Estimate(float(value), *map(float, interval))


@dataclass(frozen=True)
class Cell:
    """A method on a task. Intervals are those of ``gailkit evaluate`` for several runs: over runs and episodes."""

    task: str
    method: str
    runs: int  # that finished
    failed: int
    closeness: Estimate | None
    score: Estimate | None
    verdicts: Mapping[str, int]


@dataclass(frozen=True)
class Difference:
    """The closeness of one method less that of another, seed by seed."""

    first: str
    second: str
    task: str | None  # None: the mean over tasks, where there are several
    tasks: tuple[str, ...]  # on which both have enough seeds in common
    seeds: int  # that they have in common, on the task that has fewest
    estimate: Estimate | None  # None where there are too few to say

    @property
    def told_apart(self) -> bool:
        """Whether its interval leaves out 0."""
        return self.estimate is not None and not self.estimate.low <= 0 <= self.estimate.high

    def reversed(self) -> Difference:
        """The second less the first."""
        found = None if self.estimate is None else Estimate(*(-self.estimate[i] + 0.0 for i in (0, 2, 1)))
        return Difference(self.second, self.first, self.task, self.tasks, self.seeds, found)


@dataclass(frozen=True)
class Overall:
    """A method over all tasks that every method with results was seen on."""

    method: str
    mean: float | None  # of the tasks' means of closeness
    iqm: Estimate | None  # interquartile mean over runs of all tasks; None with fewer than ENOUGH_SEEDS seeds


@dataclass(frozen=True)
class Outcomes:
    """All that is concluded, methods in the order of how close they come."""

    tasks: tuple[str, ...]
    methods: tuple[Overall, ...]
    cells: tuple[Cell, ...]
    differences: tuple[Difference, ...]  # of every two methods, the closer one first; over all tasks and then each

    def cell(self, task: str, method: str) -> Cell | None:
        """That of a method on a task; None where no run of it finished or failed."""
        return next((cell for cell in self.cells if (cell.task, cell.method) == (task, method)), None)

    def difference(self, first: str, second: str, task: str | None = None) -> Difference:
        """Of two methods, whichever way round they are asked for."""
        for each in self.differences:
            if each.task == task and {each.first, each.second} == {first, second}:
                return each if each.first == first else each.reversed()
        raise KeyError((first, second, task))


Values = Mapping[tuple[str, str], Mapping[int, float]]
"""The closeness of runs, by task and method, and then by seed."""


def conclude(
    outcomes: Sequence[Outcome], failed: Counter[tuple[str, str]], tasks: Sequence[str], methods: Sequence[str]
) -> Outcomes:
    """Put the runs of each method together and the methods beside each other.

    Methods are ordered by their mean closeness over the tasks on which each of them has one, and then as they are
    given. Nothing here looks at true returns to tell which is better.

    Args:
        failed: how many runs failed, by task and method.
    """
    values: dict[tuple[str, str], dict[int, float]] = {}
    for each in outcomes:
        if each.closeness is not None:
            values.setdefault((each.task, each.method), {})[each.seed] = each.closeness.value
    seen = [method for method in methods if any((task, method) in values for task in tasks)]
    shared = [task for task in tasks if seen and all((task, method) in values for method in seen)]
    overall = sorted(
        (_overall(method, shared if method in seen else [], values) for method in methods),
        key=lambda each: -np.inf if each.mean is None else each.mean,
        reverse=True,
    )
    pairs = _pairs([each.method for each in overall if each.method in seen])
    over_all = [None] if len(tasks) > 1 else []
    differences = [_difference(*pair, each, tasks, values) for pair in pairs for each in over_all]
    differences += [_difference(*pair, task, [task], values) for pair in pairs for task in tasks]
    cells = [_cell(task, method, outcomes, failed[task, method]) for task in tasks for method in methods]
    return Outcomes(
        tuple(tasks), tuple(overall), tuple(cell for cell in cells if cell.runs or cell.failed), tuple(differences)
    )


def _pairs(methods: Sequence[str]) -> list[tuple[str, str]]:
    """Every two of them, or where they are many the first before each other."""
    return list(combinations(methods, 2))[: None if len(methods) <= MOST_PAIRED else len(methods) - 1]


def _overall(method: str, tasks: Sequence[str], values: Values) -> Overall:
    strata = [np.array(list(values[task, method].values())) for task in tasks]
    if not strata:
        return Overall(method, None, None)
    enough = all(len(stratum) >= ENOUGH_SEEDS for stratum in strata)
    mean = float(np.mean([stratum.mean() for stratum in strata]))
    return Overall(method, mean, stratified_iqm(strata, np.random.default_rng(0)) if enough else None)


def _difference(first: str, second: str, task: str | None, tasks: Sequence[str], values: Values) -> Difference:
    """Over those of the ``tasks`` on which there are enough seeds."""
    found = {}
    for each in tasks:
        own, other = values.get((each, first), {}), values.get((each, second), {})
        found[each] = np.array([own[seed] - other[seed] for seed in sorted(own.keys() & other.keys())])
    enough = {each: stratum for each, stratum in found.items() if len(stratum) >= ENOUGH_SEEDS}
    if not enough:
        return Difference(first, second, task, (), max(map(len, found.values())), None)
    fewest = min(map(len, enough.values()))
    return Difference(first, second, task, tuple(enough), fewest, stratified_mean(list(enough.values())))


def _cell(task: str, method: str, outcomes: Sequence[Outcome], failed: int) -> Cell:
    own = [each for each in outcomes if (each.task, each.method) == (task, method)]
    return Cell(
        task,
        method,
        len(own),
        failed,
        _together([each.closeness for each in own]),
        _together([each.score for each in own]),
        Counter(each.verdict for each in own),
    )


def _together(known: Sequence[Estimate | None]) -> Estimate | None:
    found = [each for each in known if each is not None]
    return mean_over_runs(found) if found and len(found) == len(known) else None
