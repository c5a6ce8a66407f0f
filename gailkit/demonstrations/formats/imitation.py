"""Folders of trajectories that `imitation` saves through the package ``datasets``: one row an episode.

Layout::

    state.json                  names the data files, in order
    dataset_info.json           not needed here
    data-00000-of-00001.arrow   an Arrow stream with the columns obs (L + 1 rows an episode), acts (L), rews (L,
                                optional), terminal (one boolean) and infos (L pickles in JSON: never loaded)

``terminal`` is true also where a time limit cut an episode off, so that an end after as many steps as the longest
episode, where several are as long, is asked about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gailkit.demonstrations.endings import doubtful
from gailkit.demonstrations.file_contents import About, Broken, Contents, Episode, ReadOptions
from gailkit.demonstrations.file_digest import sha256_of
from gailkit.errors import DataError, InputError
from gailkit.importing import require
from gailkit.untrusted.folder import member
from gailkit.untrusted.source import Source, Span, open_source

NAME = "imitation"
MAX_STATE = 2**20  # bytes of state.json
MAX_FILES = 1000
_STATE = "state.json"
_SPLITS = "dataset_dict.json"
_RUNS = ("obs", "acts")
_COLUMNS = {"obs", "acts", "rews", "terminal"}


class _File(NamedTuple):
    """What a data file of E episodes says about them."""

    path: Path
    runs: dict[str, np.ndarray]  # "obs", "acts" and perhaps "rews" -> where each episode's rows begin (E + 1,)
    done: np.ndarray  # (E,) bool
    unheld: set[str]


def recognises(folder: Path) -> bool:
    """Whether it has the two files that ``datasets`` puts beside its data, or folders of such."""
    whole = (folder / _STATE).is_file() and (folder / "dataset_info.json").is_file()
    return whole or (folder / _SPLITS).is_file()


def read(folder: Path, options: ReadOptions) -> Contents:
    """The episodes of all data files.

    Raises:
        InputError: if the package pyarrow is missing, or the folder holds several data sets.
        DataError: if the files do not fit each other.
    """
    if not (folder / _STATE).is_file() and (folder / _SPLITS).is_file():
        inside = ", ".join(sorted(str(state.parent) for state in folder.glob(f"*/{_STATE}")))
        raise InputError(f"{folder} holds data sets in folders of their own; name one of: {inside or 'none'}")
    require(str(folder), "arrow", "pyarrow")
    paths = _data_files(folder)
    files = []
    for path in paths:
        with open_source(path) as source:
            files.append(_described(source))
    lengths = np.concatenate([np.diff(file.runs["acts"]) for file in files])
    done = np.concatenate([file.done for file in files])
    if not len(lengths):
        raise DataError(f"{folder} holds no episode")
    terminated = doubtful(lengths.tolist(), done.tolist())
    digest = hashlib.sha256("".join(map(sha256_of, paths)).encode()).hexdigest()
    about = About(provenance={"source": folder.name, "sha256": digest, "format": NAME})
    unheld = tuple(sorted(set().union(*(file.unheld for file in files))))
    return Contents(about, len(lengths), _episodes(files, terminated), unheld)


def _data_files(folder: Path) -> list[Path]:
    """The data files that the folder's state names; they must lie in the folder itself."""
    state = _state(member(folder, _STATE))
    listed = state.get("_data_files")
    entries = listed if isinstance(listed, list) else []
    names = [str(entry["filename"]) for entry in entries if isinstance(entry, dict) and "filename" in entry]
    alike = len(set(names)) < len(names)
    if not names or alike or len(names) < len(entries) or any(Path(name).name != name for name in names):
        raise DataError(
            f"{folder / _STATE} must name data files in its own folder, each once; found {str(listed)[:80]}"
        )
    if state.get("_indices_data_files"):
        raise DataError(f"{folder} keeps its rows in another order than they are stored in, which is not read")
    if len(names) > MAX_FILES:
        raise DataError(f"{folder / _STATE} names {len(names)} data files; accepted are {MAX_FILES}")
    return [member(folder, name) for name in names]


def _state(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        text = file.read(MAX_STATE + 1)
    try:
        state = json.loads(text) if len(text) <= MAX_STATE else None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict):
        raise DataError(f"{path} must be a JSON object of at most {MAX_STATE} bytes; found something else")
    return state


def _described(source: Source) -> _File:
    done = source.array("terminal") != 0
    names = (*_RUNS, "rews") if source.has("rews") else _RUNS
    runs = {}
    for name in names:
        runs[name] = source.array(f"{name}/offsets")
        if done.ndim != 1 or len(runs[name]) != len(done) + 1:
            raise DataError(f"{source.path}: {name!r} must be one list a row, and 'terminal' one boolean")
    return _File(source.path, runs, done, set(source.children()) - _COLUMNS)


def _episodes(files: Sequence[_File], terminated: Sequence[bool | None]) -> Iterator[Episode | Broken]:
    endings = iter(terminated)
    for file in files:
        with open_source(file.path) as source:
            for row in range(len(file.done)):
                yield _episode(source, file, row, next(endings))


def _episode(source: Source, file: _File, row: int, terminated: bool | None) -> Episode | Broken:
    spans = [Span(f"{name}/values", int(run[row]), int(run[row + 1])) for name, run in file.runs.items()]
    lengths = {name: span.stop - span.start for name, span in zip(file.runs, spans, strict=True)}
    steps = lengths["acts"]
    if (steps and lengths["obs"] != steps + 1) or lengths.get("rews", steps) != steps:
        return Broken(f"it must have one observation more than actions, and as many rewards; found {lengths}")
    observations, actions, *rewards = source.arrays(spans)
    return Episode(observations, actions, rewards[0] if rewards else None, terminated)
