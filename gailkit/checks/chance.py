"""How likely it is that what looks like a copy or a made-up step came about by itself, as in a task of few states."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.special import bdtrc, pdtrc

from gailkit.types import Trajectory, holds_actions

FEW_NUMBERS = 64  # whole numbers that an observation may consist of, and still be a state that comes again
RECURRING = 0.1  # of the observations differ at most, where real numbers stand for states that come again
RARE = 0.01  # expected coincidences in a file, below which one is none
UNLIKELY = 1e-3  # chance of so many, below which they are no coincidences
ROOM = 3.0  # times as many as expected: states are not equally likely, and some starts are none
MANY = 10  # different episodes: that all are there an even number of times has the chance 2 to the power of -10
AGAIN = 4  # as many episodes as different ones: few starts, from which all goes the same way


class Coincidences:
    """How often independent episodes of a file would be equal."""

    def __init__(self, trajectories: Sequence[Trajectory]) -> None:
        self._count = len(trajectories)
        self._seen = _numbered_rows([each.observations for each in trajectories])
        acted = _numbered_rows([each.actions for each in trajectories])
        contents = [(seen.tobytes(), done.tobytes()) for seen, done in zip(self._seen, acted, strict=True)]
        own = sorted({content: index for index, content in enumerate(contents)}.values())
        times = Counter(contents).values()
        self._multiplied = len(times) >= MANY and math.gcd(*times) > 1
        joined = np.concatenate([self._seen[index] for index in own])
        self._visits = np.bincount(np.concatenate(self._seen))
        self.possible = _few_numbers(trajectories[0].observations) or len(np.unique(joined)) <= RECURRING * len(joined)
        states = np.concatenate([self._seen[index][:-1] for index in own])
        steps = np.stack([states, *(np.concatenate(part) for part in _steps(own, self._seen, acted))], axis=1)
        self._same_step = _share(_pairs(steps), _pairs(states[:, None]), 1.0)
        starts = np.array([self._seen[index][:1] for index in own])
        self._same_start = max(_share(_pairs(starts), len(own) * (len(own) - 1) / 2, 0.0), 1 / len(np.unique(joined)))
        self._repetitive = self._count >= AGAIN * len(own)
        self._lengths = np.array([len(each) for each in trajectories])

    def as_part(self, index: int, steps: int) -> bool:
        """Whether the ``steps`` that trajectory ``index`` shares with another may be shared by chance."""
        places = self._visits[self._seen[index][0]]
        return self.possible and self._count * places * self._same_step**steps >= RARE

    def unexplained(self, copies: Sequence[int]) -> list[int]:
        """Those of ``copies``, trajectories that equal an earlier one, that cannot be there by chance."""
        if not self.possible or self._multiplied:
            return list(copies)
        pairs = self._count * (self._count - 1) / 2
        expected = pairs * self._same_start * self._same_step**self._lengths  # (N,), if all were so long
        rare = [index for index in copies if expected[index] < RARE]
        others = len(copies) - len(rare)
        by_chance = self._repetitive or pdtrc(others - 1, ROOM * expected.mean()) > UNLIKELY
        return rare if not others or by_chance else list(copies)


def more_than_chance(found: int, total: int, share: float) -> bool:
    """Whether ``found`` of ``total`` are more than come about where each does with probability ``share``."""
    return found > 0 and bool(share == 0 or (share < 1 and bdtrc(found - 1, total, share) < UNLIKELY))


def ended_by_goal(trajectories: Sequence[Trajectory], chosen: Sequence[int]) -> bool:
    """Whether the ``chosen`` episodes end in a few observations that none goes on from, as where a goal ends them."""
    seen = _numbered_rows([each.observations for each in trajectories])
    finals = {int(seen[index][-1]) for index in chosen}
    before = np.concatenate([each[:-1] for each in seen])
    return len(finals) <= len(chosen) / 2 and not np.isin(list(finals), before).any()


def _steps(
    own: Sequence[int], seen: Sequence[np.ndarray], acted: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Action and successor of each step."""
    return [acted[index] for index in own], [seen[index][1:] for index in own]


def _numbered_rows(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Arrays (n, ...) as (n,) numbers, the same for equal rows."""
    joined = np.concatenate(arrays)
    if not holds_actions(joined):  # which are equal, as far as anybody knows
        return [np.zeros(len(each), np.int64) for each in arrays]
    whole = np.ascontiguousarray(joined).reshape(len(joined), -1)
    rows = whole.view(np.dtype((np.void, whole.dtype.itemsize * whole.shape[1]))).reshape(-1)
    _, numbers = np.unique(rows, return_inverse=True)
    return np.split(numbers, np.cumsum([len(each) for each in arrays])[:-1])


def _pairs(rows: np.ndarray) -> float:
    """How many pairs of rows (n, k) are equal."""
    _, counts = np.unique(rows, axis=0, return_counts=True)
    return float((counts * (counts - 1) / 2).sum())


def _share(part: float, whole: float, otherwise: float) -> float:
    return part / whole if whole else otherwise


def _few_numbers(observations: np.ndarray) -> bool:
    names = observations.dtype.names
    parts = [observations[name] for name in names] if names else [observations]
    return all(part.dtype.kind in "biu" for part in parts) and sum(part[0].size for part in parts) <= FEW_NUMBERS
