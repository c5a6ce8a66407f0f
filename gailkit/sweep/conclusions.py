"""The end of a sweep: its runs are read, put together and compared, and everything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gailkit.evaluation.plain import as_plain
from gailkit.storage import write_atomically
from gailkit.sweep.figure import draw_outcomes
from gailkit.sweep.folder import PICTURE_FILE, TABLE_FILE, SweepFolder
from gailkit.sweep.outcomes import Outcome, Outcomes, conclude
from gailkit.sweep.plan import Run
from gailkit.sweep.search import Search, closing_words
from gailkit.sweep.statement import statement
from gailkit.sweep.table import results_page


@dataclass(frozen=True)
class Conclusions:
    """What a sweep tells so far."""

    runs: tuple[Outcome, ...]
    outcomes: Outcomes
    page: str  # tables and sentences, in Markdown

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "statement": statement(self.outcomes),
            "results": [as_plain(each) for each in self.runs],
            "methods": as_plain(self.outcomes.methods),
            "cells": as_plain(self.outcomes.cells),
            "differences": as_plain(self.outcomes.differences),
        }


def conclude_sweep(folder: SweepFolder, runs: Sequence[Run], search: Search | None = None) -> Conclusions:
    """Read every finished run, and write the page and the picture; of a ``search`` what its trials were.

    Raises:
        DataError: if an evaluation is damaged.
        StorageError: if a file cannot be written.
    """
    found = tuple(
        Outcome.of(run.task, run.method, run.seed, folder.evaluation(run)) for run in runs if folder.is_finished(run)
    )
    failed = Counter((run.task, run.method) for run in runs if run.name in folder.failures)
    tasks, methods = (list(dict.fromkeys(getattr(run, kind) for run in runs)) for kind in ("task", "method"))
    outcomes = conclude(found, failed, tasks, methods)
    trials = [] if search is None else [*closing_words(search, outcomes), ""]
    page = "\n".join([results_page(outcomes, folder.failures), *trials])
    write_atomically(folder.path / TABLE_FILE, page.encode())
    draw_outcomes(outcomes, found, folder.path / PICTURE_FILE)
    return Conclusions(found, outcomes, page)
