"""Files in a folder of somebody else's."""

from __future__ import annotations

from pathlib import Path

from gailkit.errors import DataError


def member(folder: Path, name: str) -> Path:
    """The file ``name`` in ``folder``, which a link may not lead out of.

    Raises:
        DataError: if it lies elsewhere, or is no ordinary file.
    """
    path = folder / name
    if not path.is_file():
        raise DataError(f"{folder} has no file {name}")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{path} leads out of its folder, to a file that is not part of it")
    return path
