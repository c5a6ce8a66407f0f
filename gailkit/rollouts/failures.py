"""Environments that fail: what is said of it, and how often it is put up with."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gailkit.errors import EnvironmentFailure
from gailkit.rollouts.environments import all_finite
from gailkit.rollouts.protocol import FAILURES, About, Failure
from gailkit.spaces import not_finite
from gailkit.wording import counted

Tell = Callable[[str], None]


class Mishaps:
    """How often environments have failed; so often as is accepted, they begin anew."""

    def __init__(self, restarts: int = 0, tell: Tell = warnings.warn) -> None:
        """``restarts`` failures are accepted in all; ``tell`` is told of each of them."""
        self.restarts = restarts
        self.tell = tell
        self.failures = 0
        self.discarded = 0  # episodes that did not come to their end

    def suffer(self, found: Mapping[int, EnvironmentFailure | None]) -> None:
        """Put up with what failed at once, which is the loss of as many episodes (``failures_in``).

        Raises:
            EnvironmentFailure: the first that is one too many.
        """
        for failure in found.values():
            if failure is None:
                continue
            self.failures += 1
            if self.failures > self.restarts:
                more = f"; {counted(self.restarts, 'failure')} before it were accepted (--restarts)"
                raise EnvironmentFailure(f"{failure}{more if self.restarts else ''}") from failure
            self.tell(f"{failure}; it begins anew, failure {self.failures} of {self.restarts} that are accepted")
        self.discarded += len(found)

    def summary(self) -> str:
        """What is to be said in the end; nothing where nothing failed."""
        if not self.discarded:
            return ""
        return f"discarded, because an environment failed: {counted(self.discarded, 'episode')}"


def failure_of(
    about: About, number: int, failure: Failure, seed: int, step: int, action: np.ndarray | np.generic | None = None
) -> EnvironmentFailure:
    """What is to be raised where the environment ``number`` failed at a ``step`` of an episode, 0 where it began."""
    when = f"at step {step} of the episode with seed {seed}" if step else f"when it was reset with seed {seed}"
    given = "" if action is None else f", action {np.array2string(np.asarray(action), precision=8, threshold=20)}"
    why = f": {failure.why}" if failure.why else ""
    told = " ".join(f"number {number}{given}".split())
    return EnvironmentFailure(f"the environment {about.name} {failure.how} {when} ({told}){why}")


def _not_finite(about: About, what: str, values: np.ndarray, stored: np.ndarray) -> Failure:
    """An environment returned ``what`` that is not finite in the type of ``stored``."""
    place = not_finite(values, stored, about.flattened_from if values.ndim else None)
    return Failure(f"returned {what} that is not finite", place)


class Told(NamedTuple):
    """What N environments were asked for, as far as it has to be said of one that failed over it."""

    seeds: Sequence[int] | np.ndarray  # (N,) of their episodes
    steps: Sequence[int] | np.ndarray  # (N,) which of the episode it is, 0 where it begins
    actions: np.ndarray | None = None  # (N, *act)


def failures_in(
    about: About,
    infos: Mapping[str, Any],
    which: np.ndarray,
    told: Told,
    answers: Sequence[tuple[str, np.ndarray, np.ndarray]],
) -> dict[int, EnvironmentFailure | None]:
    """Which environments failed in a step or a reset, by number; None for one that was only lost with another.

    Args:
        which: the mask (N,) of those that were meant.
        answers: names of what they returned, the numbers (N, ...), and the same as they are stored, which must be
            finite.
    """
    failures: dict[int, Failure] = dict(infos.get(FAILURES, {}))
    for what, values, stored in answers:
        if not all_finite(stored):
            for i in np.flatnonzero(which).tolist():
                if i not in failures and not all_finite(stored[i]):
                    failures[i] = _not_finite(about, what, values[i], stored[i])
    found: dict[int, EnvironmentFailure | None] = {}
    for i, failure in failures.items():
        step = int(told.steps[i])
        action = None if told.actions is None else told.actions[i]
        guilty = failure.guilty and which[i]
        found[i] = failure_of(about, i, failure, int(told.seeds[i]), step, action) if guilty else None
    return found
