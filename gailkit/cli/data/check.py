"""``gailkit data check``: what is wrong with a file of demonstrations, and the command that mends it."""

from __future__ import annotations

import json
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from gailkit.cli.common import PATH, env_kwargs_option, printable
from gailkit.cli.data.wording import listed
from gailkit.cli.demonstrations import ReadingOptions, format_options
from gailkit.cli.examples import examples
from gailkit.wording import counted

if TYPE_CHECKING:
    from gailkit.checks.run import Report
    from gailkit.checks.subject import Subject

FINDINGS, UNREADABLE = 1, 3

EXAMPLES = examples(
    "gailkit data check demos.hdf5",
    "- prints what is wrong with demos.hdf5, if anything is",
    "gailkit data check demos.hdf5 --env CartPole-v1",
    "- also replays some of its steps in the environment",
)


@click.command(
    "check",
    epilog=EXAMPLES,
)
@click.option_panel("Options")
@click.argument("file", type=PATH)
@click.option("--env", "env_id", metavar="ENV_ID", help="Compare with this environment, and replay some steps in it.")
@env_kwargs_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines for people.")
@format_options
@click.pass_context
def check(
    context: click.Context,
    file: Path,
    env_id: str | None,
    env_kwargs: dict[str, Any],
    as_json: bool,
    options: ReadingOptions,
) -> None:
    """Look for what spoils imitation in FILE, and say which command mends it.

    Exits with 0 if all is well, 1 if something was found, 3 if FILE or an episode in it cannot be read.
    """
    from gailkit.checks.run import check_all
    from gailkit.checks.subject import read_subject
    from gailkit.checks.surroundings import as_observed, surroundings_of
    from gailkit.rollouts.environments import canonical_id
    from gailkit.rollouts.global_generators import seeded_globally

    with ExitStack() as opened:
        opened.enter_context(seeded_globally(0))
        around = None if env_id is None else surroundings_of(canonical_id(env_id), env_kwargs)
        if around is not None and around.env is not None:
            opened.callback(around.env.close)
        time_limit = None if around is None else around.time_limit
        subject = read_subject(file, options.read_options(env_id), options.words(), time_limit)
        if around is not None:
            subject = as_observed(subject, around)
        report = check_all(subject, around)
    if as_json:
        click.echo(json.dumps(_values(subject, report), indent=2))
    else:
        _print(subject, report)
        _say_what_more_can_be_done(subject, env_id)
    if subject.unreadable:
        context.exit(UNREADABLE)
    if not report.all_well:
        context.exit(FINDINGS)


def _values(subject: Subject, report: Report) -> dict[str, Any]:
    return {
        "path": str(subject.path),
        "format": subject.format,
        "episodes": len(subject.trajectories),
        "steps": sum(map(len, subject.trajectories)),
        "all_well": report.all_well,
        "findings": [finding._asdict() for finding in report.findings],
        "fine": list(report.fine),
        "not_checked": [{"what": what, "why": why} for what, why in report.unchecked],
    }


def _print(subject: Subject, report: Report) -> None:
    steps = sum(map(len, subject.trajectories))
    click.echo(
        printable(
            f"{subject.path}: {subject.format}, {counted(len(subject.trajectories), 'episode')}, "
            f"{counted(steps, 'step')}"
        )
    )
    for sentence in report.fine:
        click.echo(f"fine: {sentence}")
    for what, why in report.unchecked:
        click.echo(printable(f"not checked: whether {what} ({why})"))
    for finding in report.findings:
        concerned = f" [episodes {listed(finding.episodes)}]" if finding.episodes else ""
        click.echo(printable(f"{finding.severity}: {finding.found}{concerned}"))
        if finding.mend is not None:
            click.echo(printable(f"  to mend it: {finding.mend}"))
    if report.all_well:
        click.echo("All is well.")


def _say_what_more_can_be_done(subject: Subject, env_id: str | None) -> None:
    named = subject.about.env_id
    if env_id is None and named is not None:
        click.echo(
            printable(
                f"The file names {named}; with --env {shlex.quote(named)} it is also compared with that environment."
            )
        )
