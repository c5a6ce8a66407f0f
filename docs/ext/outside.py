"""Links from a page to a file outside docs/ lead to a page of the site, and results are shown as they stand.

``[benchmarks](../benchmarks/README.md)`` works in a checkout as it is. On the site the file has a page of its own where
PAGES or the folder of results says so; any other file is shown, with its lines coloured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {"README.md": "index", "benchmarks/README.md": "benchmarks", "CHANGELOG.md": "changes"}
SCHEME = "repository:"
LINK = re.compile(r"\]\(((?!\w+:)[^)#\s]+)(#[^)\s]*)?\)")
SHOWN = re.compile(r"^<!-- shown here: (\S+) -->$", re.MULTILINE)
logger = logging.getLogger(__name__)


def page_of(path: str) -> str | None:
    """The page that shows the file ``path`` of the repository, if one does."""
    if path in PAGES:
        return PAGES[path]
    name = Path(path)
    if name.parent.as_posix() == "benchmarks/results" and (DOCS / "benchmarks" / f"{name.stem}.md").is_file():
        return f"benchmarks/{name.stem}" if name.suffix in (".md", ".txt") else None
    return path.removeprefix("docs/").removesuffix(".md") if path.startswith("docs/") and path.endswith(".md") else None


def on_source(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put in the files that the page shows, and lead every link that leaves docs/ where the site has it."""
    for name in SHOWN.findall(source[0]):
        app.env.note_dependency(str(ROOT / name), docname=docname)
    source[0] = expanded(source[0], docname)


def expanded(text: str, docname: str) -> str:
    """The ``text`` of a page with the files that it shows; a title of theirs is kept if there is nothing else."""
    alone = SHOWN.fullmatch(text.strip()) is not None
    relinked = _relinked(text, docname, (DOCS / f"{docname}.md").parent)
    return SHOWN.sub(lambda found: _content(docname, ROOT / found[1], alone), relinked)


def _content(docname: str, path: Path, alone: bool) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md":
        return f"```text\n{text}\n```"
    shown = _relinked(text, docname, path.parent)
    return shown if alone else re.sub(r"\A# .*\n", "", shown)


def _relinked(text: str, docname: str, folder: Path) -> str:
    """``text`` of the page ``docname``, its links as they are written in ``folder``."""

    def relink(found: re.Match[str]) -> str:
        target, fragment = found[1], found[2] or ""
        path = (folder / target).resolve()
        inside = path.is_relative_to(DOCS) and folder.is_relative_to(DOCS)
        if target.startswith("/") or inside or not path.is_relative_to(ROOT):
            return found[0]
        if path.is_relative_to(DOCS) and path.suffix != ".md":  # a picture in docs/, from a file outside
            return f"](/{path.relative_to(DOCS).as_posix()})"
        name = path.relative_to(ROOT).as_posix()
        page = page_of(name)
        if page is not None:
            return f"](/{page}.md{fragment})"
        if not path.exists():
            logger.warning("the link to %s leads nowhere", target, location=docname)
        return f"]({SCHEME}{name})"

    return LINK.sub(relink, text)


def on_resolved(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Lead links to files to the pages that show them."""
    for node in doctree.findall(nodes.reference):
        uri = node.get("refuri", "")
        if uri.startswith(SCHEME):
            name = uri.removeprefix(SCHEME)
            _shown_files(app).add(name)
            node["refuri"] = app.builder.get_relative_uri(docname, f"files/{name}")


def _shown_files(app: Sphinx) -> set[str]:
    """Names of the files that pages link to; they stay with the environment, as pages that did not change do."""
    shown: set[str] = vars(app.env).setdefault("files_shown", set())
    return shown


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file that is linked to."""
    for name in sorted(_shown_files(app)):
        path = ROOT / name
        if path.is_dir():
            listed = "".join(f"<li><code>{each.name}</code></li>" for each in sorted(path.iterdir()) if each.is_file())
            body = f"<ul>{listed}</ul>"
        else:
            body = _coloured(path)
        yield f"files/{name}", {"title": name, "body": f"<h1><code>{name}</code></h1>{body}"}, "page.html"


def _coloured(path: Path) -> str:
    try:
        lexer = get_lexer_for_filename(path.name)
    except ClassNotFound:
        lexer = get_lexer_for_filename("a.txt")
    text = path.read_text(encoding="utf-8")
    if len(text) > 200_000:
        text = text[:200_000] + "\n(the rest is left out here)"
    code: str = highlight(text, lexer, HtmlFormatter())
    return code


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen."""
    app.connect("source-read", on_source)
    app.connect("doctree-resolved", on_resolved)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": False, "parallel_write_safe": False}
