"""Which of the policies that a run ended with was chosen, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from gailkit.report.blocks import Paragraph
from gailkit.report.markup import shortened
from gailkit.report.words import number
from gailkit.wording import counted

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
    known = [each for each in played if _is_played(each)] if isinstance(played, list) else []
    means = _means(known)
    if policy not in means:
        return None
    episodes = counted(sum(each["episodes"] for each in known if each["policy"] == policy), "episode")
    distances = ", ".join(f"{shortened(name, LONGEST_NAME)} {number(mean)}" for name, mean in means.items())
    return Paragraph(
        f"Of the policies that the run ended with, {chosen} was chosen: in {episodes} of each, by its likeliest and by "
        "sampled actions, its steps lay nearest to the demonstrations. The mean distances, in the demonstrations' "
        f"deviations: {distances}."
    )


def _means(played: list[Mapping[str, Any]]) -> dict[str, float]:
    """The mean distance of every policy, which it is chosen by, over the kinds of actions played; the nearest first."""
    names = {each["policy"] for each in played}
    means = {name: fmean(each["distance"] for each in played if each["policy"] == name) for name in names}
    return dict(sorted(means.items(), key=lambda named: (named[1], named[0])))


def _is_played(each: object) -> bool:
    return (
        isinstance(each, Mapping)
        and isinstance(each.get("policy"), str)
        and each.get("actions") in ("likeliest", "sampled")
        and type(each.get("episodes")) is int
        and isinstance(each.get("distance"), float)
        and math.isfinite(each["distance"])
    )
