"""Writing a Minari data set: a folder that Minari itself opens with ``minari.MinariDataset(folder / "data")``.

Images are stored as they are, not in JPEG. The folder is complete and on the disk before it takes its name.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from gymnasium import Space
from gymnasium.envs.registration import registry
from gymnasium.spaces import Discrete

from gailkit.demonstrations.file_contents import About
from gailkit.demonstrations.formats.minari_layout import FILE, Side, side
from gailkit.demonstrations.formats.minari_metadata import EARLIER, ENVIRONMENT, KEPT, LISTS, MAX_BYTES, METADATA
from gailkit.demonstrations.native.writing import pack, rows_within
from gailkit.errors import InputError, StorageError
from gailkit.spaces import space_to_minari_json
from gailkit.spaces.structure import leaf, leaves
from gailkit.storage import replacing, sync_folder, write_atomically
from gailkit.types import Trajectory

NAME = "Minari"
MINARI_VERSION = "0.5.4"  # the first that knows of images that are not in JPEG
_DATASET_ID = re.compile(r"([-\w][-\w/]*/)?[-\w]+-v\d+")
_CHUNK_BYTES = 128 * 2**10


def write(path: Path, about: About, trajectories: Iterable[Trajectory]) -> int:
    """Write a Minari data set of any size into the folder ``path``, in bounded memory.

    Returns the number of trajectories. An older data set there is replaced once the new one is complete.

    Raises:
        InputError: if ``path`` exists and holds anything but a Minari data set, or Minari cannot hold the episodes.
        StorageError: if the disk refuses; an older data set is then as it was.
    """
    sides = _sides(about)
    with _new_folder(path) as folder:
        data = folder / "data"
        data.mkdir()
        with replacing(data / FILE) as file, h5py.File(file, "w", libver=("v110", "v110")) as opened:
            episodes = steps = 0
            for trajectory in trajectories:
                _append(opened, episodes, trajectory, sides)
                episodes, steps = episodes + 1, steps + len(trajectory)
                file.check()
        if not episodes:
            raise InputError("a Minari data set needs at least one trajectory; found none")
        size = round((data / FILE).stat().st_size / 1e6, 1)
        counts = {"total_episodes": episodes, "total_steps": steps, "dataset_size": size}
        text = json.dumps({**counts, **_metadata(about, path)}).encode()
        if len(text) > MAX_BYTES:
            raise InputError(f"the spaces take {len(text)} bytes as Minari describes them; accepted are {MAX_BYTES}")
        write_atomically(data / METADATA, text)
    return episodes


def losses(about: About) -> tuple[str, ...]:
    """What a native file holds and a Minari data set does not, in words."""
    lost = ["the digest of each episode"]
    spaces = [space for space in (about.observation_space, about.action_space) if space is not None]
    discrete = [space for whole in spaces for _, space in leaves(whole) if isinstance(space, Discrete)]
    if any(space.dtype != np.int64 for space in discrete):
        lost.append("that a Discrete space is not of int64")
    if about.env_id is not None and _env_spec(about) is None:
        lost.append(f"how Minari can build {about.env_id}, which is not registered here")
    return tuple(lost)


def _sides(about: About) -> tuple[Side, Side]:
    if about.observation_space is None or about.action_space is None:
        raise InputError("a Minari data set states its spaces, which these demonstrations do not; --env gives them")
    for space in (about.observation_space, about.action_space):
        for name in (name for path, _ in leaves(space) for name in path):
            if "/" in name or name == ".":
                raise InputError(f"Minari cannot hold a part called {name!r}; accepted are names without '/'")
    return side(about.observation_space, "observations"), side(about.action_space, "actions")


def _append(file: h5py.File, number: int, trajectory: Trajectory, sides: tuple[Side, Side]) -> None:
    if trajectory.rewards is None:
        raise InputError(f"Minari holds a reward for every step, and trajectory {number} has none")
    if not trajectory.has_actions:
        raise InputError(f"Minari holds an action for every step, and trajectory {number} has none")
    group = file.create_group(f"episode_{number}")
    group.attrs["id"], group.attrs["total_steps"] = number, len(trajectory)
    if trajectory.seed is not None:
        group.attrs["seed"] = trajectory.seed
    for own, values in zip(sides, (trajectory.observations, trajectory.actions), strict=True):
        for path, member in own.members:
            _pack(group, member, leaf(values, path))
    last = np.arange(len(trajectory)) == len(trajectory) - 1
    _pack(group, "rewards", trajectory.rewards)
    _pack(group, "terminations", last & trajectory.terminated)
    _pack(group, "truncations", last & (not trajectory.terminated))
    group.create_group("infos")  # Minari expects one, empty or not


def _pack(group: h5py.Group, name: str, values: np.ndarray) -> None:
    """An episode's array, to which no rows will follow."""
    pack(group, name, values, max(1, min(len(values), rows_within(_CHUNK_BYTES, values))))


