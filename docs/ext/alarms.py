"""``{alarms} advice``: every alarm of a run with its title and what to try, as ``gailkit.health`` has them."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

from ext.markdown import Written, cell, table
from gailkit.health.alarms import ALARMS


class Alarms(Written):
    """A table."""

    required_arguments = 0

    def written(self) -> str:
        """The alarms in their order."""
        rows = ((cell(alarm.title), f"`health/{name}`", cell(_escaped(alarm.advice))) for name, alarm in ALARMS.items())
        return table(("what a run says", "metric", "what to try"), rows)


def _escaped(advice: str) -> str:
    """Options as code."""
    return re.sub(r"(?<!\S)(--[\w-]+)", r"`\1`", advice)


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("alarms", Alarms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
