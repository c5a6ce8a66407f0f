"""A figure as SVG that stands inside a page: it takes the page's colours and font, and the width it is given.

Text stays text, so that it can be read aloud, searched and copied. Nothing in it points outside the page.
"""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import matplotlib
from matplotlib.figure import Figure

from gailkit.report.markup import Markup, readable
from gailkit.report.palette import COLOURS, DRAWN

WIDTH = 3.5  # inches: 252 units, so that 9 points are about 12 pixels on a phone of 360
FONT = 9.0  # points
HEIGHT = 2.1  # inches
STYLE: dict[Any, Any] = {  # matplotlib's annotations list every name that it knows
    "svg.fonttype": "none",
    "svg.hashsalt": "gailkit",
    "text.parse_math": False,  # a name with two dollar signs is no formula
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "font.size": FONT,
    "axes.labelsize": FONT,
    "axes.titlesize": FONT,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "legend.fontsize": FONT,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": DRAWN["ink"],
    "axes.labelcolor": DRAWN["muted"],
    "axes.edgecolor": DRAWN["muted"],
    "xtick.color": DRAWN["muted"],
    "ytick.color": DRAWN["muted"],
    "grid.color": DRAWN["grid"],
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.6,
    "axes.linewidth": 0.6,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.5,
    "hatch.linewidth": 0.5,
    "path.simplify_threshold": 0.5,
}
VARIABLE = {colour.drawn: f"var(--{name})" for name, colour in COLOURS.items()}
XLINK = "{http://www.w3.org/1999/xlink}"
LEFT_OUT = {"metadata", "style"}  # addresses of schemas, and rules that would hold for the whole page

_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_FAMILY = re.compile(r"font-family: [^;]*;? ?")
_UPRIGHT = re.compile(r"rotate\(-?0 [^)]*\)")
_LONG = re.compile(r"-?\d+\.\d{3,}")
_OWN = re.compile(r"^#|url\(#")  # what refers to an id of the same document
_NUMBERS = ("d", "x", "y", "width", "height", "points", "transform", "x1", "x2", "y1", "y2")


@dataclass(frozen=True)
class Drawing:
    """An SVG whose ids are not yet told from those of the others on a page."""

    source: str  # a whole svg element, well formed
    label: str  # what there is to see, for those who do not see it

    def markup(self, prefix: str) -> Markup:
        """The element, every id of it beginning with ``prefix``."""
        root = ElementTree.fromstring(self.source)
        for part in root.iter():
            for name, value in part.attrib.items():
                if name == "id":
                    part.set(name, prefix + value)
                else:
                    part.set(name, _OWN.sub(lambda found: found[0] + prefix, value))
        return Markup(ElementTree.tostring(root, encoding="unicode"))


def new_figure(height: float = HEIGHT, width: float = WIDTH) -> Figure:
    """A figure for one panel, in the style that holds within ``styled``; sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def styled() -> AbstractContextManager[None]:
    """The context in which panels are drawn: ``with styled(): figure = new_figure() ...``."""
    return matplotlib.rc_context(STYLE)


def drawing(figure: Figure, label: str) -> Drawing:
    """What ``figure`` shows, to be placed in a page; ``label`` says it in words.

    Raises:
        ValueError: if something was drawn in a colour that is not of the palette, and would be lost in the dark.
    """
    file = io.BytesIO()
    with styled():
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(file.getvalue())
    for part in list(root.iter()):
        part.tag = part.tag.rpartition("}")[2]
        for unwanted in [child for child in part if child.tag.rpartition("}")[2] in LEFT_OUT]:
            part.remove(unwanted)
    wanted = _referred_to(root)
    for part in root.iter():
        part.tail = None
        part.text = part.text if part.text and part.text.strip() else None
        part.attrib = _attributes(part, wanted)
    said = readable(label)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": said}
    title = Element("title")
    title.text = said
    root.insert(0, title)
    return Drawing(ElementTree.tostring(root, encoding="unicode"), said)


def _referred_to(root: Element) -> set[str]:
    """The ids that something in the figure uses; matplotlib gives one to every group besides."""
    values = [value for part in root.iter() for value in part.attrib.values()]
    return {name for value in values for name in re.findall(r"(?:^|url\()#([\w-]+)", value)}


def _attributes(part: Element, wanted: set[str]) -> dict[str, str]:
    kept = {name.replace(XLINK, ""): value for name, value in part.attrib.items()}
    if kept.get("id") not in wanted:
        kept.pop("id", None)
    for name in _NUMBERS:
        if name in kept:
            kept[name] = " ".join(_UPRIGHT.sub("", _LONG.sub(_rounded, kept[name])).split())
    if "style" in kept:
        kept["style"] = _LONG.sub(_rounded, _COLOUR.sub(_variable, _FAMILY.sub("", kept["style"])))
    return {name: value for name, value in kept.items() if value}


def _variable(found: re.Match[str]) -> str:
    if found[0] not in VARIABLE:
        raise ValueError(f"a figure is drawn in {found[0]}; accepted are the colours of the palette")
    return VARIABLE[found[0]]


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
