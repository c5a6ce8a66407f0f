"""The code blocks of the pages, and what their first lines say of how they are run; see docs/house.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "pictures" not in path.parts)]
LANGUAGES = {"bash", "python", "toml", "text"}

FENCE = re.compile(r"^([ \t]*)(`{3,})(\{?[\w-]*\}?)([^\n]*)\n(.*?)^\1\2[ \t]*$", re.DOTALL | re.MULTILINE)
NOT_RUN = re.compile(r"^# not run by the tests: (.+)$", re.MULTILINE)
RUN_WITH = re.compile(r"^# run by the tests with (--[\w-]+): (.+)$", re.MULTILINE)
NEEDS = re.compile(r"^# needs (\S+)$", re.MULTILINE)
NAMED = re.compile(r"\A# ([\w.-]+\.(?:py|toml))$", re.MULTILINE)


class Block(NamedTuple):
    """What stands between two fences."""

    language: str
    text: str

    @property
    def reason(self) -> str | None:
        """Why it is not run; None for one that is."""
        found = NOT_RUN.match(self.text)
        return found[1] if found else None

    @property
    def option(self) -> str | None:
        """What is added to every command of it."""
        found = RUN_WITH.match(self.text)
        return found[1] if found else None

    @property
    def needs(self) -> str | None:
        """A file of somebody else's that it works on."""
        found = NEEDS.match(self.text)
        return found[1] if found else None

    @property
    def file(self) -> str | None:
        """The name that the reader saves it under."""
        found = NAMED.match(self.text)
        return found[1] if found else None

    @property
    def lines(self) -> list[str]:
        """The commands."""
        return [line for line in self.text.splitlines() if line and not line.startswith("#")]


def blocks(page: Path) -> Iterator[Block]:
    """Those of a page in order, without what Sphinx is told."""
    for _, _, language, _, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if not language.startswith("{"):
            yield Block(language, text)


def named(page: Path) -> str:
    """The page as the tests call it."""
    return page.relative_to(ROOT).with_suffix("").as_posix()
