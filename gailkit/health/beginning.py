"""Whether a run began as a clone of the demonstrations."""

from __future__ import annotations

from gailkit.generator.cloning import LEAST_GAIN
from gailkit.health.curves import Curves


def began_as_clone(curves: Curves) -> bool | None:
    """Whether the run used its clone; None where it tried none.

    A policy that began as one is guided by the expert's actions, more and more weakly; no other is. Where the guidance
    was not recorded, the gain tells.
    """
    gain, guidance = curves.get("clone/gain"), curves.get("clone/guidance")
    if gain is None:
        return None
    return bool(gain.values[-1] >= LEAST_GAIN) if guidance is None else bool(guidance.values.max() > 0)
