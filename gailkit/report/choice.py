"""Which of the policies that a run ended with was chosen, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gailkit.report.blocks import Paragraph
from gailkit.report.markup import shortened
from gailkit.report.words import counted, number

LONGEST_NAME = 30
NAMED = {"last": "the last one", "averaged": "the average of its last ones", "clone": "the clone that it began with"}


def choice_paragraph(choice: object) -> Paragraph | None:
    """The sentence on ``choice``, the record that a run keeps; None where it is none, for it may be anybody's."""
    if not isinstance(choice, Mapping) or not isinstance(choice.get("policy"), str):
        return None
    policy, played = choice["policy"], choice.get("played")
    chosen = NAMED.get(policy, shortened(policy, LONGEST_NAME))
    if played == []:
        return Paragraph(f"The policy of the run is {chosen}; it was too short to play the others beside it.")
    nearest = _nearest(played) if isinstance(played, list) else {}
    if policy not in nearest:
        return None
    episodes = counted(nearest[policy]["episodes"], "episode")
    distances = ", ".join(
        f"{shortened(name, LONGEST_NAME)} {number(each['distance'])} (by {each['actions']} actions)"
        for name, each in nearest.items()
    )
    return Paragraph(
        f"Of the policies that the run ended with, {chosen} was chosen: in {episodes} of each its steps lay nearest to "
        f"the demonstrations. The distances, in the demonstrations' deviations: {distances}."
    )


def _nearest(played: list[Any]) -> dict[str, Mapping[str, Any]]:
    """Of every policy the kind of actions by which it was nearest, the nearest policy first."""
    found: dict[str, Mapping[str, Any]] = {}
    for each in sorted(filter(_is_played, played), key=lambda each: float(each["distance"])):
        found.setdefault(each["policy"], each)
    return found


def _is_played(each: object) -> bool:
    return (
        isinstance(each, Mapping)
        and isinstance(each.get("policy"), str)
        and each.get("actions") in ("likeliest", "sampled")
        and type(each.get("episodes")) is int
        and isinstance(each.get("distance"), float)
        and math.isfinite(each["distance"])
    )
