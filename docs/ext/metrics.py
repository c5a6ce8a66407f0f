"""``{metrics} policy/kl policy/entropy``: rows of the page metrics.md, so that each metric is explained once."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

from ext.markdown import Written, table

PAGE = Path(__file__).parents[1] / "metrics.md"


def explained() -> dict[str, tuple[str, str]]:
    """Name of a metric -> the cells of the row that explains it."""
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: row for row in rows for name in re.findall(r"`([a-z_/]+)`", row[0])}


class Metrics(Written):
    """The rows that explain the metrics that are named, in their order, each once."""

    def written(self) -> str:
        """A table. Raises LookupError for a metric that the page does not explain."""
        self.env.note_dependency(str(PAGE))
        known = explained()
        names = self.arguments[0].split()
        if unknown := [name for name in names if name not in known]:
            raise LookupError(f"metrics.md does not explain {', '.join(unknown)}")
        rows = dict.fromkeys(known[name] for name in names)
        return table(("metric", "what it tells"), rows).replace("](", "](/")  # links there are from docs/, as here


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("metrics", Metrics)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
