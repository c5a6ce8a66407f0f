"""A figure in a page takes the page's colours, size and font, and shows the numbers it was given."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from gailkit.report.palette import COLOURS, DRAWN
from gailkit.report.svg import Drawing, drawing, new_figure, styled


def line(colour: str = DRAWN["expert"], text: str = "x < $y$ & z") -> Drawing:
    with styled():
        figure = new_figure()
        axes = figure.add_subplot()
        axes.plot([0, 1, 3], [0.123456789, 2, 1], "o", color=colour)
        axes.set_xlabel(text)
        return drawing(figure, "a line")


def test_the_size_is_the_pages_to_choose_and_the_shape_is_kept() -> None:
    root = ElementTree.fromstring(line().markup("f1-"))
    assert root.tag == "svg" and root.attrib == {"viewBox": "0 0 252 151.2", "role": "img", "aria-label": "a line"}
    assert root[0].tag == "title" and root[0].text == "a line"


def test_text_stays_text_in_the_font_of_the_page() -> None:
    source = line().source
    assert "x &lt; $y$ &amp; z</text>" in source
    assert "font-family" not in source and "DejaVu" not in source


def test_colours_are_variables_of_the_page() -> None:
    source = line().source
    assert {"var(--expert)", "var(--muted)", "var(--grid)"} <= set(re.findall(r"var\(--\w+\)", source))
    assert not re.findall(r"#[0-9a-fA-F]{6}\b", source)


@pytest.mark.parametrize("colour", ["red", "black", "#010209"])
def test_a_colour_that_would_not_follow_the_page_is_refused(colour: str) -> None:
    with pytest.raises(ValueError, match=r"drawn in #\w{6}; accepted are the colours of the palette"):
        line(colour)


def test_place_holders_are_told_apart() -> None:
    assert len(set(DRAWN.values())) == len(COLOURS)


def test_nothing_is_left_of_the_files_own_surroundings() -> None:
    source = line().source
    for foreign in ("<?xml", "DOCTYPE", "<style", "metadata", "xmlns", "xlink", "http", "<!--"):
        assert foreign not in source


def test_equal_figures_are_equal_text_and_ids_begin_with_the_prefix() -> None:
    first, second = line(), line()
    assert first == second
    markup = first.markup("f7-")
    ids = re.findall(r' id="([^"]*)"', markup)
    assert ids and all(name.startswith("f7-") for name in ids)
    referred = set(re.findall(r'(?:href="|url\()#([^")]*)', markup))
    assert referred == set(ids)


def test_numbers_have_two_decimals() -> None:
    assert not re.findall(r"\d\.\d{3,}", line().source)


def test_a_label_cannot_leave_its_attribute() -> None:
    with styled():
        figure = new_figure()
    root = ElementTree.fromstring(drawing(figure, '"><script>\x1b').markup("f1-"))
    assert root.attrib["aria-label"] == '"><script>\ufffd' and root.find(".//script") is None


def test_the_style_of_others_is_not_changed() -> None:
    before = Figure().get_facecolor()
    line()
    assert Figure().get_facecolor() == before
