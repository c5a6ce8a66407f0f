"""From a path to what the file holds: the format is found out by looking inside, not by the name."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from gailkit.demonstrations import hdf5
from gailkit.demonstrations.contents import Contents
from gailkit.demonstrations.formats import d4rl
from gailkit.demonstrations.safety import open_hdf5
from gailkit.errors import DataError

FORMATS: tuple[ModuleType, ...] = (hdf5, d4rl)
"""Each has NAME, ``recognises(SafeReader) -> bool`` and ``read(SafeReader) -> Contents``; the first to agree reads."""


def read(path: Path) -> tuple[str, Contents]:
    """The name of the file's format, and what the file holds.

    Raises:
        InputError: if there is no such file.
        StorageError: if it may not be read.
        DataError: if it is damaged or of no known format.
    """
    with open_hdf5(path) as reader:
        for module in FORMATS:
            if module.recognises(reader):
                contents: Contents = module.read(reader)
                return str(module.NAME), contents
    known = ", ".join(str(module.NAME) for module in FORMATS)
    raise DataError(f"{path} is an HDF5 file of no known format; known are: {known}")
