"""What a sweep looks like while it runs: one line that lives, and a line for every run that has ended."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import rich_click as click

from gailkit.cli.common import Interruption, Update, printable
from gailkit.cli.time_left import TimeLeft, duration, left_words

SECONDS_BETWEEN_LINES = 60.0  # where nobody looks at a live one

if TYPE_CHECKING:
    from gailkit.sweep.folder import SweepFolder
    from gailkit.sweep.plan import Run
    from gailkit.sweep.running import Standing


class SweepProgress:
    """Tells how a sweep goes, and stops it where a signal asks for that."""

    def __init__(self, update: Update, folder: SweepFolder, interruption: Interruption) -> None:
        self.update, self.folder, self.interruption = update, folder, interruption
        self.time_left = TimeLeft()
        self._between = 0.0 if sys.stderr.isatty() else SECONDS_BETWEEN_LINES
        self._shown_at = 0.0

    def on_look(self, standing: Standing) -> None:
        """Show how it stands."""
        now = time.monotonic()
        words = self._words(standing, now)
        if now - self._shown_at >= self._between:
            self._shown_at = now
            self.update(standing.finished + standing.failed, words)
        self.interruption.check()

    def on_run(self, run: Run, failure: str) -> None:
        """A line on a run that has ended."""
        name = f"{run.task}, {run.method}, seed {run.seed}"
        told = f"failed: {failure}" if failure else self._result(run)
        click.echo(printable(f"{name}: {told}"), err=True)

    def _words(self, standing: Standing, now: float) -> str:
        left = self.time_left.after(standing.done, standing.steps, now)
        failed = f", {standing.failed} failed" if standing.failed else ""
        share = standing.done / standing.steps if standing.steps else 1.0
        return f"{share:.0%} of the work, {standing.running} in progress{failed}{left_words(left or None)}"

    def _result(self, run: Run) -> str:
        found = self.folder.evaluation(run)
        value, verdict = found.get("closeness"), found.get("verdict")
        closeness = "no closeness" if not isinstance(value, float) else f"closeness {value:.3f}"
        took = self.folder.seconds.get(run.name)
        return f"{closeness}, {verdict}" + ("" if took is None else f", in {duration(took)}")
