"""Episodes kept back from learning, so that a policy can be compared with demonstrations that are new to it.

Episodes with equal digests count as one here: who has learned from one of them knows the others.
"""

from __future__ import annotations

import hashlib

from gailkit.demonstrations.dataset import Demonstrations
from gailkit.errors import InputError
from gailkit.wording import counted

Sides = tuple[Demonstrations, Demonstrations | None]
"""The episodes to learn from and those held out, each in the order they had; None where nothing is held out."""

FEWEST = 5  # different episodes of which some are held out without being asked for
ENOUGH = 10  # episodes that a verdict on closeness needs; learning gets as many first


def hold_out(demonstrations: Demonstrations, share: float | None = None, seed: int = 0) -> Sides:
    """Part the episodes at random.

    Which ones are held out follows from ``seed`` and from what the episodes hold, not from their order or their file. A
    larger share holds out the same ones and more.

    Args:
        share: of the different episodes, rounded to whole ones; 0 for none. None stands for a fifth of them, or where
            it is more for as many as there are beyond ten, up to ten; and for none of fewer than five.

    Raises:
        InputError: if the share is not in [0, 1), or one part would be empty.
    """
    digests = demonstrations.digests()
    different = set(digests)
    at_random = sorted(different, key=lambda digest: hashlib.sha256(f"{seed} {digest}".encode()).digest())
    kept_back = at_random[: _how_many(len(different), share)]
    return _parted(demonstrations, digests, different.difference(kept_back))


def hold_out_all_but(demonstrations: Demonstrations, count: int) -> Sides:
    """The first ``count`` episodes, and the others as far as none of the first is equal to them.

    Raises:
        InputError: if there are fewer, or count < 1.
    """
    learned_from = demonstrations.choose(count)
    digests = demonstrations.digests()
    return learned_from, _parted(demonstrations, digests, set(digests[:count]))[1]


def _parted(demonstrations: Demonstrations, digests: list[str], learned_from: set[str]) -> Sides:
    known = [digest in learned_from for digest in digests]
    if all(known):
        return demonstrations, None
    seen, new = ([index for index, side in enumerate(known) if side is wanted] for wanted in (True, False))
    return demonstrations.pick(seen), demonstrations.pick(new)


def _how_many(different: int, share: float | None) -> int:
    if share is None:
        return 0 if different < FEWEST else max(round(different / 5), min(ENOUGH, different - ENOUGH))
    if not 0 <= share < 1:
        raise InputError(f"the share of the episodes to hold out must be at least 0 and below 1; found {share:g}")
    count = round(share * different)
    if share > 0 and not 1 <= count < different:
        raise InputError(
            f"a share of {share:g} of {counted(different, 'different episode')} holds out {count} of "
            "them; at least one must be "
            "held out and one be left to learn from"
        )
    return count
