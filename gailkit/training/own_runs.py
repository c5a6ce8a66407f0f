"""Which runs were made by this user, so that what they name may be imported again without asking.

A run names modules: that of its environment, those of its parts. Nothing that a file names is imported by itself, since
the file may be anybody's. But whoever began a run gave its names himself, on the command line or in Python. So the
digest of the description of a run that names modules is kept in the user's own state folder, with the place of the file
that each top module was imported from. Whatever is not in this list, byte for byte, is a stranger's; a run of one's own
may be moved, but a module of the same name in another place is another module.

$XDG_STATE_HOME/gailkit/own-runs/SHA256 (~/.local/state by default): {"module": "/place/module.py"}. No secret is in it;
a folder that belongs to another user, or that others may write to, counts for nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gailkit.errors import InputError, StorageError, UntrustedError
from gailkit.importing import module_place, top_module
from gailkit.storage import write_atomically


def remember(description: Path) -> None:
    """Take the run that the file ``description`` has just been written for into the list, if it names modules.

    Where the list cannot be kept, the run is one to be asked about like any other.
    """
    content = description.read_bytes()
    modules = {top_module(name) for name in _names(json.loads(content))} - {"gailkit", "__main__"}
    places = {module: module_place(module) for module in sorted(modules)}
    if places:
        with contextlib.suppress(OSError, RuntimeError, StorageError):  # RuntimeError: there is no home
            folder = _folder()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(folder / _digest(content), json.dumps(places).encode())


OF_GAILKIT = frozenset(
    f"gailkit.simulators{module}:{name}"
    for name, where in (("CartPole", ".cartpole"), ("Pendulum", ".pendulum"))
    for module in ("", where)
)
"""What anybody's run may name: it is here already."""


def is_own(description: Path) -> bool:
    """Whether the run with this ``description`` is in the list."""
    return bool(_remembered(description))


def check_trusted(description: Path, name: str, option: str) -> None:
    """Raise unless the run with this ``description`` is the user's own, and ``name`` leads to what it led to then.

    Raises:
        UntrustedError: if it is not; ``option`` of the command line is what would say that it may be imported.
        InputError: if it is, but there is no such module any more, or not from here.
    """
    if name in OF_GAILKIT:
        return
    run = description.parent
    place = _remembered(description).get(top_module(name))
    if place is None:
        raise UntrustedError(f"{run} names {name!r}, which would import a module", option, name)
    found = module_place(top_module(name))
    if found is None:
        folder = os.path.dirname(place)
        raise InputError(f"{run} names {name!r}, found in {place} when it was made and not from here; go to {folder}")
    if found != place:
        moved = f"{run} names {name!r}, found in {place} when it was made; here it would import {found}"
        raise UntrustedError(moved, option, name)


def check_all_trusted(description: Path, trust: Collection[str], names: Iterable[str] | None = None) -> None:
    """Raise unless ``names`` in the run with this ``description``, all where None, are in ``trust`` or the run is one's
    own.

    Raises: as ``check_trusted``.
    """
    for name in _names(json.loads(description.read_bytes())) if names is None else names:
        if name not in trust:
            check_trusted(description, name, "--trust")


def _remembered(description: Path) -> Mapping[str, str]:
    """The places of the modules, by name; none where the run is not in the list."""
    try:
        folder = _folder()
        if not _is_ours(folder):
            return {}
        places = json.loads((folder / _digest(description.read_bytes())).read_bytes())
    except (OSError, RuntimeError, ValueError):
        return {}
    return {module: place for module, place in places.items() if isinstance(place, str)}


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can have written to it, as far as the system tells."""
    if os.name != "posix":
        return True
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return base / "gailkit" / "own-runs"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _names(described: Mapping[str, Any]) -> Iterator[str]:
    """Whatever the description of a run names as ``module:attribute``."""
    yield from named_in([described.get(name) for name in ("env_id", "config", "acts_by", "track")])


def named_in(value: object) -> Iterator[str]:
    """Whatever stands in plain JSON values as ``module:attribute``."""
    if isinstance(value, str) and ":" in value:
        yield value
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        yield from named_in(child)
