"""Docstrings are plain English with equations in them, not markup; and every public name is documented."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

import gailkit

logger = logging.getLogger(__name__)


def as_text(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Escape what reStructuredText would take for markup outside of ``code``."""
    for number, line in enumerate(lines):
        parts = re.split(r"(``.*?``)", line)
        parts[::2] = [re.sub(r"([*|`])|(?<=\w)_(?!\w)", lambda found: "\\" + found[0], part) for part in parts[::2]]
        lines[number] = "".join(parts)


def with_dashes(app: Sphinx, doctree: nodes.document) -> None:
    """Between a parameter and what is said of it there is a dash, which Sphinx leaves to smart quotes."""
    for text in list(doctree.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" \u2013 "))


def missing(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn, which fails the build, of public names that no page documents or that say nothing of themselves."""
    documented = {name for name, *_ in env.domaindata["py"]["objects"].items()}
    for name in gailkit.__all__:
        value = getattr(gailkit, name)
        if (value.__name__ if isinstance(value, ModuleType) else f"gailkit.{name}") not in documented:
            logger.warning("gailkit.%s is public, and no page of the reference documents it", name)
        if not (value.__doc__ or "").strip():
            logger.warning("gailkit.%s is public, and has no docstring", name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen; before napoleon, whose markup is meant."""
    app.connect("autodoc-process-docstring", as_text, priority=400)
    app.connect("doctree-read", with_dashes)
    app.connect("env-updated", missing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
