"""``{results} reinforcement.md`` with ``:of: ppo-clip``: rows of a table in benchmarks/results, and what made it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from docutils.parsers.rst import directives
from sphinx.application import Sphinx

from ext.markdown import Written

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


class Results(Written):
    """The rows with a cell that says ``of``, of the first table in a file that has some."""

    option_spec: ClassVar = {"of": directives.unchanged_required}

    def written(self) -> str:
        """The table, and the command beneath it. Raises LookupError if no row is of that."""
        path = RESULTS / self.arguments[0]
        self.env.note_dependency(str(path))
        text = path.read_text(encoding="utf-8")
        for head, rule, rows in tables(text):
            found = [row for row in rows if self.options["of"] in (word.strip(" *`") for word in row.split("|"))]
            if found:
                said = f"Made by {maker(text)}; all of it: [{path.stem}](/benchmarks/{path.stem}.md)."
                return "\n".join((head, rule, *found, "", said))
        raise LookupError(f"no row of {path.name} is of {self.options['of']}")


def tables(text: str) -> list[tuple[str, str, list[str]]]:
    """Head, rule and rows of every table in a page of Markdown."""
    found = []
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        head, rule, *rows = block.strip().split("\n")
        found.append((head, rule, rows))
    return found


def maker(text: str) -> str:
    """The command that a page of results says it was made by. Raises LookupError if it says none."""
    said = re.search(r"Made by\s+(`[^`]+`)", text)
    if said is None:
        raise LookupError("it does not say what it was made by")
    return said[1]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("results", Results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
