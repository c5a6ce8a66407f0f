"""A page holds what it was given, and nothing it was given can be anything but text."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from gailkit.report.blocks import Note, Panel, Panels, Paragraph, Table, bar
from gailkit.report.markup import Markup, element, escaped, joined, readable, shortened
from gailkit.report.page import Page, Section, Verdict
from gailkit.report.palette import COLOURS, PAGE
from gailkit.report.style import style_sheet

LIMIT = 1_500_000


class Reader(HTMLParser):
    """Every element with its attributes, and the text outside of styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, *names: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements for name in names if name in attributes]


@pytest.fixture(scope="module")
def reader(rendered: str) -> Reader:
    return Reader(rendered)


def test_no_script_and_no_handler_comes_in(reader: Reader) -> None:
    tags = {tag for tag, _ in reader.elements}
    assert not tags & {"script", "iframe", "object", "embed", "link", "form", "base", "foreignobject"}
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]


def test_hostile_names_stand_on_the_page_as_they_are(page: Page, reader: Reader) -> None:
    assert reader.text.count(page.title) >= 10
    assert page.title in reader.values("aria-label") and page.title in reader.values("alt")


def test_nothing_is_fetched(rendered: str, reader: Reader) -> None:
    assert all(value.startswith(("#", "data:")) for value in reader.values("src", "href", "srcset", "xlink:href"))
    assert all(target.startswith("#") for target in re.findall(r"url\(\s*['\"]?([^)]*)", rendered))
    assert "http:" not in rendered and "https:" not in rendered and "@import" not in rendered
    (policy,) = [a["content"] for _, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "script" not in policy


def test_every_id_is_there_once_and_every_reference_finds_one(rendered: str, reader: Reader) -> None:
    ids = Counter(reader.values("id"))
    assert len(ids) > 20 and set(ids.values()) == {1}
    referred = {value[1:] for value in reader.values("href") if value.startswith("#")}
    assert referred | set(re.findall(r"url\(#([^)]*)\)", rendered)) <= set(ids)


def test_a_page_is_small_and_always_the_same(page: Page, rendered: str) -> None:
    assert len(rendered.encode()) < LIMIT / 5
    assert page.render() == rendered


def test_a_page_says_its_language_and_fits_a_phone(rendered: str) -> None:
    assert rendered.startswith('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">')
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in rendered


def test_a_table_of_contents_appears_where_there_is_something_to_find() -> None:
    sections = [Section(f"Part {number}", [Paragraph("text")]) for number in range(4)]
    long, short = (Page("t", "s", Verdict("good", "v"), part).render() for part in (sections, sections[:2]))
    assert '<a href="#s4">Part 3</a>' in long and '<section id="s4">' in long
    assert "<nav" not in short


def test_text_is_escaped_and_markup_is_not_escaped_again() -> None:
    inner = element("b", "<i>")
    assert inner == "<b>&lt;i&gt;</b>"
    assert element("p", inner, "&", title='"') == '<p title="&quot;"><b>&lt;i&gt;</b>&amp;</p>'
    assert joined("<", inner) == f"&lt;{inner}"
    assert element("img", alt="a", class_="x") == '<img alt="a" class="x">'


def test_ordinary_operations_on_markup_give_text_that_is_escaped_again() -> None:
    assert not isinstance(Markup("<b>") + "<i>", Markup)
    assert escaped(Markup("<b>").upper()) == "&lt;B&gt;"


@pytest.mark.parametrize("forbidden", ["\x00", "\x1b", "\x9f", "\ud800", "\ufffe", "\u202e", "\u2066"])
def test_letters_that_no_page_may_hold_are_replaced(forbidden: str) -> None:
    assert readable(f"a{forbidden}b") == "a\ufffdb"
    assert f"a{forbidden}b" not in element("p", f"a{forbidden}b")
    element("p", forbidden).encode()


def test_a_long_name_keeps_both_ends() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijk", 10) == "abc...hijk"


def test_a_cell_says_what_column_it_is_of_and_rows_must_fit() -> None:
    table = Table("c", ["measure", "policy"], [["return", "5"]], frozenset({1})).render(iter(()))
    assert '<th scope="row" class="txt">return</th><td class="num" data-head="policy">5</td>' in table
    with pytest.raises(ValueError, match="a row of 1 cells stands under a head of 2"):
        Table("c", ["a", "b"], [["x"]])


def test_a_bar_is_as_long_as_its_share_and_never_longer_than_its_cell() -> None:
    assert ['width="40.0"' in bar(0.4), 'width="100.0"' in bar(7.0), 'width="0.0"' in bar(-1.0)] == [True] * 3


def test_the_tone_of_a_note_is_told_by_a_word_and_by_a_shape_of_its_own() -> None:
    notes = {tone: Note(tone, "title", "meaning").render(iter(())) for tone in ("good", "note", "warning", "bad")}
    words = [re.findall(r'class="word">([^<]*)<', note) for note in notes.values()]
    assert words == [["Good"], ["To know"], ["Look here"], ["Trouble"]]
    assert len({re.findall(r' d="([^"]*)"', note)[0] for note in notes.values()}) == 4
    assert "Try: " not in notes["good"] and "Try: " in Note("bad", "t", "m", "more").render(iter(()))


def test_two_figures_that_are_equal_share_no_id(page: Page) -> None:
    (figure,) = [b.panels[0] for section in page.sections for b in section.blocks if isinstance(b, Panels)][:1]
    assert isinstance(figure, Panel)
    twice = Panels([figure, figure]).render(iter(["x-", "y-"]))
    ids = re.findall(r' id="([^"]*)"', twice)
    assert len(ids) > 2 and len(set(ids)) == len(ids)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: the ratio of relative luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_the_guidelines_say() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("ground", ["page", "card"])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_all_that_is_written_or_drawn_can_be_read(mode: str, ground: str) -> None:
    colours = {name: getattr(colour, mode) for name, colour in {**COLOURS, **PAGE}.items()}
    for name in set(colours) - {"page", "card", "grid"}:
        assert contrast(colours[name], colours[ground]) >= 4.5, f"{name} on {ground} in {mode}"


def test_the_style_has_the_colours_of_both_modes_and_light_ones_on_paper() -> None:
    light, dark, paper = re.findall(r"--expert: (#\w+);", style_sheet())
    assert (light, dark, paper) == (COLOURS["expert"].light, COLOURS["expert"].dark, COLOURS["expert"].light)
