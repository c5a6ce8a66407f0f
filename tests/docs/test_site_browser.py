"""The site in a real browser, on a desktop and on a phone, in the light and in the dark."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.docs.site import built

pytest.importorskip("sphinx", reason="NOT TESTED how the site looks in a browser: no sphinx here")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
)  # fmt: skip
WINDOWS = ((1280, 800), (390, 844))
MODES = {"light": 1, "dark": 0}  # as Chromium numbers them
MAIN = (
    "index", "tutorials", "tutorials/first", "how-to", "demonstrations", "explanation", "mathematics", "closeness",
    "which-method", "reference", "algorithms/trpo", "algorithms/discriminator", "command-line", "api", "glossary",
    "metrics", "benchmarks", "benchmarks/imitation", "benchmarks/speed",
)  # fmt: skip

MEASURE = """
const seen = [...document.querySelectorAll('iframe')].map(frame => {
  const page = frame.contentDocument, root = page.documentElement, article = page.querySelector('article');
  return {page: frame.dataset.page, width: root.clientWidth, scroll: root.scrollWidth,
    images: [...page.images].filter(image => image.offsetParent && image.loading !== 'lazy' && !image.naturalWidth)
      .map(image => image.src),
    text: article ? parseFloat(getComputedStyle(article).fontSize) : 0,
    ground: getComputedStyle(page.body).backgroundColor, ink: getComputedStyle(page.body).color};
});
document.body.textContent = JSON.stringify(seen);
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves the site, and the page around the frames."""

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the site is served, with ``frames.html`` that looks at the main pages in every window."""
    site = built()
    frames = "".join(
        f'<iframe data-page="{page}" width="{width}" height="{height}" src="{page}.html"></iframe>'
        for page in MAIN
        for width, height in WINDOWS
    )
    head = '<!DOCTYPE html><link rel="icon" href="data:,">'
    page = f"{head}<body>{frames}<script>onload = () => {{ {MEASURE} }}</script>"
    (site / "frames.html").write_text(page, encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
    (site / "frames.html").unlink()


@pytest.mark.parametrize("mode", MODES)
def test_main_pages_fit_show_their_pictures_and_complain_of_nothing(mode: str, address: str, tmp_path: Path) -> None:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("NOT TESTED how the site looks in a browser: no chromium here")
    scheme = f"--blink-settings=preferredColorScheme={MODES[mode]}"
    command = [program, *FLAGS, scheme, f"--user-data-dir={tmp_path}", "--window-size=1400,900", "--dump-dom"]
    done = subprocess.run([*command, f"{address}/frames.html"], capture_output=True, text=True, timeout=300, check=True)
    found = re.search(r"<body>(\[.*\])</body>", done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    seen: list[dict[str, Any]] = json.loads(found[1])
    assert len(seen) == len(MAIN) * len(WINDOWS)
    assert [(each["page"], each["width"], each["scroll"]) for each in seen if each["scroll"] > each["width"]] == []
    assert [each["images"] for each in seen if each["images"]] == []
    assert min(each["text"] for each in seen) >= 14
    assert all((_lightness(each["ground"]) > _lightness(each["ink"])) == (mode == "light") for each in seen)
    assert re.findall(r"CONSOLE.*", done.stderr) == []


def _lightness(colour: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3]))
