"""Running what is to be run: as many at a time as there is room for, each from where it stands on the disk."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gailkit.storage import in_use
from gailkit.sweep.backends import Backend, Ended, Job
from gailkit.sweep.folder import Asked, SweepFolder
from gailkit.sweep.plan import Run

SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_BETWEEN_COUNTS = 2.0
EVALUATING = 0.05  # what evaluating a run takes, roughly, where training takes the rest


@dataclass(frozen=True)
class Standing:
    """How far a sweep has come."""

    runs: int
    finished: int
    failed: int
    running: int
    steps: float  # in all
    done: float  # of them


@dataclass(frozen=True)
class Watching:
    """Who is told of a sweep."""

    on_look: Callable[[Standing], None] = lambda standing: None  # often; it may raise, and the sweep stops
    on_run: Callable[[Run, str], None] = lambda run, sentence: None  # ended; with what failed, else ""


class Source(Protocol):
    """Where runs come from that depend on how others went."""

    def more(self) -> list[Run]:
        """Runs to begin now that there is room for them; none where there are none, or none yet."""

    def ended(self, run: Run) -> None:
        """A run finished or failed."""


class Sweeping:
    """Trains and evaluates runs, in the order in which they are given.

    A run that another process trains, such as one that outlived a sweep that was killed, is waited for.

    Args:
        source: of runs that are not known yet.
        threads: of each command.
        planned: how many runs there will be, where they are not all known.
        kept: plain JSON values that are written beside the runs, as they are by then.
    """

    def __init__(
        self,
        folder: SweepFolder,
        asked: Asked,
        backend: Backend,
        runs: Sequence[Run],
        *,
        source: Source | None = None,
        watching: Watching | None = None,
        threads: int = 1,
        planned: int | None = None,
        kept: Mapping[str, object] | None = None,
    ) -> None:
        self.folder, self.asked, self.backend, self.source = folder, asked, backend, source
        self.runs = list(runs)
        self.watching, self.threads, self._planned = watching or Watching(), threads, planned
        self._kept = {} if kept is None else kept
        self._finished = {run.name for run in self.runs if folder.is_finished(run)}
        self._waiting = deque(run for run in self.runs if run.name not in self._finished)
        self._running: dict[str, Run] = {}
        self._begun_at: dict[str, float] = {}  # of runs that were not begun before
        self._last: dict[str, tuple[str, ...]] = {}  # the command that was last begun, by run
        self._counted = (0.0, 0.0)  # steps that were done, and when that was found out

    def work(self) -> None:
        """Run all to their end; where ``on_look`` raises, have those in progress saved, and raise it again.

        A run that fails is noted in ``folder.failures`` and stops no other. Runs that failed before are tried again.

        Raises:
            StorageError: if the record of the sweep cannot be written.
        """
        self.folder.failures.clear()
        self._write()
        try:
            while self._fill() or self._waiting:
                self.watching.on_look(self.standing())
                for each in self.backend.ended():
                    self._end(each)
                time.sleep(SECONDS_BETWEEN_LOOKS)
        except BaseException:
            self._stop()
            raise

    def standing(self) -> Standing:
        """How far it has come; steps are counted every two seconds."""
        now = time.monotonic()
        if now - self._counted[1] >= SECONDS_BETWEEN_COUNTS:
            self._counted = (sum(map(self._done, self.runs)), now)
        runs = max(self._planned or 0, len(self.runs))
        known = float(sum(run.understood.steps for run in self.runs))
        steps = known * runs / len(self.runs) if self.runs else known
        counts = (runs, len(self._finished), len(self.folder.failures), len(self._running))
        return Standing(*counts, steps, self._counted[0])

    def _done(self, run: Run) -> float:
        """Steps that it has behind it, an evaluation counted as some; one that failed has nothing left to do."""
        if run.name in self._finished or run.name in self.folder.failures:
            return run.understood.steps
        return self.folder.steps_done(run) * (1 - EVALUATING)

    def _fill(self) -> bool:
        """Begin as many as there is room for; whether any is in progress. Others may wait for another process."""
        while len(self._running) < self.backend.slots:
            while not self._waiting and self.source is not None and (more := self.source.more()):
                self.runs += more
                self._finished |= {run.name for run in more if self.folder.is_finished(run)}
                self._waiting.extend(run for run in more if run.name not in self._finished)
            free = next((run for run in self._waiting if not in_use(self.folder.run_folder(run))), None)
            if free is None:
                break
            self._waiting.remove(free)
            self._begin(free)
        return bool(self._running)

    def _begin(self, run: Run) -> None:
        words = commands(self.folder, run, self.threads)[0]
        if not self.folder.is_begun(run):
            self._begun_at[run.name] = time.monotonic()
        self.backend.start(Job(run.name, words, self.folder.log(run), self.threads))
        self._last[run.name] = words
        self._running[run.name] = run

    def _end(self, each: Ended) -> None:
        run = self._running.pop(each.name)
        if each.code == 0 and self.folder.is_finished(run):
            self._tell_finished(run)
        elif each.code == 0 and commands(self.folder, run, self.threads)[0] != self._last[run.name]:
            self._begin(run)  # trained, and to be evaluated
        else:
            self._tell(run, each.sentence or last_sentence(self.folder, run, each.code))

    def _tell_finished(self, run: Run) -> None:
        self._finished.add(run.name)
        if run.name in self._begun_at:
            self.folder.seconds[run.name] = time.monotonic() - self._begun_at[run.name]
        self._tell(run, "")

    def _tell(self, run: Run, failure: str) -> None:
        if failure:
            self.folder.failures[run.name] = failure
        if self.source is not None:
            self.source.ended(run)
        self._write()
        self.watching.on_run(run, failure)

    def _write(self) -> None:
        self.folder.write(self.asked, self.runs, **self._kept)

    def _stop(self) -> None:
        """Have all in progress saved; asked again meanwhile, no longer wait."""
        self.backend.stop()
        try:
            while self._running:
                for each in self.backend.ended():
                    run = self._running.pop(each.name)
                    if self.folder.is_finished(run):
                        self._tell_finished(run)
                time.sleep(SECONDS_BETWEEN_LOOKS)
        except BaseException:
            self.backend.stop()
            raise


def commands(folder: SweepFolder, run: Run, threads: int) -> list[tuple[str, ...]]:
    """The words behind ``gailkit`` that bring a run from where it stands to its end."""
    place = str(folder.run_folder(run))
    trust = [word for name in run.understood.imports for word in ("--trust", name)]
    out = str(folder.evaluation_file(run))
    evaluate = ("evaluate", place, *run.evaluate, *run.stepping, *trust, "--json", out)
    if folder.is_trained(run):
        return [evaluate]
    how = (*run.stepping, "--threads", str(threads))
    if folder.is_begun(run):
        return [("train", "--resume", place, *how, *trust), evaluate]
    anew = ["--overwrite"] if folder.run_folder(run).is_dir() else []  # what was stopped before its first step
    return [("train", *run.train, "--out", place, *how, *anew), evaluate]


def last_sentence(folder: SweepFolder, run: Run, code: int) -> str:
    """Why a command failed: the last error in its log, or the last line."""
    if code < 0:
        return f"it was killed by {signal.Signals(-code).name}"
    try:
        lines = folder.log(run).read_text(encoding="utf-8", errors="replace").splitlines()[-200:]
    except OSError:
        lines = []
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    said = errors or [line for line in lines if line.strip()]
    return said[-1].strip() if said else f"it ended with exit code {code} and said nothing"
