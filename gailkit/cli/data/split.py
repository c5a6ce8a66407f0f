"""``gailkit data split``: one file into two, so that what is learned can be tested on episodes that were not seen."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from gailkit.cli.common import PATH, printable, typed_command
from gailkit.cli.data.writing import is_same_file, overwrite_option, prepare_new_file, size
from gailkit.cli.demonstrations import ReadingOptions, load, reading_options
from gailkit.cli.examples import examples

EXAMPLES = examples(
    "gailkit data split demos.hdf5 -o train.hdf5 test.hdf5 --fraction 0.8",
    "- makes train.hdf5 with four fifths of the episodes, test.hdf5 with the rest",
)


@click.command("split", epilog=EXAMPLES)
@click.option_panel("Options")
@click.argument("file", type=PATH)
@click.option(
    "-o",
    "--output",
    "outputs",
    required=True,
    nargs=2,
    metavar="TRAIN.hdf5 TEST.hdf5",
    type=PATH,
    help="The two files to write.",
)
@click.option(
    "--fraction",
    default=0.8,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the episodes that goes into the first, rounded to whole episodes.",
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Decides which episodes go where."
)
@overwrite_option
@reading_options
def split(
    file: Path, outputs: tuple[Path, Path], fraction: float, seed: int, overwrite: bool, options: ReadingOptions
) -> None:
    """Part the episodes of FILE at random into two files; each goes whole into one of them, in its order."""
    if is_same_file(*outputs):
        raise click.UsageError("The two files to write must have different names.")
    for output in outputs:
        prepare_new_file(output, [file], overwrite)
    from gailkit.demonstrations.editing.select import with_step

    whole = load(file, options)
    for output, part in zip(outputs, whole.split(fraction, seed), strict=True):
        with_step(part, f"{size(part.episodes.lengths)} out of {size(whole.episodes.lengths)}: {typed_command()}").save(
            output
        )
        click.echo(printable(f"{output}: {size(part.episodes.lengths)}"))
