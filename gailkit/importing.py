"""Python objects by name, ``package.module:attribute``, also out of the current folder."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
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


def where_defined(part: object) -> str:
    """Where ``part``, or what it is an instance of, was defined: ``module:name``."""
    named = part if hasattr(part, "__qualname__") else type(part)
    return f"{named.__module__}:{named.__qualname__}"


def leads_to(name: str, part: object) -> bool:
    """Whether ``module:attribute`` is a name by which another process, too, can import ``part``."""
    module, _, attribute = name.partition(":")
    found: Any = sys.modules.get(module)
    for word in attribute.split("."):
        found = getattr(found, word, None)
    return module != "__main__" and bool(found == part)


def top_module(name: str) -> str:
    """``package`` of ``package.module:attribute``."""
    return name.partition(":")[0].partition(".")[0]


def module_place(name: str) -> str | None:
    """The file or, of a package without one, the folders that the top module ``name`` would be imported from.

    Nothing is imported. None where there is no such module.
    """
    make_current_folder_importable()
    importlib.invalidate_caches()
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # ValueError: a module without a specification, or an empty name
        return None
    if spec is None:
        return None
    if spec.has_location and spec.origin:
        return os.path.realpath(spec.origin)
    return os.pathsep.join(map(os.path.realpath, spec.submodule_search_locations or [])) or spec.origin


def require(what: str, extra: str, *packages: str) -> None:
    """Raise InputError, with the command that installs them, unless ``packages`` of an ``extra`` of gailkit are here.

    ``what`` needs them, a file or something to be done.
    """
    if any(importlib.util.find_spec(package) is None for package in packages):
        raise missing_package(what, extra)


def missing_package(what: str, extra: str) -> InputError:
    """The error for ``what`` cannot be had without an ``extra`` of gailkit."""
    return InputError(f"{what} needs a package that is not installed: pip install 'gailkit[{extra}]'")


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
