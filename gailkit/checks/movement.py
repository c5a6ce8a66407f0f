"""How far steps usually lead, so that those show that lead where no step could."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gailkit.types import Trajectory, holds_actions

USUAL = 0.95  # share of all steps that are no larger than what is called usual
# How much larger than that, and than both steps beside it, a jump is in at least half of the features,
TIMES_USUAL = 2.0
TIMES_UNFORESEEN = 6.0  # and likewise what of it does not follow from observation and action
FEWEST_STEPS = 100
ROWS_A_COLUMN = 4  # steps at least, for each number that a step is told from
MOST_FEATURES = 128  # of an observation that are looked at
MOST_ROWS = 50_000  # that are looked at to learn what is usual
RIDGE = 1e-6


def is_plain(trajectory: Trajectory) -> bool:
    """Whether an observation is a vector of two numbers or more, and an action numbers without named parts."""
    seen, done = trajectory.observations, trajectory.actions
    of_numbers = seen.dtype.names is None and done.dtype.names is None
    return of_numbers and seen.ndim == 2 and seen.shape[1] > 1


class Movement:
    """How far a step usually leads, and how far from where a linear rule of observation and action says."""

    def __init__(self, rule: np.ndarray, columns: np.ndarray, usual: np.ndarray, unforeseen: np.ndarray) -> None:
        self._rule = rule  # (C, F)
        self._columns = columns  # (F,) bool, features that move
        self._usual, self._unforeseen = usual, unforeseen  # (F,)

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory]) -> Movement | None:
        """What ``trajectories`` do; None where they are not plain, or too few to tell, or hardly anything moves."""
        if not all(map(is_plain, trajectories)):
            return None
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
    """One row a step (N, F), of large values only some features; (N, 0) of actions that are not known."""
    if not holds_actions(values):
        return values
    flat = values.reshape(len(values), -1)
    return flat[:, :: -(-flat.shape[1] // MOST_FEATURES)].astype(np.float64)


def _causes(trajectory: Trajectory) -> np.ndarray:
    """What each step (L, C) follows from: its observation, its action, and a constant."""
    seen, done = _features(trajectory.observations[:-1]), _features(trajectory.actions)
    return np.concatenate([seen, done, np.ones((len(seen), 1))], axis=1)


def _steps(trajectory: Trajectory) -> np.ndarray:
    """How far each step leads (L, F)."""
    return np.diff(_features(trajectory.observations), axis=0)
