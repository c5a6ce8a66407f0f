"""Numbers as a report writes them."""

from __future__ import annotations

import math

from gailkit.functional.resampling import Estimate

MISSING = "\u2013"  # a dash where there is no number
UNBROKEN = "\u00a0"  # a space at which no line breaks


def number(value: float | None) -> str:
    """Four digits that count, or MISSING."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e6:
        digits = max(0, 3 - math.floor(math.log10(abs(value))))
        return f"{value:,.{min(digits, 3)}f}"
    return f"{value:.3g}"


def short(value: float) -> str:
    """Two digits after the point, for what is read at a glance."""
    return f"{round(value, 2) + 0.0:.2f}"  # + 0.0: no number is -0


def estimated(found: Estimate | None) -> str:
    """A number and its interval, ``5 [4, 6]``; an interval without width would only repeat the number."""
    if found is None:
        return MISSING
    if found.low == found.high:
        return number(found.value)
    return f"{number(found.value)} [{number(found.low)},{UNBROKEN}{number(found.high)}]"


def percent(share: float | None) -> str:
    """A share of 1 in whole percents; more finely near 0 and 1, which no rounding may turn into never or always."""
    if share is None or not math.isfinite(share):
        return MISSING
    rounded = f"{100 * share:.0f}"
    if (rounded == "0" and share > 0) or (rounded == "100" and share < 1):
        rounded = f"{100 * share:.1f}"
    return f"{rounded}{UNBROKEN}%"


def p_value(p: float) -> str:
    """``p = 0.03``; a permutation test with few permutations is never more exact than that."""
    said = f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"
    return said.replace(" ", UNBROKEN)
