"""A report in a real browser: it fits a phone and a desktop, every figure can be read, and it follows the dark."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gailkit.report.palette import PAGE

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
WIDTHS = (360, 1280)
SMALLEST_TEXT = 11  # pixels
MODES = {"light": 1, "dark": 0}  # as Chromium numbers them

# Reports hold no script; this one stands around them, and writes down what it sees in the frames.
MEASURE = """
const seen = {};
for (const frame of document.querySelectorAll('iframe')) {
  const page = frame.contentDocument;
  const figures = [...page.querySelectorAll('figure > svg')].map(svg => {
    const outer = svg.getBoundingClientRect(), scale = outer.width / svg.viewBox.baseVal.width;
    const texts = [...svg.querySelectorAll('text')].map(text => {
      const box = text.getBoundingClientRect();
      return {size: parseFloat(getComputedStyle(text).fontSize) * scale, off: Math.max(
        outer.left - box.left, box.right - outer.right, outer.top - box.top, box.bottom - outer.bottom)};
    });
    return {width: outer.width, height: outer.height, texts};
  });
  const others = [...page.querySelectorAll('svg:not(figure > svg), img.moving')].map(part => {
    const box = part.getBoundingClientRect();
    return [part.tagName, box.width, box.height];
  });
  seen[frame.width] = {scroll: page.documentElement.scrollWidth, client: page.documentElement.clientWidth,
    still: page.querySelector('img.still').getBoundingClientRect().height,
    height: page.documentElement.scrollHeight, broken: page.getElementById('broken') !== null, figures, others};
}
document.body.textContent = JSON.stringify(seen);
"""

Browse = Callable[..., str]


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Browse:
    """``browse(page, "--dump-dom")``: what Chromium prints, without access to any network it could use unasked."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("NOT TESTED how a report looks in a browser: no chromium here")

    def run(page: Path, *flags: str) -> str:
        profile = tmp_path_factory.mktemp("profile")
        command = [program, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    return run


@pytest.fixture(scope="module")
def seen(browse: Browse, rendered: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What MEASURE found, by the width of the window."""
    frames = "".join(
        f'<iframe width="{width}" height="700" srcdoc="{html.escape(rendered, quote=True)}"></iframe>'
        for width in WIDTHS
    )
    path = tmp_path_factory.mktemp("frames") / "frames.html"
    path.write_text(f"<!DOCTYPE html><body>{frames}<script>onload = () => {{ {MEASURE} }}</script>", encoding="utf-8")
    printed = browse(path, "--dump-dom", "--window-size=1400,900")
    found: dict[str, Any] = json.loads(html.unescape(printed[printed.index("{") : printed.rindex("}") + 1]))
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_as_wide_as_its_window_whatever_names_it_holds(seen: dict[str, Any], width: int) -> None:
    page = seen[str(width)]
    assert page["scroll"] <= page["client"] <= width
    assert page["height"] > 1000
    assert not page["broken"]
    assert page["still"] == 0, "the still is for paper"


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_has_a_size_and_words_that_can_be_read(seen: dict[str, Any], width: int) -> None:
    page = seen[str(width)]
    assert len(page["figures"]) == 7 and all(part[1] > 8 and part[2] > 8 for part in page["others"])
    for figure in page["figures"]:
        assert figure["width"] > 250 and figure["height"] > 80 and len(figure["texts"]) > 3
        assert min(text["size"] for text in figure["texts"]) >= SMALLEST_TEXT
        assert max(text["off"] for text in figure["texts"]) <= 1, "a word runs off its figure"


@pytest.mark.parametrize("mode", MODES)
def test_a_screenshot_is_of_the_mode_and_not_blank(browse: Browse, rendered: str, tmp_path: Path, mode: str) -> None:
    path, shot = tmp_path / "report.html", tmp_path / "shot.png"
    path.write_text(rendered, encoding="utf-8")
    browse(
        path, f"--screenshot={shot}", "--window-size=800,1600", f"--blink-settings=preferredColorScheme={MODES[mode]}"
    )
    pixels = np.asarray(Image.open(shot).convert("RGB"))
    grounds = {each: [int(getattr(PAGE["page"], each)[at : at + 2], 16) for at in (1, 3, 5)] for each in MODES}
    shares = {each: float((pixels == ground).all(axis=2).mean()) for each, ground in grounds.items()}
    assert 0.2 < shares.pop(mode) < 0.98
    assert max(shares.values()) < 0.2, "the film alone may have the colour of the other mode"
