"""Where the commands of a sweep run: the protocol, and the command line that all of them start."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

PATIENCE = 10.0  # seconds that a job has to end when it must


@dataclass(frozen=True)
class Job:
    """One command of gailkit, to be run in a process of its own."""

    name: str
    words: tuple[str, ...]  # behind ``gailkit``
    log: Path  # what it prints is added to it
    threads: int


class Ended(NamedTuple):
    """How a job came to its end."""

    name: str
    code: int  # as the command exits; below 0 the signal that killed it
    sentence: str = ""  # why it never ran, where it did not


class Backend(Protocol):
    """Runs jobs beside each other. Nobody but the sweep that has it calls it."""

    slots: int  # how many at the same time

    def start(self, job: Job) -> None:
        """Begin a job; there are fewer than ``slots``."""

    def ended(self) -> list[Ended]:
        """Those that came to their end since this was last asked; it does not wait."""

    def stop(self) -> None:
        """Ask every job to save what it has and end, which ``ended`` will tell; a second time, to end at once."""

    def close(self) -> None:
        """End what still runs, and give back what the backend itself holds."""


def command_line(job: Job) -> list[str]:
    """The command of ``job`` with the Python that runs this."""
    return [sys.executable, "-m", "gailkit", *job.words]


def environment(threads: int) -> dict[str, str]:
    """What a job's environment has beside that of the sweep: as many threads as it was given in every library."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**dict.fromkeys(names, str(threads)), "PYTHONUNBUFFERED": "1", "COLUMNS": "100"}