def _metadata(about: About, path: Path) -> dict[str, Any]:
    """All that is stated about the data set, but for how many episodes there are."""
    known = dict(about.provenance)
    dataset_id = known.pop("dataset_id", "")
    known.pop("minari_version", None)
    kept = {name: known.pop(name) for name in KEPT if name in known}
    stated: dict[str, Any] = {
        "data_format": "hdf5",
        "jpeg_encoding": False,
        "observation_space": _described(about.observation_space),
        "action_space": _described(about.action_space),
        "dataset_id": dataset_id if _DATASET_ID.fullmatch(dataset_id) else _new_id(path),
        "minari_version": MINARI_VERSION,
        **{name: text.split("; ") if name in LISTS else text for name, text in kept.items()},
        EARLIER: known,
    }
    if about.env_id is not None:
        stated[ENVIRONMENT] = {"id": about.env_id, "kwargs": dict(about.env_kwargs)}
    spec = _env_spec(about)
    return stated if spec is None else {**stated, "env_spec": spec}


def _described(space: Space[Any] | None) -> str:
    assert space is not None  # as _sides has made sure
    return space_to_minari_json(space)


def _new_id(path: Path) -> str:
    name = re.sub(r"[^-\w]", "-", path.absolute().name)
    return name if _DATASET_ID.fullmatch(name) else f"{name}-v0"


def _env_spec(about: About) -> str | None:
    """What Gymnasium needs to build the environment, None where it knows of none; nothing is imported or built."""
    registered = registry.get(about.env_id or "")
    if registered is None:
        return None
    spec = copy.deepcopy(registered)
    kwargs = {"max_episode_steps": about.provenance.get("max_episode_steps"), **about.env_kwargs}
    limit = str(kwargs.pop("max_episode_steps"))  # which Gymnasium's spec has beside the arguments
    spec.kwargs = {**spec.kwargs, **kwargs}
    if limit.isdecimal():
        spec.max_episode_steps = int(limit)
    try:
        return spec.to_json()
    except (TypeError, ValueError):  # registered with something that has no name, such as a local function
        return None


@contextlib.contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A folder to be filled inside the block, which is then called ``path``; if the block raises, nothing changes."""
    target = Path(os.path.realpath(path))
    temporary, older = (target.with_name(f".gailkit-{secrets.token_hex(8)}.{kind}") for kind in ("tmp", "old"))
    try:
        _check_replaceable(target, path)
        temporary.mkdir()
        yield temporary
        sync_folder(temporary)
        if target.exists():
            _check_replaceable(target, path)  # again: filling the new folder may have taken hours
            os.rename(target, older)
        os.rename(temporary, target)
        sync_folder(target.parent)
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        if older.exists() and not target.exists():
            os.rename(older, target)
        shutil.rmtree(older, ignore_errors=True)
        shutil.rmtree(temporary, ignore_errors=True)


def _check_replaceable(target: Path, path: Path) -> None:
    """Raise InputError if anything but a Minari data set would be lost with ``target``, which was called ``path``."""
    if not target.exists():
        return
    if not (target / "data" / FILE).is_file():
        raise InputError(f"{path} exists and is no Minari data set, so it is not replaced; another name is needed")
    own = {"data", f"data/{FILE}", f"data/{METADATA}"}
    found = {found.relative_to(target).as_posix() for folder in (target, target / "data") for found in folder.iterdir()}
    if found - own:
        raise InputError(
            f"{path} holds {min(found - own)!r} beside a Minari data set, so it is not replaced; another name is needed"
        )
