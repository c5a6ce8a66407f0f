"""How the runs of a sweep are run, which decides nothing of what comes out: where, and how many at a time."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import rich_click as click

from gailkit.cli.common import printable
from gailkit.cli.time_left import duration
from gailkit.rollouts.machine import usable_processors
from gailkit.wording import counted

if TYPE_CHECKING:
    from gailkit.sweep.backends import Backend
    from gailkit.sweep.folder import SweepFolder
    from gailkit.sweep.plan import Run
    from gailkit.sweep.preparing import Prepared


@dataclass(frozen=True)
class Way:
    """What was asked for; None where it was not."""

    jobs: int | None
    threads: int
    ray: str | None

    @property
    def jobs_here(self) -> int:
        """How many at a time, on this machine."""
        return max(1, usable_processors() // self.threads) if self.jobs is None else self.jobs


def backend_of(folder: SweepFolder, way: Way) -> Backend:
    """Processes of this machine, or a Ray cluster. Raises InputError where there is none, or Ray is not installed."""
    if way.ray is None:
        from gailkit.sweep.processes import Processes

        return Processes(way.jobs_here)
    from gailkit.sweep.on_ray import RayTasks

    return RayTasks(way.ray, way.jobs, way.threads, folder.path / "logs")


def print_commands(prepared: Prepared, way: Way) -> None:
    """Every command that would be run, and how long that would take as far as one knows."""
    from gailkit.sweep.running import commands

    if prepared.asked.trials:
        click.echo(f"up to {counted(prepared.planned, 'run')}; which commands they take is found out by those before")
        return
    folder = prepared.folder
    left = [run for run in prepared.runs if not folder.is_finished(run)]
    for run in left:
        for words in commands(folder, run, way.threads):
            click.echo(printable(shlex.join(["gailkit", *words])))
    finished = len(prepared.runs) - len(left)
    steps = sum(run.understood.steps - folder.steps_done(run) for run in left)
    done = f" ({finished} finished)" if finished else ""
    told = f"{counted(len(left), 'run')} to do{done}, {steps:,.0f} steps"
    click.echo(f"{told}; {_estimated(prepared, left, way)}", err=True)


def _estimated(prepared: Prepared, left: Sequence[Run], way: Way) -> str:
    """How long it takes by what finished runs took, those of the same task and method where there are any."""
    folder = prepared.folder
    took = {run.name: folder.seconds[run.name] for run in prepared.runs if run.name in folder.seconds}
    if not left:
        return "nothing is to be done"
    if not took or way.ray is not None:
        return "how long that takes is not known yet"
    known = [run for run in prepared.runs if run.name in took]
    seconds = 0.0
    for run in left:
        alike = [each for each in known if (each.task, each.method) == (run.task, run.method)] or known
        seconds += sum(took[each.name] for each in alike) / len(alike)
    return f"about {duration(seconds / min(way.jobs_here, len(left)))}, {way.jobs_here} at a time, by those finished"
