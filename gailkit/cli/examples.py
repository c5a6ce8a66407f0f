"""The end of a help text."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """Commands that work as printed, in the order given, and beneath each, after a dash, what it makes or says.

    A line fits the 78 columns that a terminal of 80 leaves.
    """
    return "\n\n".join(("Examples:", *lines))
