"""``gailkit data merge``: files of one task into one."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from gailkit.cli.common import PATH, printable, typed_command
from gailkit.cli.data.writing import output_option, overwrite_option, prepare_new_file, size
from gailkit.cli.demonstrations import ReadingOptions, load, reading_options
from gailkit.cli.examples import examples
from gailkit.wording import counted

EXAMPLES = examples(
    "gailkit data merge monday.hdf5 tuesday.hdf5 -o week.hdf5",
    "- makes week.hdf5 with the episodes of both",
    "gailkit data merge --unique monday.hdf5 week.hdf5 -o once.hdf5",
    "- makes once.hdf5, in which no two episodes are equal",
)


@click.command(
    "merge",
    epilog=EXAMPLES,
)
@click.option_panel("Options")
@click.argument("files", nargs=-1, required=True, type=PATH)
@output_option
@click.option("--unique", "drop_duplicates", is_flag=True, help="Keep one of episodes that are exactly equal.")
@overwrite_option
@reading_options
def merge(
    files: tuple[Path, ...], output: Path, drop_duplicates: bool, overwrite: bool, options: ReadingOptions
) -> None:
    """Join the episodes of FILES, at least two, into one file, one file's episodes after another's.

    They must be of one task: the same environment and arguments, the same spaces, all with rewards or all without.
    A space that one does not state is that of the others, if it fits. The new file tells the provenance of each.
    """
    if len(files) < 2:
        raise click.UsageError("At least two files are needed; one was given.")
    prepare_new_file(output, files, overwrite)
    from gailkit.demonstrations.editing import merge as merging
    from gailkit.demonstrations.native import writing
    from gailkit.demonstrations.provenance import next_step

    joined = merging.merge([merging.Named(str(file), load(file, options)) for file in files])
    single = joined.unique()
    equal = len(joined.lengths) - len(single.lengths)
    merged = single if drop_duplicates else joined
    provenance = joined.about.provenance
    told = {**provenance, **next_step(provenance, f"{size(merged.lengths)}: {typed_command()}")}
    writing.write(output, joined.about._replace(provenance=told), merged)
    said = (
        f"merged {counted(len(files), 'file')} into {output}: {size(merged.lengths)}{_said_of(equal, drop_duplicates)}"
    )
    click.echo(printable(said))


def _said_of(equal: int, dropped: bool) -> str:
    """What became of the episodes that are exactly equal to an earlier one."""
    if dropped:
        return f"; {equal} dropped that were exactly equal to an earlier one"
    return f"; {equal} are exactly equal to an earlier one, --unique would drop them" if equal else ""
