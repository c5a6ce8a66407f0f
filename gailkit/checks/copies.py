"""Episodes that are there more than once: they count double, and a split by episodes tests on what was trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from gailkit.checks.chance import Coincidences
from gailkit.checks.finding import Finding, Outcome, Unchecked, ranges
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.demonstrations.joined_episodes import digest_of
from gailkit.types import Trajectory, holds_actions
from gailkit.wording import counted

TOLERANCE = 1e-3  # of the standard deviation of each feature
SMALL_TOLERANCE = 1e-5  # where starts vary in so few features that two come close by chance
FEW_FEATURES = 2
SHORTEST = 5  # steps that must agree
MOST_CANDIDATES = 32  # places in the file where an episode may begin again
MOST_FEATURES = 256  # of an observation that are compared first


class Copy(NamedTuple):
    """An episode of which another contains the steps."""

    copy: int  # place in the list of trajectories
    original: int
    start: int  # step of the original at which the copy begins

    def shared_steps(self, trajectories: tuple[Trajectory, ...]) -> int:
        """How many steps both have from there on."""
        return min(len(trajectories[self.copy]), len(trajectories[self.original]) - self.start)


def exact_copies(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether every episode is there once, but for equal ones that a task of few states or one start brings about."""
    copies = all_copies = repeated(subject.trajectories)
    unseeded = [copy.copy for copy in copies if subject.trajectories[copy.copy].seed is None]
    if unseeded:
        natural = set(unseeded).difference(Coincidences(subject.trajectories).unexplained(unseeded))
        copies = [copy for copy in copies if copy.copy not in natural]
    if not copies:
        return []
    numbers = tuple(subject.numbers[copy.copy] for copy in copies)
    found = f"{_said(subject, copies, 'are exactly equal to an earlier one')} again"
    chosen = ("--unique",) if len(copies) == len(all_copies) else ("--episodes", _all_but(subject, numbers))
    return [Finding("exact_copies", "warning", found, numbers, subject.mend("select", *chosen))]


def near_copies(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether no episode is another with rounded numbers, or a part of another, unless chance makes it so.

    Episodes of different seeds are different episodes, however alike.
    """
    kinds = {(each.observations.dtype, each.actions.dtype.names) for each in subject.trajectories}
    if any(dtype.names is not None or names is not None for dtype, names in kinds) or len(kinds) > 1:
        return Unchecked("episodes are compared step by step only where observations and actions are single arrays")
    exact = {copy.copy for copy in repeated(subject.trajectories)}
    chance = Coincidences(subject.trajectories)

    def counts(copy: Copy) -> bool:
        seeds = [subject.trajectories[index].seed for index in copy[:2]]
        if None not in seeds:
            return seeds[0] == seeds[1]
        return not chance.as_part(copy.copy, copy.shared_steps(subject.trajectories))

    copies = [copy for copy in contained(subject.trajectories, counts) if copy.copy not in exact]
    if not copies:
        return []
    numbers = tuple(subject.numbers[copy.copy] for copy in copies)
    share = _said(subject, copies, "repeat the steps of another within a tolerance")
    found = f"{share} from step {copies[0].start} on"
    mend = subject.mend("select", "--episodes", _all_but(subject, numbers))
    return [Finding("near_copies", "warning", found, numbers, mend)]


def repeated(trajectories: tuple[Trajectory, ...]) -> list[Copy]:
    """Every trajectory whose digest an earlier one has."""
    first: dict[bytes, int] = {}
    copies = []
    for index, each in enumerate(trajectories):
        original = first.setdefault(digest_of(each), index)
        if original != index:
            copies.append(Copy(index, original, 0))
    return copies


def contained(trajectories: tuple[Trajectory, ...], counts: Callable[[Copy], bool]) -> list[Copy]:
    """Every trajectory whose steps, all or at least half of them, are found in another that is no such copy itself.

    A copy begins somewhere in its original and goes on to the end of one of the two; it ``counts``.
    """
    places = _Places(trajectories)
    copies: dict[int, Copy] = {}
    by_length = sorted(range(len(trajectories)), key=lambda index: (len(trajectories[index]), -index))
    for index in by_length:
        for original, start in places.like_start_of(index):
            copy = Copy(index, original, start)
            if original != index and original not in copies and places.agree(copy) and counts(copy):
                copies[index] = copy
                break
    return [copies[index] for index in sorted(copies)]


def _said(subject: Subject, copies: list[Copy], what: str) -> str:
    """How many there are, ``what`` they do, and which is the first."""
    copy, original = (subject.numbers[index] for index in copies[0][:2])
    share = f"{len(copies)} of {counted(len(subject.trajectories), 'episode')}"
    return f"{share} {what}; episode {copy} is episode {original}"


def _all_but(subject: Subject, numbers: tuple[int, ...]) -> str:
    return ranges([number for number in subject.numbers if number not in numbers])


class _Places:
    """All observations in the order of one number that equal observations share."""

    def __init__(self, trajectories: tuple[Trajectory, ...]) -> None:
        self._trajectories = trajectories
        rows = [_features(each.observations) for each in trajectories]
        joined = np.concatenate(rows)
        deviations = np.maximum(joined.std(axis=0), 1e-12)
        tolerance = _tolerance(np.stack([own[0] for own in rows]), deviations)
        self._scale = tolerance * deviations
        self._action_scale = tolerance * np.concatenate([_features(each.actions) for each in trajectories]).std(axis=0)
        random = np.random.default_rng(0).normal(size=joined.shape[1])
        keys = joined @ (random / deviations)
        self._reach = tolerance * float(np.abs(random).sum())
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        self._firsts = np.cumsum([0, *map(len, rows)])[:-1]
        self._keys = keys

    def like_start_of(self, index: int) -> Iterator[tuple[int, int]]:
        """Trajectory and step of observations that may be the first of trajectory ``index``."""
        key = self._keys[self._firsts[index]]
        low, high = np.searchsorted(self._sorted, [key - self._reach, key + self._reach])
        near = self._order[low:high]
        nearest = near[np.argsort(np.abs(self._keys[near] - key), kind="stable")[:MOST_CANDIDATES]]
        for row in nearest.tolist():
            trajectory = int(np.searchsorted(self._firsts, row, side="right")) - 1
            yield trajectory, int(row - self._firsts[trajectory])

    def agree(self, candidate: Copy) -> bool:
        """Whether the copy and its original from ``start`` on are one, as far as both go."""
        index, original, start = candidate
        copy, source = self._trajectories[index], self._trajectories[original]
        steps = candidate.shared_steps(self._trajectories)
        if steps < max(SHORTEST, len(copy) / 2):
            return False
        actions = _features(copy.actions[:steps]) - _features(source.actions[start : start + steps])
        if (np.abs(actions) > self._action_scale + 1e-12).any():
            return False
        seen = _features(copy.observations[: steps + 1]) - _features(source.observations[start : start + steps + 1])
        return bool((np.abs(seen) <= self._scale).all())


def _features(values: np.ndarray) -> np.ndarray:
    """One row a step (N, F), of large observations only some features; (N, 0) of actions that are not known."""
    if not holds_actions(values):
        return values
    flat = values.reshape(len(values), -1)
    return flat[:, :: max(1, flat.shape[1] // MOST_FEATURES)].astype(np.float64)


def _tolerance(starts: np.ndarray, deviations: np.ndarray) -> float:
    """How near equal observations are, for first observations (N, F) and the standard deviations (F,) of all."""
    varying = (starts.std(axis=0) > TOLERANCE * deviations).sum()
    return TOLERANCE if varying > FEW_FEATURES else SMALL_TOLERANCE
