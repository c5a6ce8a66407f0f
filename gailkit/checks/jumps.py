"""Jumps that no step could make: an episode that is several, whose ends are not marked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gailkit.checks.finding import Finding, Outcome, Unchecked
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.types import Trajectory
from gailkit.wording import counted

USUAL = 0.95  # share of all steps that are no larger than what is called usual
TIMES_USUAL = (
    2.0  # how much larger than that, and than both steps beside it, a jump is in at least half of the features
)
TIMES_UNFORESEEN = 6.0  # likewise, what of the step does not follow from observation and action
FEWEST_STEPS = 100
ROWS_A_COLUMN = 4  # steps at least, for each number that a step is told from
MOST_FEATURES = 128  # of an observation that are looked at
MOST_ROWS = 50_000  # that are looked at to learn what is usual
RIDGE = 1e-6
MOST_NAMED = 6
FEWEST_PLACES = 3  # jumps, before what they have in common is taken for a time limit
SHORTEST_LIMIT = 5


def unmarked_ends(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether the file marks where episodes end, or whoever reads it says so."""
    if not subject.endings.unmarked:
        return []
    apart = _common_distance(list(_found(subject).values()))
    mend = None if apart is None else subject.mend("convert", "--max-episode-steps", str(apart))
    if "none" not in subject.endings.assumed:
        mend = subject.mend("convert")
    return [Finding("unmarked_ends", "error", subject.endings.unmarked, subject.numbers, mend)]


def steps_left_out(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether every episode has a step."""
    if not subject.gone:
        return []
    return [Finding("no_step", "warning", subject.notes["gone"], subject.gone)]


def jumps(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether no step leads where no step could: far from the observation before, in most of its features at once."""
    if not all(map(_is_plain, subject.trajectories)):
        return Unchecked("jumps show only where an observation is a vector of two features or more")
    if Movement.of(subject.trajectories) is None:
        return Unchecked(f"what a step can do is told from {FEWEST_STEPS} steps or more")
    found = _found(subject)
    if not found:
        return []
    total = sum(map(len, found.values()))
    number, steps = next(iter(found.items()))
    named = ", ".join(map(str, steps[:MOST_NAMED].tolist())) + (", ..." if len(steps) > MOST_NAMED else "")
    apart = _common_distance(list(found.values()))
    regular = f", multiples of {apart}, which a time limit of {apart} steps would explain" if apart else ""
    said = (
        f"{counted(total, 'step leads', 'steps lead')} where no other step does, far off in most features at once: "
        f"several episodes stored as one look so, or steps that were left out; in episode {number} it is behind step "
        f"{named}{regular}"
    )
    mend = subject.mend("convert", "--max-episode-steps", str(apart)) if apart and subject.endings.unmarked else None
    return [Finding("jump", "warning", said, tuple(found), mend)]


def _found(subject: Subject) -> dict[int, np.ndarray]:
    """Number of each episode that has jumps -> its steps that are."""
    moving = Movement.of(subject.trajectories) if all(map(_is_plain, subject.trajectories)) else None
    if moving is None:
        return {}
    return {number: steps for number, each in subject.numbered() if len(steps := moving.jumps_of(each))}


def _is_plain(trajectory: Trajectory) -> bool:
    """Whether an observation is a vector of at least two numbers, and an action one or a vector of them."""
    seen, done = trajectory.observations, trajectory.actions
    return seen.dtype.names is None is done.dtype.names and seen.ndim == 2 and seen.shape[1] > 1


class Movement:
    """How far a step usually leads, and how far from where a linear rule of observation and action says."""

    def __init__(self, rule: np.ndarray, columns: np.ndarray, usual: np.ndarray, unforeseen: np.ndarray) -> None:
        self._rule = rule  # (C, F)
        self._columns = columns  # (F,) bool, features that move
        self._usual, self._unforeseen = usual, unforeseen  # (F,)

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory]) -> Movement | None:
        """What ``trajectories`` do; None where they are too few to tell, or hardly anything in them moves."""
        shown = trajectories
        while sum(map(len, shown)) > MOST_ROWS and len(shown) > 1:
            shown = shown[::2]
        causes = np.concatenate([_causes(each)[:MOST_ROWS] for each in shown])
        steps = np.concatenate([_steps(each)[:MOST_ROWS] for each in shown])
        if len(steps) < max(FEWEST_STEPS, ROWS_A_COLUMN * causes.shape[1]):
            return None
        scale = np.maximum(causes.std(axis=0), np.abs(causes).mean(axis=0)) + 1e-12
        scaled = causes / scale
        square = scaled.T @ scaled + RIDGE * len(scaled) * np.eye(scaled.shape[1])
        rule = np.linalg.solve(square, scaled.T @ steps) / scale[:, None]
        usual = np.quantile(np.abs(steps), USUAL, axis=0)
        unforeseen = np.quantile(np.abs(steps - causes @ rule), USUAL, axis=0)
        moving = usual > 1e-6 * (np.abs(causes[:, : steps.shape[1]]).max(axis=0) + 1e-12)
        if moving.sum() < 2:
            return None
        return cls(rule, moving, usual[moving], np.maximum(unforeseen[moving], 1e-6 * usual[moving]))

    def jumps_of(self, trajectory: Trajectory) -> np.ndarray:
        """Steps of ``trajectory``, counted from 1, that are jumps."""
        steps = _steps(trajectory)
        rest = np.abs(steps - _causes(trajectory) @ self._rule)[:, self._columns]
        size = np.abs(steps)[:, self._columns]
        jump = (_alone(size, self._usual) > TIMES_USUAL) & (_alone(rest, self._unforeseen) > TIMES_UNFORESEEN)
        return np.flatnonzero(jump) + 1


def _alone(sizes: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """How many times larger than usual, and than both steps beside it, each of L steps (L, F) is in half of all F."""
    padded = np.pad(sizes, ((1, 1), (0, 0)))
    beside = np.maximum(np.maximum(padded[:-2], padded[2:]), usual)
    return np.asarray(np.quantile(sizes / beside, 0.5, axis=1, method="lower"))


def _features(values: np.ndarray) -> np.ndarray:
    """One row a step (N, F), of large values only some features."""
    flat = values.reshape(len(values), -1)
    return flat[:, :: -(-flat.shape[1] // MOST_FEATURES)].astype(np.float64)


def _causes(trajectory: Trajectory) -> np.ndarray:
    """What each step (L, C) follows from: its observation, its action, and a constant."""
    seen, done = _features(trajectory.observations[:-1]), _features(trajectory.actions)
    return np.concatenate([seen, done, np.ones((len(seen), 1))], axis=1)


def _steps(trajectory: Trajectory) -> np.ndarray:
    """How far each step leads (L, F)."""
    return np.diff(_features(trajectory.observations), axis=0)


def _common_distance(found: Sequence[np.ndarray]) -> int | None:
    """The largest number of which the steps before all jumps are multiples; None where they are few, or it is small."""
    places = [place for steps in found for place in steps.tolist()]
    apart = math.gcd(*places)
    return apart if len(places) >= FEWEST_PLACES and apart >= SHORTEST_LIMIT else None
