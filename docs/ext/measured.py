"""A number as it stands in benchmarks/results, so that it cannot go stale: {measured}`imitation.md: Hopper-v5: F`."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from ext.results import RESULTS, tables


class Measured(SphinxRole):
    """The first number in a cell of a table: the file, what the row begins with, the column."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The number as text; an error where there is none."""
        name, row, column = (part.strip() for part in self.text.split(": "))
        self.env.note_dependency(str(RESULTS / name))
        found = measured((RESULTS / name).read_text(encoding="utf-8"), row, column)
        if found is not None:
            return [nodes.Text(found)], []
        said = self.inliner.reporter.error(f"{name} has no number of {row} under {column}", line=self.lineno)
        return [], [said]


def measured(text: str, row: str, column: str) -> str | None:
    """The number in the first table of ``text`` that has both."""
    for head, _, rows in tables(text):
        names = [cell.strip() for cell in head.strip("|").split("|")]
        for cells in (each.strip("|").split("|") for each in rows):
            if column in names and cells[0].strip() == row:
                number = re.search(r"-?[\d,]*\d(?:\.\d+)?", cells[names.index(column)])
                return number[0] if number else None
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the role known."""
    app.add_role("measured", Measured())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
