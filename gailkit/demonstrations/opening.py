"""From a path to what the file holds: the format is found out by looking inside, not by the name."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from gailkit.demonstrations.episodes import Episodes, HeldEpisodes
from gailkit.demonstrations.file_contents import About, Contents, ReadOptions
from gailkit.demonstrations.formats import FILES, FOLDERS, SAID
from gailkit.demonstrations.native.larger_than_memory import stored_episodes
from gailkit.demonstrations.native.truncated_file import said_of_the_cut
from gailkit.demonstrations.time_limits import divided
from gailkit.demonstrations.to_trajectories import Conversion
from gailkit.errors import DataError, InputError
from gailkit.memory import available_memory
from gailkit.untrusted.source import DamageError, Source, open_source

Opened = TypeVar("Opened", contravariant=True)


class Format(Protocol[Opened]):
    """A module that reads one format, out of the ``Source`` of a file or the path of a folder.

    What ``read`` returns for a folder opens the files in it as they are needed.
    """

    NAME: str

    @staticmethod
    def recognises(opened: Opened, /) -> bool:
        """Whether this is of the format, found out from its content; it raises nothing but DataError."""

    @staticmethod
    def read(opened: Opened, options: ReadOptions, /) -> Contents:
        """All of it."""


class Reading(NamedTuple):
    """All of a file."""

    format: str
    about: About
    trajectories: Episodes
    verified: bool  # whether each episode was compared with a digest


def read(path: Path, options: ReadOptions | None = None, memory: int | None = None) -> Reading:
    """Everything in the file or folder ``path``, whose steps stay where they are if it is a native file that holds more
    than ``memory`` bytes; half of what is free where ``memory`` is None.

    Raises:
        InputError: if there is no such file, or ``options`` name what it does not have.
        AmbiguousEnding: if it says that episodes end and neither it nor ``options`` say how.
        StorageError: if it may not be read.
        DataError: if it is damaged, hostile, of no known format, or holds no whole step.
    """
    options = options or ReadOptions()
    with open_contents(path, options) as (name, contents):
        most = available_memory() // 2 if memory is None else memory
        stays = contents.num_bytes is not None and contents.num_bytes > most
        if contents.together is not None and not stays:
            contents = contents._replace(episodes=contents.together())
        conversion = Conversion(path, contents, options)
        trajectories = stored_episodes(conversion) if stays else HeldEpisodes(tuple(conversion.strict()))
    if not len(trajectories):
        raise DataError(conversion.nothing())
    provenance = {**contents.about.provenance, **conversion.notes()}
    return Reading(name, contents.about._replace(provenance=provenance), trajectories, contents.verified)


@contextmanager
def open_contents(path: Path, options: ReadOptions) -> Iterator[tuple[str, Contents]]:
    """The name of the format of ``path`` and its contents, whose episodes can be read inside the block.

    Raises: as ``read``.
    """
    if path.is_dir():
        _check_no_other_folder(path)
        folder = _chosen(path, path, FOLDERS, options)
        _check_options(path, folder, options)
        yield folder.NAME, divided(path, folder.read(path, options), options)
        return
    with _opened(path) as source:
        file = _chosen(path, source, FILES, options)
        _check_options(path, file, options)
        yield file.NAME, divided(path, file.read(source, options), options)


@contextmanager
def _opened(path: Path) -> Iterator[Source]:
    """The file; that it was cut is said in words of its own. Raises as ``open_source``."""
    with ExitStack() as opened:
        try:
            source = opened.enter_context(open_source(path))
        except DamageError as error:
            said = said_of_the_cut(path)
            raise error if said is None else DataError(said) from error
        yield source


def _check_no_other_folder(path: Path) -> None:
    """Raise InputError for a folder that another command makes, and that holds no demonstrations."""
    if (path / "config.json").is_file() and (path / "checkpoints").is_dir():
        raise InputError(
            f"{path} is the folder of a run, which holds a policy and no demonstrations; gailkit record "
            "ENV_ID --policy "
            f"{shlex.quote(str(path))} --episodes N -o FILE.hdf5 records some"
        )
    if path.suffix == ".parts" and (path / "lock").exists():
        raise InputError(
            f"{path} holds what a recording finished before it was stopped; gailkit record with --append -o "
            f"{shlex.quote(str(path.with_suffix('')))} takes it in"
        )


def _chosen(path: Path, opened: Opened, formats: dict[str, str], options: ReadOptions) -> Format[Opened]:
    """The format that ``options`` name, else the first of ``formats`` that recognises what was ``opened``."""
    if options.format is not None:
        if options.format not in FILES | FOLDERS:
            raise InputError(f"no format is called {options.format!r}; known are: {', '.join(FILES | FOLDERS)}")
        if options.format not in formats:
            kind = "folder" if path.is_dir() else "file"
            raise InputError(f"{path} is a {kind}, and {options.format} is not a format of one")
        named: Format[Opened] = _module(formats[options.format])
        return named
    for name in formats.values():
        module: Format[Opened] = _module(name)
        if module.recognises(opened):
            return module
    raise DataError(
        f"{path} is of no known format; known are: {', '.join(formats)}; of any other layout "
        "gailkit.Demonstrations.from_episodes makes demonstrations, in a few lines of Python"
    )


def _check_options(path: Path, module: Format[Any], options: ReadOptions) -> None:
    """Raise InputError for an option that means nothing to the format: ignored, it would give other episodes."""
    given = {"obs_keys": options.obs_keys, "mask": options.mask, "columns": options.columns}
    for name, value in given.items():
        if value and name not in getattr(module, "TAKES", ()):
            raise InputError(
                f"{path} is a {module.NAME} file, which has no {SAID[name]}"
                + ("; to read its arrays as columns add --format columns" if name == "columns" else "")
            )


def _module(name: str) -> Any:
    return importlib.import_module(name)
