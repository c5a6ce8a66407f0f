"""What the commands that make a new file of demonstrations share: its options, and what it must not replace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from gailkit.cli.common import PATH, prepare_output
from gailkit.errors import InputError
from gailkit.wording import counted

if TYPE_CHECKING:
    import numpy as np

output_option = click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT.hdf5",
    type=PATH,
    help="File to write.",
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what is to be written if it exists.")


def prepare_new_file(output: Path, sources: Sequence[Path], overwrite: bool) -> None:
    """Make sure now that ``output`` can be written later, and that nobody loses anything by it.

    Raises:
        InputError: as ``check_new``.
        StorageError: if it is a folder, or its folder cannot be written to.
    """
    if not output.is_dir():
        check_new(output, sources, overwrite)
    prepare_output(output)


def check_new(output: Path, sources: Sequence[Path], overwrite: bool) -> None:
    """Raise InputError if one of the ``sources`` is ``output``, holds it or lies in it, or it may not be replaced."""
    for source in sources:
        if is_same_file(output, source):
            raise InputError(f"{output} is read from, so it cannot be written; another name is needed")
        for inner, outer in ((output, source), (source, output)):
            if Path(os.path.realpath(outer)) in Path(os.path.realpath(inner)).parents:
                raise InputError(
                    f"{output} cannot be written, because {inner} lies in {outer} and {source} is read from; "
                    "another name is needed"
                )
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists; --overwrite replaces it")


def is_same_file(first: Path, second: Path) -> bool:
    """Whether two paths lead to one file, also one that is still to be written."""
    if first.exists() and second.exists():
        return first.samefile(second)
    return os.path.realpath(first) == os.path.realpath(second)


def size(lengths: np.ndarray) -> str:
    """How many episodes and steps, in words, for the length of each episode."""
    return f"{counted(len(lengths), 'episode')}, {counted(int(lengths.sum()), 'step')}"
