"""llms.txt at the root of the site: what gailkit is, and every page with its first sentence, for language models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

from ext.pages import first_sentence

MADE = re.compile(r"^```\{(?!math|toctree)|\{measured\}|<!-- shown here: ", re.MULTILINE)
PARTS = ("tutorials", "how-to", "explanation", "reference", "benchmarks")
ABOUT = """# gailkit

> Imitation learning in Python, with generative adversarial imitation learning (GAIL) at its centre: record
> demonstrations, train a policy that imitates them, and measure how closely it matches the expert. Python 3.11 or
> newer, PyTorch, Gymnasium; the command `gailkit` and the package of the same name.

Every command explains its options: `gailkit COMMAND --help`. Every code block on these pages is executed by the tests,
but for those that say why not.
"""


def write(app: Sphinx, error: Exception | None) -> None:
    """One line a page, under its part; the addresses lead to Markdown where that is all of the page."""
    if error is not None or app.builder.format != "html":
        return
    lines = [ABOUT]
    for part in PARTS:
        lines.append(f"## {app.env.titles[part].astext()}\n")
        for page in _listed(app, part):
            title, said = app.env.titles[page].astext(), first_sentence(page)
            lines.append(f"- [{title}]({_address(app, page)}): {said}")
        lines.append("")
    Path(app.outdir, "llms.txt").write_text("\n".join(lines), encoding="utf-8")


def _listed(app: Sphinx, page: str) -> Iterator[str]:
    """The page, and all that its tables of contents list."""
    yield page
    for listed in app.env.toctree_includes.get(page, []):
        yield from _listed(app, listed)


def _address(app: Sphinx, page: str) -> str:
    """Where the page is to be had in full: as Markdown, unless parts of it are made by the build."""
    text = Path(app.env.doc2path(page)).read_text(encoding="utf-8")
    return f"{page}.html" if MADE.search(text) else f"_sources/{page}.md.txt"


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
