"""What the commands that make a new file of demonstrations share: its options, and what it must not replace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from gailkit.cli.common import prepare_output
from gailkit.errors import InputError

if TYPE_CHECKING:
    from gailkit.demonstrations import Demonstrations

output_option = click.option(
    "-o", "--output", required=True, metavar="OUT.hdf5", type=click.Path(path_type=Path), help="File to write."
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what is to be written if it exists.")


def prepare_new_file(output: Path, sources: Sequence[Path], overwrite: bool) -> None:
    """Make sure now that ``output`` can be written later, and that nobody loses anything by it.

    Raises:
        InputError: if it is one of the ``sources``, or exists and may not be replaced.
        StorageError: if it is a folder, or its folder cannot be written to.
    """
    for source in sources:
        if is_same_file(output, source):
            raise InputError(f"{output} is read from, so it cannot be written; another name is needed")
    if output.is_file() and not overwrite:
        raise InputError(f"{output} exists; --overwrite replaces it")
    prepare_output(output)


def is_same_file(first: Path, second: Path) -> bool:
    """Whether two paths lead to one file, also one that is still to be written."""
    if first.exists() and second.exists():
        return first.samefile(second)
    return os.path.realpath(first) == os.path.realpath(second)


def size(demonstrations: Demonstrations) -> str:
    """How many episodes and steps, in words."""
    episodes = len(demonstrations.trajectories)
    return f"{episodes:,} {'episode' if episodes == 1 else 'episodes'}, {demonstrations.num_steps:,} steps"
