"""The command ``gailkit sweep``."""

from __future__ import annotations

import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from gailkit.cli.common import PATH, Interrupted, Interruption, interruptible, printable, show_progress
from gailkit.cli.examples import examples
from gailkit.cli.sweep.progress import SweepProgress
from gailkit.cli.sweep.way import Way, backend_of, print_commands
from gailkit.importing import require
from gailkit.wording import counted

if TYPE_CHECKING:
    from gailkit.sweep.backends import Backend
    from gailkit.sweep.folder import SweepFolder
    from gailkit.sweep.preparing import Prepared
    from gailkit.sweep.running import Sweeping

SOME_FAILED = 1

EXAMPLES = examples(
    "gailkit sweep sweep.toml --dry-run",
    "- prints the commands that the sweep consists of, and begins none",
    "gailkit sweep sweep.toml --out compared",
    "- makes the folder compared: runs, compared/table.md and compared/sweep.svg",
    "gailkit sweep --resume compared",
    "- goes on with it, stopped or not; finished runs are not repeated",
)


@click.command("sweep", epilog=EXAMPLES)
@click.option_panel("Options")
@click.argument("config", type=PATH, required=False)
@click.option("--out", type=PATH, help="The folder to make. [default: the name of CONFIG without its .toml]")
@click.option(
    "--resume",
    type=PATH,
    metavar="DIR",
    help="Go on with a sweep that was stopped, or of which runs failed. CONFIG beside it may ask for more runs.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Runs at the same time. [default: as many as there are processors for their threads]",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Threads of torch in each run; 1 is fastest for small networks.",
)
@click.option(
    "--search",
    type=click.IntRange(1),
    metavar="N",
    help="Sample N methods from the lists and ranges in [settings], by the closeness of those before, in place of "
    "going through all.",
)
@click.option(
    "--ray",
    metavar="ADDRESS",
    help="Run on a Ray cluster whose machines share the folder: auto for the one that this machine belongs to, local "
    "to start one here.",
)
@click.option("--dry-run", is_flag=True, help="Print every command that would be run, and begin none.")
@click.option(
    "--trust",
    multiple=True,
    metavar="MODULE:NAME",
    help="What CONFIG names and may be imported: an environment, a reward form, ...; may be repeated.",
)
def sweep(
    config: Path | None,
    out: Path | None,
    resume: Path | None,
    search: int | None,
    dry_run: bool,
    trust: tuple[str, ...],
    jobs: int | None,
    threads: int,
    ray: str | None,
) -> None:
    """Train each method of CONFIG on each task with each seed, evaluate every run, and say what won and how surely.

    CONFIG is a TOML file: seeds, a [[task]] or more, and in [settings] options of `gailkit train`, of which lists are
    gone through. Methods are compared by closeness, seed by seed; true returns decide nothing. A run that fails stops
    no other, and makes the exit code 1. Ctrl-C has all runs saved; --resume goes on.
    """
    if config is None and resume is None:
        raise click.UsageError("Missing argument 'CONFIG', a TOML file, or --resume DIR.")
    if resume is not None and out is not None:
        raise click.UsageError("--out cannot stand beside --resume: the sweep goes on in its folder.")
    from gailkit.cli.sweep.vocabulary import understand, vocabulary
    from gailkit.sweep.folder import SweepFolder
    from gailkit.sweep.preparing import prepare, what_goes_on, what_is_begun

    if resume is not None:
        folder = SweepFolder(resume)
        asked = what_goes_on(folder, config, search)
    else:
        assert config is not None
        folder, asked = what_is_begun(config, out or Path(config.stem), search)
    way, prepared = Way(jobs, threads, ray), prepare(folder, asked, vocabulary(), understand, trust)
    if dry_run:
        print_commands(prepared, way)
        return
    if asked.trials:
        require("--search", "search", "optuna")
    with interruptible() as interruption, closing(backend_of(folder, way)) as backend:
        folder.claim()
        with closing(folder):
            _sweep(prepared, backend, way.threads, interruption)


def _sweep(prepared: Prepared, backend: Backend, threads: int, interruption: Interruption) -> None:
    """Run all of it, and say what came of it. Exits with 1 if some failed."""
    from gailkit.sweep.conclusions import conclude_sweep
    from gailkit.sweep.running import Sweeping, Watching
    from gailkit.sweep.search import Search

    folder, asked, planned = prepared.folder, prepared.asked, prepared.planned
    search = Search(prepared) if asked.trials else None
    kept: dict[str, object] = {"episodes": prepared.config.episodes}
    kept |= {} if search is None else {"tried": search.settings}
    what = f"{counted(planned, 'run')}, {min(backend.slots, planned)} at a time: {folder.path}"
    with show_progress(what, planned, "runs") as update:
        progress = SweepProgress(update, folder, interruption)
        sweeping = Sweeping(
            folder,
            asked,
            backend,
            prepared.runs,
            source=search,
            watching=Watching(progress.on_look, progress.on_run),
            threads=threads,
            planned=planned,
            kept=kept,
        )
        try:
            sweeping.work()
        except Interrupted:
            click.echo(_stopped(sweeping), err=True)
            raise
    concluded = conclude_sweep(folder, sweeping.runs, search)
    folder.write(asked, sweeping.runs, **kept, **concluded.to_dict())
    _say(folder, concluded.page)


def _stopped(sweeping: Sweeping) -> str:
    standing = sweeping.standing()
    again = shlex.join(["gailkit", "sweep", "--resume", str(sweeping.folder.path)])
    return f"stopped; {standing.finished} of {counted(standing.runs, 'run')} finished; go on with: {again}"


def _say(folder: SweepFolder, page: str) -> None:
    for line in page.splitlines():
        click.echo(printable(line))
    click.echo(f"wrote {', '.join(str(path) for path in folder.written())}")
    if folder.failures:
        again = shlex.join(["gailkit", "sweep", "--resume", str(folder.path)])
        click.echo(f"{counted(len(folder.failures), 'run')} failed; to try again: {again}", err=True)
        raise SystemExit(SOME_FAILED)
