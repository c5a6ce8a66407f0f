"""The colours of a report, and what tells the sides apart without any: the stroke, the filling and the mark.

Hues are Okabe and Ito's, which people of every colour vision tell apart, darkened or lightened until text in them has a
contrast of 4.5 to 1 with the page. Figures are drawn in place holders, which ``svg`` replaces by variables of the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Colour(NamedTuple):
    """One role in a report."""

    drawn: str  # the place holder that figures are drawn in
    light: str
    dark: str


class Side(NamedTuple):
    """Whose numbers these are, told by four means."""

    label: str
    colour: str  # a name in COLOURS
    dashes: tuple[float, ...]  # lengths of strokes and gaps, in widths of the line; none is a solid line
    hatch: str
    mark: str


COLOURS: Mapping[str, Colour] = {
    "ink": Colour("#010203", "#1b1f24", "#e6e8eb"),
    "muted": Colour("#010204", "#57606a", "#a3abb5"),
    "grid": Colour("#010205", "#d8dde3", "#363d46"),
    "expert": Colour("#010206", "#0068a3", "#56b4e9"),
    "policy": Colour("#010207", "#a84300", "#f0a830"),
    "random": Colour("#010208", "#6b5a75", "#c8b3d6"),
}
PAGE: Mapping[str, Colour] = {  # never drawn with
    "page": Colour("", "#ffffff", "#14171b"),
    "card": Colour("", "#f5f7f9", "#1e2329"),
    "good": Colour("", "#00664a", "#4fd0a5"),
    "warning": Colour("", "#8a5000", "#f0b955"),
    "bad": Colour("", "#a3243b", "#ff9aa8"),
}
DRAWN: Mapping[str, str] = {name: colour.drawn for name, colour in COLOURS.items()}

EXPERT = Side("expert", "expert", (), "", "o")
POLICY = Side("policy", "policy", (4.0, 2.0), "///", "D")
RANDOM = Side("random actions", "random", (1.0, 1.6), "", "^")
