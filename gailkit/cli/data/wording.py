"""How the commands on files say what they found."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NUMBERS = 12  # of episodes that are listed for people


def listed(numbers: Sequence[int]) -> str:
    """``3, 5, 8, ...``: the first of them."""
    return ", ".join(map(str, numbers[:MOST_NUMBERS])) + (", ..." if len(numbers) > MOST_NUMBERS else "")
