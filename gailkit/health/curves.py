"""The metrics of a run as curves: read with care, for their file may be anybody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gailkit.health.thresholds import FEWEST_ROWS

LARGEST = 1e30  # numbers beyond it are no measurements of ours
END = 0.2  # share of a run that counts as its end
SMOOTH = 30  # a smooth curve is the mean over so much of a run: one in SMOOTH


@dataclass(frozen=True)
class Curve:
    """One metric over a run."""

    steps: np.ndarray  # (K,), environment steps, in the order of the rows
    values: np.ndarray  # (K,)

    def end(self) -> float:
        """The mean over the last fifth."""
        return float(self.values[-max(1, round(END * len(self.values))) :].mean())

    def recent(self) -> np.ndarray:
        """The values of the last fifth, and of as many rows as it takes to judge a run at least."""
        return self.values[-max(FEWEST_ROWS, round(END * len(self.values))) :]

    def later_half(self) -> np.ndarray:
        """The values of the later half."""
        return self.values[len(self.values) // 2 :]

    def middle(self) -> np.ndarray:
        """The values between the first and the last quarter, where schedules neither begin nor run out."""
        quarter = len(self.values) // 4
        return self.values[quarter : len(self.values) - quarter]

    def smooth(self) -> np.ndarray:
        """Running means (K,) over a thirtieth of the run; at either end over what there is."""
        width = max(1, len(self.values) // SMOOTH)
        ones = np.ones(width)
        sums = np.convolve(self.values, ones, mode="same")
        return np.asarray(sums / np.convolve(np.ones(len(self.values)), ones, mode="same"))


Curves = Mapping[str, Curve]


def curves_of(rows: Sequence[Any]) -> Curves:
    """Every metric in the rows of a run that is a number with a number of steps beside it; all else is left out."""
    placed = [row for row in rows if isinstance(row, Mapping) and _is_number(row.get("steps"))]
    numbers = [
        (name, float(row["steps"]), float(value))
        for row in placed
        for name, value in row.items()
        if isinstance(name, str) and _is_number(value)
    ]
    found: dict[str, tuple[list[float], list[float]]] = {}
    for name, at, value in numbers:
        steps, values = found.setdefault(name, ([], []))
        steps.append(at)
        values.append(value)
    return {name: Curve(np.array(steps), np.array(values)) for name, (steps, values) in found.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST
