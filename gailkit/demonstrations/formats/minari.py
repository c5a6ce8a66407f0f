"""Minari data sets: a folder with ``data/main_data.hdf5``, a group an episode, and ``data/metadata.json``.

No registry of data sets is needed; the folder, ``data`` in it, or the HDF5 file itself can be named. Minari 0.4 and
earlier kept in attributes of the HDF5 file what stands in ``metadata.json`` since.

An episode ends where its last step is marked, as a termination if it is both; without a mark it was truncated there. A
mark before the last step contradicts the file's own division into episodes: such an episode is broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gailkit.demonstrations.file_contents import About, Broken, Contents, Episode, ReadOptions
from gailkit.demonstrations.file_digest import sha256_of
from gailkit.demonstrations.formats.minari_episodes import Sides, episodes, jpeg_members
from gailkit.demonstrations.formats.minari_layout import FILE, MARKS
from gailkit.demonstrations.formats.minari_metadata import (
    METADATA,
    action_side,
    check_stored_as_hdf5,
    environment,
    from_json,
    observation_side,
    provenance,
    read_metadata,
)
from gailkit.errors import DataError
from gailkit.untrusted.folder import member
from gailkit.untrusted.source import Source, open_source

NAME = "Minari"
TAKES = ("obs_keys",)
_GROUP = re.compile(r"episode_(0|[1-9][0-9]{0,8})")


def recognises(opened: Source | Path) -> bool:
    """Whether this is the folder of a Minari data set, or the HDF5 file in it."""
    if isinstance(opened, Path):
        return any((folder / FILE).is_file() or _is_described(folder) for folder in (opened, opened / "data"))
    members = [f"episode_0/{name}" for name in ("observations", "actions", "terminations", "truncations")]
    return opened.container == "HDF5" and all(opened.has(member) for member in members)


def read(opened: Source | Path, options: ReadOptions) -> Contents:
    """The episodes of a Minari data set, in the order of their numbers.

    Raises:
        InputError: if ``options`` choose observations that it does not have.
        DataError: if what it says about itself is damaged, or says that there are other episodes than are found.
    """
    if isinstance(opened, Source):
        numbers, sides, contents = _survey(opened, options)
        return contents._replace(episodes=episodes(opened, numbers, sides))
    folder = opened if (opened / METADATA).exists() or (opened / FILE).exists() else opened / "data"
    if (folder / METADATA).exists():
        check_stored_as_hdf5(from_json(member(folder, METADATA)), opened)
    path = member(folder, FILE)
    with open_source(path) as source:
        numbers, sides, contents = _survey(source, options)
    return contents._replace(episodes=_reopened(path, numbers, sides))


def _reopened(path: Path, numbers: Sequence[int], sides: Sides) -> Iterator[Episode | Broken]:
    with open_source(path) as source:
        yield from episodes(source, numbers, sides)


def _survey(source: Source, options: ReadOptions) -> tuple[list[int], Sides, Contents]:
    """Everything but the episodes: their numbers, where their parts stand, and what is known about all of them."""
    path = source.path
    fields = read_metadata(path.parent, source)
    check_stored_as_hdf5(fields, path)
    found = [(name, _GROUP.fullmatch(name)) for name in source.children()]
    numbers = sorted(int(match[1]) for _, match in found if match is not None)
    _check_total(numbers, fields, path, options)
    env_id, kwargs, environment_facts = environment(fields, path)
    sides = observation_side(fields, path, options.obs_keys), action_side(fields, path)
    group = f"episode_{numbers[0]}"
    facts = {"source": _dataset_folder(path).name, "sha256": sha256_of(path), "format": NAME, **environment_facts}
    in_jpeg = jpeg_members(source, group, sides)
    if in_jpeg:
        facts["images"] = f"stored as JPEG, which changes pixels: {', '.join(in_jpeg)}"
    known = provenance(fields)
    replaced = [name for name in ("source", "sha256", "format") if name in known and f"original_{name}" not in known]
    known |= {f"original_{name}": known[name] for name in replaced}
    about = About(sides[0].space, sides[1].space, env_id, kwargs, known | facts)
    others = [name for name, match in found if match is None]
    unheld = tuple(sorted([*others, *_unheld(source, group, sides)]))
    return numbers, sides, Contents(about, len(numbers), (), unheld)


def _check_total(numbers: Sequence[int], fields: Mapping[str, Any], path: Path, options: ReadOptions) -> None:
    """Raise DataError unless the episodes that are there are those that the data set says it has."""
    total = fields.get("total_episodes", len(numbers))
    if not numbers:
        raise DataError(f"{path} holds no episode, a group called 'episode_0' and so on")
    if (total != len(numbers) or numbers[-1] != len(numbers) - 1) and not options.tolerant:
        raise DataError(
            f"{path} is said to hold {total} episodes; found are {len(numbers)}, with numbers from {numbers[0]} "
            f"to {numbers[-1]}"
        )


def _unheld(source: Source, group: str, sides: Sides) -> list[str]:
    """What an episode holds beside observations, actions and marks, and of the observations what is not read."""
    beside = [name for name in source.children(group) if name not in (*MARKS, "observations", "actions")]
    inner = {name: source.children(f"{group}/{name}") for name in beside if _is_group(source, f"{group}/{name}")}
    names = [f"{name}/{child}" for name, children in inner.items() for child in children]
    read_members = [member for side in sides for _, member in side.members]
    parts = [f"observations/{name}" for name in source.children(f"{group}/observations")]
    skipped = [part for part in parts if not any(f"{member}/".startswith(f"{part}/") for member in read_members)]
    return [name for name in beside if name not in inner] + names + skipped


def _is_group(source: Source, name: str) -> bool:
    entry = source.entry(name)
    return entry is not None and entry.kind == "group"


def _is_described(folder: Path) -> bool:
    """Whether Minari's own description lies in ``folder``, in whatever way the episodes are stored."""
    path = folder / METADATA
    return path.is_file() and "minari_version" in from_json(path)


def _dataset_folder(path: Path) -> Path:
    folder = path.absolute().parent
    return folder.parent if folder.name == "data" else folder
