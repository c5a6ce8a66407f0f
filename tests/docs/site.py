"""The site as ``make docs`` builds it."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.docs.blocks import ROOT

SITE = ROOT / "build" / "docs"


def built() -> Path:
    """The folder of the site, made where it is not of the files as they are. Warnings are errors.

    Of several processes that test, one builds and the others wait.
    """
    SITE.mkdir(parents=True, exist_ok=True)
    with (SITE.parent / "docs-as-tested").open("a+") as stamp:
        fcntl.flock(stamp, fcntl.LOCK_EX)
        stamp.seek(0)
        if stamp.read() != (now := _state()) or not (SITE / "llms.txt").is_file():
            command = [
                sys.executable,
                "-m",
                "sphinx",
                "-q",
                "-W",
                "--keep-going",
                "-E",
                "-b",
                "html",
                "docs",
                str(SITE),
            ]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            stamp.truncate(0)
            stamp.write(now)
    return SITE


def _state() -> str:
    """A digest of what the site is made of, by names, sizes and times."""
    made_of = [ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md"]
    for folder in ("docs", "gailkit", "benchmarks/results"):
        made_of += [path for path in sorted((ROOT / folder).rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    told = [(path.as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in made_of]
    return hashlib.sha256(repr(told).encode()).hexdigest()


class Parsed(HTMLParser):
    """What a page links to, loads, and can be linked to by."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") not in ("next", "prev", "search", "index", "genindex"):
            self.loaded.append(found.get("href", ""))
        elif "src" in found or "srcset" in found:
            self.loaded += [found[name] for name in ("src", "srcset") if name in found]


def led_to(page: Path, link: str) -> tuple[Path, str]:
    """File and anchor that a link on ``page`` leads to."""
    parts = urlsplit(link)
    return (page.parent / unquote(parts.path)).resolve() if parts.path else page, unquote(parts.fragment)
