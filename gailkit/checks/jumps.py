"""Jumps that no step could make: an episode that is several, whose ends are not marked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gailkit.checks.finding import Finding, Outcome, Unchecked
from gailkit.checks.movement import FEWEST_STEPS, is_plain
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.wording import counted

MOST_NAMED = 6
FEWEST_PLACES = 3  # jumps, before what they have in common is taken for a time limit
SHORTEST_LIMIT = 5


def unmarked_ends(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether the file marks where episodes end, or whoever reads it says so."""
    if not subject.endings.unmarked:
        return []
    mend: str | None = subject.mend("convert")
    if "none" in subject.endings.assumed:
        apart = _common_distance(list((subject.jumps or {}).values()))
        mend = None if apart is None else subject.mend("convert", "--max-episode-steps", str(apart))
    return [Finding("unmarked_ends", "error", subject.endings.unmarked, subject.numbers, mend)]


def jumps(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether no step leads where no step could: far from the observation before, in most of its features at once."""
    if not all(map(is_plain, subject.trajectories)):
        return Unchecked(
            "jumps show only where an observation is a vector of two features or more and an action has no parts"
        )
    found = subject.jumps
    if found is None:
        return Unchecked(f"what a step can do is told from {FEWEST_STEPS} steps or more")
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


def _common_distance(found: Sequence[np.ndarray]) -> int | None:
    """The largest number of which the steps before all jumps are multiples; None where they are few, or it is small."""
    places = [place for steps in found for place in steps.tolist()]
    apart = math.gcd(*places)
    return apart if len(places) >= FEWEST_PLACES and apart >= SHORTEST_LIMIT else None
