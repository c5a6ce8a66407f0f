"""Whether D and the policy run after each other."""

from __future__ import annotations

import numpy as np

from gailkit.health.both_sides import accuracies, logits
from gailkit.health.curves import Curves
from gailkit.health.thresholds import FOOLED, RARELY, TURN, TURNS


def is_chased(curves: Curves) -> bool:
    """Whether D and the policy run after each other in the later half of a run.

    Now the expert's mean logit leads, now the policy's, by more than noise and by more than what remains on average,
    and D is fooled about either side. Where it cannot tell them apart its logits are small, and so are all leads.
    """
    gaps, sides = later_gaps(curves), accuracies(curves)
    if gaps is None or sides is None:
        return False
    fooled = [float(np.quantile(side.later_half(), RARELY)) < FOOLED for side in sides]
    return all(fooled) and turns(gaps) >= TURNS and bool(gaps.std() > abs(gaps.mean()))


def turns(gaps: np.ndarray) -> int:
    """How often the lead changes from one side to the other; less than TURN is nobody's."""
    leads = np.sign(gaps[np.abs(gaps) > TURN])
    return int(np.count_nonzero(np.diff(leads)))


def later_gaps(curves: Curves) -> np.ndarray | None:
    """Mean logit of the expert less that of the policy, in the later half."""
    sides = logits(curves)
    return None if sides is None else sides[0].later_half() - sides[1].later_half()
