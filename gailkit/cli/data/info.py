"""``gailkit data info``: what a file of demonstrations holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from gailkit.cli.common import PATH, printable
from gailkit.cli.demonstrations import ReadingOptions, reading_options
from gailkit.cli.examples import examples
from gailkit.wording import counted

if TYPE_CHECKING:
    from gailkit.demonstrations.summary import Description

Rows = list[tuple[str, str]]
"""What is said, line by line: a label and its text."""

EXAMPLES = examples(
    "gailkit data info demos.hdf5",
    "- prints what is in demos.hdf5",
    "gailkit data info --json demos.hdf5",
    "- prints it as one JSON object",
)


@click.command("info", epilog=EXAMPLES)
@click.option_panel("Options")
@click.argument("file", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines for people.")
@reading_options
def info(file: Path, as_json: bool, options: ReadingOptions) -> None:
    """Say what FILE holds: its task, episodes, returns, how episodes end, and where it comes from.

    All of FILE is read, and every digest in it is compared. FILE is a native file, or a file or folder of any format
    that is read; which of them is found out from its content.
    """
    from gailkit.demonstrations.summary import describe

    description = describe(file, options.read_options(), options.most_bytes())
    if as_json:
        click.echo(json.dumps(asdict(description), indent=2))
    else:
        _print([(label, printable(text)) for label, text in _rows(description)])


def _rows(found: Description) -> Rows:
    verified = f"{found.digests_verified} of {counted(found.episodes, 'episode')} verified"
    return [
        ("file", found.path),
        ("format", f"{found.format}, {counted(found.file_bytes, 'byte')}"),
        ("digests", verified if found.digests_verified else "none in this format, so damage can go unnoticed"),
        ("environment", _environment(found)),
        ("observation space", found.observation_space or f"not stated; observations are {found.observations}"),
        ("action space", _actions(found)),
        ("episodes", f"{found.episodes:,}" + ("" if found.episodes_known else " or more")),
        ("steps", f"{found.steps:,}"),
        ("lengths", f"min {found.length_min}, median {found.length_median:g}, max {found.length_max}"),
        ("returns", _returns(found)),
        ("endings", _endings(found)),
        *((f"provenance {name}", text) for name, text in found.provenance.items()),
    ]


def _actions(found: Description) -> str:
    if found.actions is None:
        known = f"{found.action_space}; " if found.action_space else ""
        return f"{known}no actions are held: states can be imitated (gailkit train --discriminator-kind next-state)"
    return found.action_space or f"not stated; actions are {found.actions}"


def _endings(found: Description) -> str:
    if not found.endings_known:
        return f"open. {found.ending}"
    return f"{found.terminated} terminated, {found.truncated} truncated. {found.ending}"


def _environment(found: Description) -> str:
    arguments = f" {json.dumps(found.env_kwargs)}" if found.env_kwargs else ""
    return f"{found.env_id or 'not stated'}{arguments}"


def _returns(found: Description) -> str:
    if found.return_mean is None:
        return "not recorded"
    spread = "" if found.return_sd is None else f", sd {found.return_sd:.1f}"
    return f"mean {found.return_mean:.1f}{spread}, min {found.return_min:.1f}, max {found.return_max:.1f}"


def _print(rows: Rows) -> None:
    """A table for a terminal, ``label: text`` lines for a pipe."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        for label, text in rows:
            click.echo(f"{label}: {text}")
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(Text(label, style="bold cyan"), Text(text))
    console.print(table)
