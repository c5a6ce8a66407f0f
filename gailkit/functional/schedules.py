"""How a setting changes in the course of a training: functions of the share in [0, 1] that is done, to a factor."""

from collections.abc import Callable

Schedule = Callable[[float], float]
"""Progress in [0, 1] to the factor that a setting is multiplied by."""


def constant(progress: float) -> float:
    """1 throughout."""
    return 1.0


def linear(progress: float) -> float:
    """1 - progress: from 1 at the start to 0 at the end."""
    return 1.0 - progress
