"""What is told of how episodes came about, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count


def next_step(provenance: Mapping[str, str], text: str) -> dict[str, str]:
    """``text`` under the first name ``step_N`` that ``provenance`` does not have."""
    number = next(number for number in count(1) if f"step_{number}" not in provenance)
    return {f"step_{number}": text}
