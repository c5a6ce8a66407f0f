"""``{pages}``: a table of contents that says what is on each page, in the first sentence of it."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.directives.other import TocTree

from ext.outside import expanded

DOCS = Path(__file__).parents[1]
FENCES = re.compile(r"^([ \t]*)(`{3,}|:{3,}|\$\$)[^\n]*\n.*?^\1\2[ \t]*$", re.DOTALL | re.MULTILINE)


def first_sentence(page: str) -> str:
    """That of the page ``page``, as Markdown without links."""
    path = DOCS / f"{page}.md"
    text = FENCES.sub("", expanded(path.read_text(encoding="utf-8"), page))
    paragraphs = (paragraph.replace("\n", " ").strip() for paragraph in re.split(r"\n\s*\n", text))
    for paragraph in paragraphs:
        if paragraph and paragraph[0] not in "#|-<!:":
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", paragraph)
            sentence = re.split(r"(?<=[.?!])\s+(?=[A-Z`(])", plain)[0]
            return re.sub(r":$", ".", sentence)
    raise LookupError(f"{path} has no first sentence")


class Pages(TocTree):
    """Takes what ``toctree`` takes; the pages are listed with their titles and first sentences."""

    def run(self) -> list[nodes.Node]:
        """The table, unseen, and the list."""
        self.options["hidden"] = None
        found = super().run()
        (tree,) = nodes.container("", *found).findall(addnodes.toctree)
        entries = (f"[](/{page}.md)\n: {first_sentence(page)}\n" for _, page in tree["entries"])
        return [*found, *self.parse_text_to_nodes("\n".join(entries))]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("pages", Pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
