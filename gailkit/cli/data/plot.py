"""``gailkit data plot``: a picture to judge a file of demonstrations by."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from gailkit.cli.common import PATH, printable
from gailkit.cli.data.writing import overwrite_option, prepare_new_file
from gailkit.cli.demonstrations import ReadingOptions, load, reading_options
from gailkit.cli.examples import examples

EXAMPLES = examples(
    "gailkit data plot demos.hdf5",
    "- makes demos.png",
    "gailkit data plot demos.hdf5 -o figures/demos.pdf",
    "- makes figures/demos.pdf",
)


@click.command("plot", epilog=EXAMPLES)
@click.option_panel("Options")
@click.argument("file", type=PATH)
@click.option(
    "-o",
    "--output",
    metavar="OUT.png",
    type=PATH,
    help="Picture to write: .png, .svg or .pdf; without it FILE's name with .png, in the current folder.",
)
@overwrite_option
@reading_options
def plot(file: Path, output: Path | None, overwrite: bool, options: ReadingOptions) -> None:
    """Draw what FILE holds: returns, lengths and endings of its episodes, and the values of what was seen and done.

    Features that vary most are drawn, at most 12 of observations and of actions; of images a few samples.
    """
    output = _beside(file) if output is None else output
    from gailkit.demonstrations.picture.figure import check_picture_name, draw_demonstrations

    check_picture_name(output)
    prepare_new_file(output, [file], overwrite)
    draw_demonstrations(load(file, options), output)
    click.echo(printable(f"drawn: {output}"))


def _beside(file: Path) -> Path:
    """FILE's name with the ending of a picture; a folder's name has no ending that could go."""
    whole = file.resolve()
    return Path(f"{whole.name if whole.is_dir() else whole.stem}.png")
