"""The alarms of a run while it trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from gailkit.health.alarms import ALARMS, raised
from gailkit.health.curves import Curve
from gailkit.health.plan import Plan

PREFIX = "health/"
READ = (
    "discriminator/accuracy_expert", "discriminator/accuracy_policy", "discriminator/logit_expert",
    "discriminator/logit_policy", "clone/gain", "clone/guidance", "reward/std", "policy/entropy", "policy/kl",
    "policy/same_action", "episode/ended",
)  # fmt: skip
"""The metrics that the alarms go by."""


class Watch:
    """Is told the rows of a run one after the other, and says which alarms each of them raises."""

    def __init__(self, plan: Plan, rows: Iterable[Mapping[str, float]] = ()) -> None:
        """``rows`` are those that a run which goes on has behind it."""
        self.plan = plan
        self._columns: dict[str, tuple[list[float], list[float]]] = {}
        for row in rows:
            self._take(row)

    def judge(self, row: Mapping[str, float]) -> dict[str, float]:
        """``health/ALARM`` for every alarm: 1 where it is raised after this row, else 0."""
        self._take(row)
        curves = {name: Curve(np.array(steps), np.array(values)) for name, (steps, values) in self._columns.items()}
        found = raised(curves, self.plan)
        return {PREFIX + name: float(name in found) for name in ALARMS}

    def _take(self, row: Mapping[str, float]) -> None:
        for name in READ:
            if name in row:
                steps, values = self._columns.setdefault(name, ([], []))
                steps.append(row["steps"])
                values.append(row[name])
