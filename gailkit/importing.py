"""Python objects by name, ``package.module:attribute``, also out of the current folder."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from gailkit.errors import InputError


def import_attribute(name: str) -> Any:
    """What ``package.module:attribute`` names; the attribute may have dots.

    Raises:
        InputError: if there is no such module or attribute (near matches are listed), or importing it fails.
    """
    module_name, _, attribute = name.partition(":")
    found: Any = import_module(module_name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [known for known in dir(found) if not known.startswith("_")]
            matches = difflib.get_close_matches(part, public) or public[:8]
            raise InputError(f"{module_name} has no attribute {part!r}; it has: {', '.join(matches) or 'nothing'}")
        found = getattr(found, part)
    return found


def import_module(name: str) -> ModuleType:
    """The module ``name``, from the current folder or installed. Raises InputError as ``import_attribute`` does."""
    make_current_folder_importable()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise InputError(f"{name} cannot be imported: {error}") from error
        matches = difflib.get_close_matches(name, [path.stem for path in Path.cwd().glob("*.py")])
        near = f"; near matches: {', '.join(matches)}" if matches else ""
        raise InputError(f"there is no module {name!r} in the current folder or among those installed{near}") from error
    except Exception as error:  # the module is foreign code and may raise anything
        raise InputError(f"{name} cannot be imported: {describe_foreign(error, __file__)}") from error


def make_current_folder_importable() -> None:
    """Let ``import`` find modules in the current folder first, as ``python -m`` does."""
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)


def describe_foreign(error: Exception, own_file: str) -> str:
    """An error of foreign code in one line, with the place outside ``own_file`` that raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != own_file]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    message = next(iter(str(error).strip().splitlines()), "no message")
    return f"{type(error).__name__}: {message}{place}"
