"""``gailkit data select``: the episodes of a file that meet some conditions."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Literal

import rich_click as click

from gailkit.cli.common import PATH, printable, typed_command
from gailkit.cli.data.writing import output_option, overwrite_option, prepare_new_file, size
from gailkit.cli.demonstrations import ReadingOptions, load, reading_options
from gailkit.cli.examples import examples


class EpisodeNumbers(click.ParamType[tuple[range, ...]]):
    """``0,3,5-9`` as ranges, never written out: nobody knows yet how many episodes there are."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[range, ...]:
        """The ranges that ``value`` lists, both ends of each included."""
        return tuple(self._range(part, param, ctx) for part in str(value).split(","))

    def _range(self, part: str, param: click.Parameter | None, ctx: click.Context | None) -> range:
        found = re.fullmatch(r"\s*(\d{1,18})(?:-(\d{1,18}))?\s*", part, re.ASCII)
        if found is None:
            self.fail(f"{part!r} is neither a number nor a range; expected is a list such as 0,3,5-9.", param, ctx)
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            self.fail(f"{part!r} ends before it begins; expected is a range such as {last}-{first}.", param, ctx)
        return range(first, last + 1)


EXAMPLES = examples(
    "gailkit data select demos.hdf5 -o best.hdf5 --best 10",
    "- makes best.hdf5: the ten episodes with the highest returns",
    "gailkit data select demos.hdf5 -o good.hdf5 --min-return 400 --truncated",
    "- makes good.hdf5: those that return 400 or more and reach the time limit",
)


@click.command(
    "select",
    epilog=EXAMPLES,
)
@click.option_panel("Options")
@click.argument("file", type=PATH)
@output_option
@click.option("--min-return", default=-math.inf, metavar="R", help="Episodes with a return of at least R.")
@click.option("--max-return", default=math.inf, metavar="R", help="Episodes with a return of at most R.")
@click.option("--min-length", default=1, metavar="L", help="Episodes of at least L steps.")
@click.option("--max-length", default=math.inf, metavar="L", help="Episodes of at most L steps.")
@click.option("--episodes", type=EpisodeNumbers(), metavar="LIST", help="These by number, from 0: 0,3,5-9.")
@click.option("--terminated", is_flag=True, help="Episodes that the task itself ended.")
@click.option("--truncated", is_flag=True, help="Episodes that a time limit ended.")
@click.option("--unique", is_flag=True, help="Of episodes that are exactly equal the first.")
@click.option(
    "--best", type=click.IntRange(min=1), metavar="K", help="Of what is left, the K with the highest returns."
)
@overwrite_option
@reading_options
def select(
    file: Path,
    output: Path,
    min_return: float,
    max_return: float,
    min_length: int,
    max_length: float,
    episodes: tuple[range, ...] | None,
    terminated: bool,
    truncated: bool,
    unique: bool,
    best: int | None,
    overwrite: bool,
    options: ReadingOptions,
) -> None:
    """Write those episodes of FILE that meet every condition given to a new file, in the order they have."""
    prepare_new_file(output, [file], overwrite)
    from gailkit.demonstrations.editing.select import Criteria, Interval, with_step
    from gailkit.demonstrations.editing.select import select as selected

    criteria = Criteria(
        episodes=episodes,
        returns=Interval(min_return, max_return),
        lengths=Interval(min_length, max_length),
        ending=_ending(terminated, truncated),
        unique=unique,
        best=best,
    )
    whole = load(file, options)
    part = selected(whole, criteria)
    with_step(part, f"{size(part.episodes.lengths)} out of {size(whole.episodes.lengths)}: {typed_command()}").save(
        output
    )
    click.echo(printable(f"kept {size(part.episodes.lengths)}, out of {size(whole.episodes.lengths)}, in {output}"))


def _ending(terminated: bool, truncated: bool) -> Literal["terminated", "truncated"] | None:
    if terminated and truncated:
        raise click.UsageError("No episode is both --terminated and --truncated; give one of them.")
    return "terminated" if terminated else "truncated" if truncated else None
