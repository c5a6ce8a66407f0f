"""llms.txt at the root of the site: what gailkit is, and every page with its first sentence, for language models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

PARTS = ("tutorials", "how-to", "explanation", "reference", "benchmarks")
ABOUT = """# gailkit

> Imitation learning in Python, with generative adversarial imitation learning (GAIL) at its centre: record
> demonstrations, train a policy that imitates them, and measure how closely it matches the expert. Python 3.11 or
> newer, PyTorch, Gymnasium; the command `gailkit` and the package of the same name.

Every command explains its options: `gailkit COMMAND --help`. Every code block on these pages is executed by the tests,
but for those that say why not.
"""


def write(app: Sphinx, error: Exception | None) -> None:
    """One line a page, under the part that it belongs to; the addresses lead to the pages as Markdown."""
    if error is not None or app.builder.format != "html":
        return
    lines = [ABOUT]
    for part in PARTS:
        lines.append(f"## {app.env.titles[part].astext()}\n")
        for page in _listed(app, part):
            lines.append(f"- [{app.env.titles[page].astext()}](_sources/{page}.md.txt): {_first(app, page)}")
        lines.append("")
    Path(app.outdir, "llms.txt").write_text("\n".join(lines), encoding="utf-8")


def _listed(app: Sphinx, page: str) -> Iterator[str]:
    """The page, and all that its tables of contents list."""
    yield page
    for listed in app.env.toctree_includes.get(page, []):
        yield from _listed(app, listed)


def _first(app: Sphinx, page: str) -> str:
    """The first sentence of a page."""
    text = Path(app.env.doc2path(page)).read_text(encoding="utf-8")
    text = re.sub(r"^(```|:::).*?^(```|:::)$", "", text, flags=re.DOTALL | re.MULTILINE)
    for paragraph in re.split(r"\n\n+", text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", paragraph).replace("\n", " ").strip()
        if plain and plain[0] not in "#|:`<!-(%":
            return re.split(r"(?<=[.:])\s", plain)[0]
    return str(app.env.titles[page].astext())


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
