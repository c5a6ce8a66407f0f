"""A page with every kind of block and with names that would break out of it if anything let them; an evaluation."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation.evaluate import evaluate
from gailkit.evaluation.evaluation import Evaluation
from gailkit.report.blocks import Commands, Details, Film, Note, Panel, Panels, Paragraph, Table, bar
from gailkit.report.occupancy import draw_occupancy
from gailkit.report.page import Large, Page, Section, Verdict
from gailkit.report.palette import EXPERT, POLICY, RANDOM
from gailkit.report.panels import (
    Interval,
    draw_choices,
    draw_cumulative,
    draw_distribution,
    draw_intervals,
    draw_marks,
)
from gailkit.types import Batched

HOSTILE = "</title></style></script><script>document.body.id='broken'</script><img src=x onerror=\"x()\">' & $\\frac$"
LONG = "a" * 300  # a word without a place to break


def frames(colours: list[str]) -> bytes:
    images = [Image.new("RGB", (120, 80), colour) for colour in colours]
    file = io.BytesIO()
    images[0].save(file, "webp", save_all=True, append_images=images[1:], duration=100)
    return file.getvalue()


def still(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (120, 80), colour).save(file, "png")
    return file.getvalue()


def panels() -> list[Panel]:
    random = np.random.default_rng(0)
    expert, policy, chance = random.normal(0, 1, 500), random.normal(0.5, 1.3, 400), random.normal(-3, 2, 300)
    sides = [(EXPERT, expert), (POLICY, policy), (RANDOM, chance)]
    shares = [(EXPERT, np.array([0.2, 0.5, 0.3])), (POLICY, np.array([0.3, 0.3, 0.4]))]
    clouds = [(EXPERT, random.normal(0, 1, (600, 2))), (POLICY, random.normal(1, 1, (600, 2)))]
    intervals = [Interval(HOSTILE, POLICY, 0.87, 0.82, 0.91), Interval("expert", EXPERT, 1.0, 0.97, 1.02)]
    return [
        Panel(HOSTILE, draw_distribution(sides[:2], HOSTILE), HOSTILE),
        Panel(LONG, draw_choices(shares, "choices"), LONG),
        Panel("Returns", draw_marks(sides, "returns", "return")),
        Panel("Returns, cumulative", draw_cumulative(sides, "returns", "return")),
        Panel("Closeness", draw_intervals(intervals, "closeness", "0 = random", {"random": 0.0, "expert": 1.0})),
        Panel("Occupancy", draw_occupancy(clouds, "map", ["component 1 (61 %)", "component 2 (20 %)"])),
    ]


@pytest.fixture(scope="session")
def page() -> Page:
    """Every kind of block, with hostile and with long names wherever a name may stand."""
    numbers = [Large(HOSTILE, "0.87", LONG, HOSTILE), Large("Score", "-123.45", "[-130.00, -110.00]", LONG)]
    table = Table(
        HOSTILE, [HOSTILE, "policy", ""], [[HOSTILE, "12.3", bar(0.4)], [LONG, HOSTILE, bar(2.0)]], frozenset({1})
    )
    film = Film("image/webp", frames(["red", "blue"]), still("red"), HOSTILE, HOSTILE)
    return Page(
        HOSTILE,
        f"{HOSTILE} {LONG}",
        Verdict("warning", HOSTILE, (HOSTILE, LONG), numbers, film, Details(HOSTILE, [Paragraph(LONG)])),
        [
            Section("Numbers", [Paragraph(f"{HOSTILE} {LONG}"), table]),
            Section(HOSTILE, [Panels(panels(), [EXPERT, POLICY, RANDOM]), Panels(panels()[:1]), film]),
            Section("Notes", [Note(tone, HOSTILE, LONG, HOSTILE) for tone in ("good", "note", "warning", "bad")]),
            Section("Again", [Commands(HOSTILE, [HOSTILE, LONG]), Details(HOSTILE, [Paragraph("folded away")])]),
        ],
        HOSTILE,
    )


@pytest.fixture(scope="session")
def rendered(page: Page) -> str:
    """The text of ``page``."""
    return page.render()


@Batched
def swinging(observations: np.ndarray) -> np.ndarray:
    """Pushes the car of MountainCar the way it goes, which brings it up the hill."""
    return np.where(observations[:, 1] < 0, 0, 2)


@pytest.fixture(scope="session")
def evaluation(repository: Path) -> Evaluation:
    """A simple rule beside the expert of MountainCar."""
    demonstrations = Demonstrations.load(repository / "datasets" / "mountaincar-v0.hdf5").choose(12)
    return evaluate(swinging, demonstrations, "MountainCar-v0", episodes=10)


@pytest.fixture
def changed(evaluation: Evaluation) -> Callable[..., Evaluation]:
    """``changed(env_id="X", closeness__two_sample=None)``: the evaluation with other values in it."""

    def change(**values: Any) -> Evaluation:
        deep = {name.removeprefix("closeness__"): value for name, value in values.items() if "__" in name}
        flat = {name: value for name, value in values.items() if "__" not in name}
        made = dataclasses.replace(evaluation, **flat)
        vars(made)["closeness"] = dataclasses.replace(evaluation.closeness, **deep)  # where the property keeps it
        return made

    return change


class Words(HTMLParser):
    """The text of a page outside of styles, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] != "style":
            self.text += f" {data}"


@pytest.fixture(scope="session")
def read() -> type[Words]:
    """``read(page)``: the words and tags of a page, given as HTML."""
    return Words


@pytest.fixture(scope="session")
def said() -> Callable[[Section], str]:
    """``said(section)``: the words of one section."""
    return lambda section: Words(Page("", "", Verdict("note", ""), [section]).render()).text


@pytest.fixture(scope="session")
def spaced() -> Callable[[str], str]:
    """``spaced(text)``: with ordinary spaces for those at which no line breaks, as ``Words`` has them."""
    return lambda text: " ".join(text.split())
