"""What a check says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]
"""An error keeps the data from being used as it is, a warning spoils what is learned, a note is good to know."""


class Finding(NamedTuple):
    """Something that a person should know of before training on a file."""

    name: str
    severity: Severity
    found: str  # one sentence, with numbers
    episodes: tuple[int, ...] = ()  # those concerned, by their number in the file
    mend: str | None = None  # the whole command that mends it; None where there is none


class Unchecked(NamedTuple):
    """Why a check could not be made."""

    reason: str


Outcome = list[Finding] | Unchecked
"""No findings means that all is well."""


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as ``gailkit data select --episodes`` takes them: 0-2,5."""
    runs = [[number for _, number in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
