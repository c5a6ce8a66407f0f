"""What of a run is published: what it takes to act and to be looked at, and nothing of the machine it was made on."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.errors import InputError
from gailkit.training.checkpoint import packed
from gailkit.training.metrics import METRICS_FILE
from gailkit.training.places import LAST, PREVIOUS
from gailkit.training.run import CONFIG_FILE, LOOKS, PICTURE_FILE, RunFolder, damaged

CARD, DEMONSTRATIONS, FILM = "README.md", "demonstrations.hdf5", "film"
FILMS = (".gif", ".webp", ".mp4")
MIB = 2**20
PLACE = re.compile(r"(?:(?<=[\s'\"=:(,])|^)(?:~|[A-Za-z]:)?[/\\\\](?:[^/\\\\\s'\",]+[/\\\\])*")
WORD = re.compile(r"(?:(?<==)|^)~?/(?:.*/)?")

LIMITS: Mapping[str, int] = {
    CONFIG_FILE: 64 * MIB,
    "checkpoints/chosen.safetensors": 1024 * MIB,
    "checkpoints/last.safetensors": 1024 * MIB,
    "checkpoints/best.safetensors": 1024 * MIB,
    METRICS_FILE: 256 * MIB,
    CARD: 4 * MIB,
    DEMONSTRATIONS: 16 * 1024 * MIB,
}
"""The files that are taken out of a repository, by the name that each must have, and how many bytes at most."""


class Parcel(NamedTuple):
    """The files of a run that are published, by their names in the repository."""

    described: Mapping[str, Any]  # as it is published
    checkpoint: str
    contents: Mapping[str, bytes]
    paths: Mapping[str, Path]  # those that are sent as they lie on the disk


def pack(run: Path, checkpoint: str | None, film: Path | None, demonstrations: Path | None) -> Parcel:
    """What is published of the run folder ``run``: its description, its policy at a checkpoint, its metrics.

    Optimisers, discriminator and replay stay here, and so do the places of files on this machine.

    Args:
        checkpoint: chosen, last or best; the usual one where it is None.
        film: of the policy; where it is None the newest that the run itself has made, if it has.
        demonstrations: a native file that is published too.

    Raises:
        InputError: if there is no such run, checkpoint, film or file.
        DataError: if the run is damaged.
    """
    folder = RunFolder.open(run)
    described = folder.description()
    name, state = folder.whole(checkpoint or folder.usual_checkpoint())
    name = LAST if name == PREVIOUS else name
    with damaged(run):
        networks = {each: tensor for each, tensor in state["generator"].items() if each.startswith("actor_critic.")}
        told = [each for each in ("choice", "steps", "true_return") if each in state]
        kept: dict[str, Any] = {each: state[each] for each in told}
        published = _published(described)
    contents = {
        CONFIG_FILE: json.dumps(published, indent=2).encode(),
        f"checkpoints/{name}.safetensors": packed({"generator": networks, **kept}),
    }
    film = film or next(iter(sorted((run / LOOKS).glob("step-*.gif"), reverse=True)), None)
    beside = {METRICS_FILE: run / METRICS_FILE, PICTURE_FILE: run / PICTURE_FILE}
    paths = {each: path for each, path in beside.items() if path.is_file()}
    if film is not None:
        paths[_film_name(film)] = film
    if demonstrations is not None:
        paths[DEMONSTRATIONS] = _native(demonstrations)
    return Parcel(published, name, contents, paths)


def _published(described: Mapping[str, Any]) -> dict[str, Any]:
    """The description without what only this machine knows: places of files, and the runs of trackers."""
    shown = described["demonstrations"]
    public = {name: value for name, value in described.items() if name != "track"}
    return {**public, "command": without_places(described.get("command")), "demonstrations": without_places(shown)}


def without_places(value: Any) -> Any:
    """Plain JSON values in which every absolute path is the name of its file alone."""
    if isinstance(value, str) and value.startswith("gailkit "):
        return _command_without_places(value)
    if isinstance(value, str):
        return PLACE.sub("", value)
    if isinstance(value, Mapping):
        return {name: without_places(each) for name, each in value.items()}
    return [without_places(each) for each in value] if isinstance(value, list) else value


def _command_without_places(command: str) -> str:
    """The same of a command line, in which names may hold spaces."""
    try:
        words = shlex.split(command)
    except ValueError:
        return PLACE.sub("", command)
    return shlex.join(WORD.sub("", word) for word in words)


def _film_name(film: Path) -> str:
    if film.suffix.lower() not in FILMS or not film.is_file():
        raise InputError(f"{film} is no film; accepted are files that end in {', '.join(FILMS)}")
    return FILM + film.suffix.lower()


def _native(path: Path) -> Path:
    """Raises as ``Demonstrations.load`` where it is no native file, or damaged: every digest in it is compared."""
    Demonstrations.load(path, ReadOptions(format="native"))
    return path
