"""``gailkit data``: looking into files of demonstrations, and making new ones of them. A command loads when it runs."""

from __future__ import annotations

import rich_click as click

from gailkit.cli.examples import examples
from gailkit.cli.lazy import Lazy, LazyGroup

COMMANDS = {  # by name
    "info": Lazy("gailkit.cli.data.info:info", "Say what a file holds: task, episodes, returns, endings, origin."),
    "check": Lazy("gailkit.cli.data.check:check", "Look for what spoils imitation, and say how to mend it."),
    "convert": Lazy("gailkit.cli.data.convert:convert", "Write a file of any format as a native one, or for Minari."),
    "repair": Lazy("gailkit.cli.data.repair:repair", "Save the intact episodes of a damaged file."),
    "merge": Lazy("gailkit.cli.data.merge:merge", "Join files of one task into one."),
    "split": Lazy("gailkit.cli.data.split:split", "Part a file into two, by whole episodes at random."),
    "select": Lazy("gailkit.cli.data.select:select", "Keep the episodes that meet some conditions."),
    "plot": Lazy("gailkit.cli.data.plot:plot", "Draw a picture to judge a file by."),
}

EXAMPLES = examples(
    "gailkit data info demos.hdf5",
    "- prints what is in demos.hdf5",
    "gailkit data select demos.hdf5 -o good.hdf5 --min-return 400",
    "- makes good.hdf5: those of its episodes that return at least 400",
)


@click.group("data", cls=LazyGroup, table=COMMANDS, epilog=EXAMPLES)
def data() -> None:
    """Look into files of demonstrations, and make new ones of them."""
