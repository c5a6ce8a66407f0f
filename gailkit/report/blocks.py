"""What a section of a report is made of. Every block turns into HTML in one way, and escapes what it was given."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gailkit.report.markup import Markup, element, joined
from gailkit.report.palette import Side
from gailkit.report.svg import Drawing

Tone = Literal["good", "note", "warning", "bad"]

SHAPES = {  # of an icon: the outline, and the sign in it
    "good": ("M10 1a9 9 0 1 0 0 18a9 9 0 1 0 0-18z", "M5.5 10.5l3 3l6-7"),
    "note": ("M4 2h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-12a2 2 0 0 1-2-2v-12a2 2 0 0 1 2-2z", "M10 9v5.5M10 5.2v1.2"),
    "warning": ("M10 1.5l9 16.5h-18z", "M10 7v5.5M10 14.6v1.2"),
    "bad": ("M6.3 1h7.4l5.3 5.3v7.4l-5.3 5.3h-7.4l-5.3-5.3v-7.4z", "M6.5 6.5l7 7M13.5 6.5l-7 7"),
}
WORDS = {"good": "Good", "note": "To know", "warning": "Look here", "bad": "Trouble"}


class Block(ABC):
    """A part of a section."""

    @abstractmethod
    def render(self, prefixes: Iterator[str]) -> Markup:
        """As HTML; each figure takes the next of the ``prefixes`` for its ids."""


@dataclass(frozen=True)
class Paragraph(Block):
    """Plain text."""

    text: str

    def render(self, prefixes: Iterator[str]) -> Markup:
        """One p element."""
        return element("p", self.text)


@dataclass(frozen=True)
class Note(Block):
    """One thing to know, how good or bad it is, what it means and what to try."""

    tone: Tone
    title: str
    meaning: str = ""
    advice: str = ""

    def render(self, prefixes: Iterator[str]) -> Markup:
        """An icon whose shape tells the tone, a word that says it, and the text."""
        word = element("span", WORDS[self.tone], class_="word")
        parts = [element("h3", icon(self.tone), word, " ", self.title)]
        if self.meaning:
            parts.append(element("p", self.meaning))
        if self.advice:
            parts.append(element("p", element("strong", "Try: "), self.advice))
        return element("div", *parts, class_=f"note {self.tone}")


@dataclass(frozen=True)
class Table(Block):
    """Rows of text under a head, the first cell of each naming it. A cell may be Markup, such as a ``bar``."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[int] = frozenset()  # columns that are set flush right

    def __post_init__(self) -> None:
        """Raises ValueError for a row that does not fit the head."""
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"a row of {len(row)} cells stands under a head of {len(self.head)}: {list(row)}")

    def render(self, prefixes: Iterator[str]) -> Markup:
        """A table that scrolls inside itself where it is wider than the page; on a phone each row is a list, in which
        a cell says what column it is of."""
        kinds = ["num" if column in self.numeric else "txt" for column in range(len(self.head))]
        titles = [element("th", t, scope="col", class_=kind) for t, kind in zip(self.head, kinds, strict=True)]
        rows = [
            element(
                "tr",
                element("th", row[0], scope="row", class_=kinds[0]),
                *(
                    element("td", cell, class_=kind, data_head=title)
                    for title, cell, kind in zip(self.head[1:], row[1:], kinds[1:], strict=True)
                ),
            )
            for row in self.rows
        ]
        head, body = element("thead", element("tr", *titles)), element("tbody", *rows)
        table = element("table", element("caption", self.caption), head, body)
        return element("div", table, class_="wide", role="region", aria_label=self.caption, tabindex=0)


@dataclass(frozen=True)
class Panel:
    """One figure with its title, which may come from anywhere, and a sentence below it."""

    title: str
    drawing: Drawing
    caption: str = ""

    def render(self, prefix: str) -> Markup:
        """A figure element."""
        below = [element("p", self.caption)] if self.caption else []
        return element("figure", element("figcaption", self.title), self.drawing.markup(prefix), *below)


@dataclass(frozen=True)
class Panels(Block):
    """Figures side by side as far as there is room, under a key to the sides that they show."""

    panels: Sequence[Panel]
    sides: Sequence[Side] = ()

    def render(self, prefixes: Iterator[str]) -> Markup:
        """A key and a grid."""
        key = [element("p", *(swatch(side) for side in self.sides), class_="key")] if self.sides else []
        grid = element("div", *(panel.render(next(prefixes)) for panel in self.panels), class_="panels")
        return joined(*key, grid)


@dataclass(frozen=True)
class Film(Block):
    """An animation, with a still for paper and for those who asked their system for less motion."""

    media_type: str
    data: bytes
    still: bytes  # PNG
    alt: str
    caption: str

    def render(self, prefixes: Iterator[str]) -> Markup:
        """Both pictures, of which the style shows one: a browser that prints keeps to the one that it has shown."""
        moving = element("img", src=_data_address(self.media_type, self.data), alt=self.alt, class_="moving")
        still = element("img", src=_data_address("image/png", self.still), alt=self.alt, class_="still")
        return element("figure", moving, still, element("p", self.caption), class_="film")


@dataclass(frozen=True)
class Commands(Block):
    """Lines to be typed, or other text whose spaces count."""

    caption: str
    lines: Sequence[str]

    def render(self, prefixes: Iterator[str]) -> Markup:
        """A pre element, whose long lines wrap."""
        return joined(element("h3", self.caption), element("pre", element("code", "\n".join(self.lines)), tabindex=0))


@dataclass(frozen=True)
class Details(Block):
    """Blocks that are folded away, except on paper."""

    summary: str
    blocks: Sequence[Block]

    def render(self, prefixes: Iterator[str]) -> Markup:
        """A details element."""
        return element("details", element("summary", self.summary), *(part.render(prefixes) for part in self.blocks))


def icon(tone: Tone) -> Markup:
    """A shape for each tone, so that colour is not needed; the word beside it is for those who hear the page."""
    outline, sign = SHAPES[tone]
    drawn = [element("path", d=path, fill="none", stroke="currentColor", stroke_width=2) for path in (outline, sign)]
    return element("svg", *drawn, class_="icon", viewBox="0 0 20 20", aria_hidden="true")


def bar(share: float) -> Markup:
    """A bar as long as ``share``, in [0, 1], of its cell; the number belongs into a cell beside it."""
    length = f"{100 * min(max(share, 0.0), 1.0):.1f}"
    full = element("rect", width=100, height=8, class_="trough")
    part = element("rect", width=length, height=8, class_="part")
    return element("svg", full, part, class_="bar", viewBox="0 0 100 8", preserveAspectRatio="none", aria_hidden="true")


def swatch(side: Side) -> Markup:
    """How a side is drawn, and its name."""
    dashes = " ".join(f"{2 * length:g}" for length in side.dashes) or "none"
    colour = f"var(--{side.colour})"
    line = element("path", d="M1 6h34", stroke_width=2, stroke_dasharray=dashes, style=f"stroke: {colour}")
    mark = element("path", d=MARKS[side.mark], style=f"fill: {colour}")
    drawn = element("svg", line, mark, viewBox="0 0 36 12", aria_hidden="true")
    return element("span", drawn, side.label)


MARKS = {  # the marks of matplotlib that sides have, around (18, 6)
    "o": "M18 2.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7z",
    "D": "M18 1.5l4.5 4.5l-4.5 4.5l-4.5-4.5z",
    "^": "M18 1.5l4.5 8.5h-9z",
}


def _data_address(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
