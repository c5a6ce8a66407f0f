"""``gailkit data repair``: the intact episodes of a damaged file into a new one."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from gailkit.cli.common import PATH, printable, typed_command
from gailkit.cli.data.watching import watched
from gailkit.cli.data.wording import listed
from gailkit.cli.data.writing import output_option, overwrite_option, prepare_new_file
from gailkit.cli.demonstrations import ReadingOptions, format_options, say_notes
from gailkit.cli.examples import examples
from gailkit.wording import counted

if TYPE_CHECKING:
    from gailkit.demonstrations.editing.repair import Repaired

EXAMPLES = examples(
    "gailkit data repair damaged.hdf5 -o saved.hdf5",
    "- makes saved.hdf5 with the episodes that are intact",
)


@click.command("repair", epilog=EXAMPLES)
@click.option_panel("Options")
@click.argument("file", type=PATH)
@output_option
@overwrite_option
@format_options
def repair(file: Path, output: Path, overwrite: bool, options: ReadingOptions) -> None:
    """Save the episodes of FILE that are intact, and say which are lost and why.

    FILE itself is not changed. Exits with 3 if nothing can be saved.
    """
    prepare_new_file(output, [file], overwrite)

    from gailkit.demonstrations.editing.repair import repair as run_repair

    with watched(f"repairing {file}") as on_episode:
        done = run_repair(file, options.read_options(), output, typed_command(), on_episode)
    say_notes(file, done.notes)
    if done.missing:
        click.echo(printable(f"{file} lacks its end, {counted(done.missing, 'byte')}"))
    for line in _losses(done):
        click.echo(printable(line))
    click.echo(
        printable(
            f"saved {done.episodes:,} of {counted(done.whole, 'episode')}, "
            f"{counted(done.steps, 'step')}, of {file} in {output}"
        )
    )


def _losses(done: Repaired) -> list[str]:
    """A line for each reason."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, reason in done.lost.items():
        numbers[reason].append(number)
    return [
        f"lost: episode {found[0]}: {reason}"
        if len(found) == 1
        else f"lost: {len(found)} episodes ({listed(found)}): {reason}"
        for reason, found in numbers.items()
    ]
