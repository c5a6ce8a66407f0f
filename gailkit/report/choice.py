"""Which of the policies that a run ended with was chosen, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gailkit.report.blocks import Paragraph
from gailkit.report.markup import shortened
from gailkit.report.words import counted, number

LONGEST_NAME = 30


def choice_paragraph(choice: object) -> Paragraph | None:
    """The sentence on ``choice``, the record that a run keeps; None where it is none, for it may be anybody's."""
    if not isinstance(choice, Mapping) or not isinstance(choice.get("policy"), str):
        return None
    chosen, played = shortened(choice["policy"], LONGEST_NAME), choice.get("played")
    if played == []:
        return Paragraph(
            f"The run was too short to play the policies that it ended with, so the {chosen} one was taken unseen."
        )
    nearest = _nearest(played) if isinstance(played, list) else {}
    if choice["policy"] not in nearest:
        return None
    first = nearest[choice["policy"]]
    distances = ", ".join(
        f"{shortened(name, LONGEST_NAME)} {number(each['distance'])} ({each['actions']} actions)"
        for name, each in nearest.items()
    )
    return Paragraph(
        f"Of the policies that the run ended with, the {chosen} one was chosen, whose steps in "
        f"{counted(first['episodes'], 'episode')} lay nearest to the demonstrations. The distances, in the deviations of "
        f"the demonstrations: {distances}."
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
