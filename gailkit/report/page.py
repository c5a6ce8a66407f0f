"""The page itself: head, first screen, table of contents, sections. It holds no script and fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gailkit.report.blocks import Block, Tone, icon
from gailkit.report.markup import Markup, element
from gailkit.report.style import style_sheet

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a browser is to allow, should anything foreign have come in all the same."""

CONTENTS_FROM = 3  # fewer sections need no table of contents


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Large:
    """A number for whom has ten seconds: its name, itself, its interval, and what it means in a few words."""

    name: str
    value: str
    interval: str
    meaning: str


@dataclass(frozen=True)
class Verdict:
    """The first screen: the answer in one line, how good it is, and why; what is seen of it; what it goes by."""

    tone: Tone
    title: str
    sentences: Sequence[str] = ()
    numbers: Sequence[Large] = ()
    film: Block | None = None  # beside it where there is room, else below
    behind: Block | None = None  # for whom asks


@dataclass(frozen=True)
class Page:
    """A report."""

    title: str
    summary: str  # one line below the title: of what, and when
    verdict: Verdict
    sections: Sequence[Section]
    footer: str = ""

    def render(self) -> str:
        """The whole file; the same page always gives the same text."""
        numbers = range(1, len(self.sections) + 1)
        prefixes = (f"f{number}-" for number in range(1, 10**9))
        body = [
            element("header", element("h1", self.title), element("p", self.summary)),
            _first_screen(self.verdict, prefixes),
            *([_contents(self.sections)] if len(self.sections) >= CONTENTS_FROM else []),
            element(
                "main",
                *(
                    element(
                        "section",
                        element("h2", section.title),
                        *(block.render(prefixes) for block in section.blocks),
                        id=f"s{number}",
                    )
                    for number, section in zip(numbers, self.sections, strict=True)
                ),
            ),
            *([element("footer", element("p", self.footer))] if self.footer else []),
        ]
        return f"<!DOCTYPE html>\n{element('html', _head(self.title), element('body', *body), lang='en')}\n"


def _head(title: str) -> Markup:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", Markup(style_sheet())),
    )


def _first_screen(verdict: Verdict, prefixes: Iterator[str]) -> Markup:
    said = [element("p", sentence) for sentence in verdict.sentences]
    numbers = [element("dl", *map(_large, verdict.numbers), class_="large")] if verdict.numbers else []
    behind = [] if verdict.behind is None else [verdict.behind.render(prefixes)]
    title = element("h2", verdict.title)
    box = element("div", icon(verdict.tone), title, *said, *numbers, *behind, class_=f"verdict {verdict.tone}")
    if verdict.film is None:
        return box
    return element("div", box, verdict.film.render(prefixes), class_="first")


def _large(number: Large) -> Markup:
    value = element("dd", element("strong", number.value), " ", number.interval)
    return element("div", element("dt", number.name), value, element("dd", number.meaning, class_="meaning"))


def _contents(sections: Sequence[Section]) -> Markup:
    links = [
        element("li", element("a", section.title, href=f"#s{number}")) for number, section in enumerate(sections, 1)
    ]
    return element("nav", element("ul", *links), aria_label="Contents")
