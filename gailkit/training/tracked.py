"""Which trackers a run has, and what its folder says of them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gailkit.errors import InputError
from gailkit.tracking import TrackerFactory, named_trackers
from gailkit.tracking.tracking import names_to_keep

Track = Sequence[str | TrackerFactory]
"""Trackers by name, or what makes them."""

USUAL = ("tensorboard",)


def trackers_of(track: Track | None, out: Path | str | None) -> dict[str, TrackerFactory]:
    """The trackers of a run that begins in ``out``; those that it has where nothing says which.

    Raises:
        InputError: as ``tracking.named_trackers``, and where some are asked for a run that has no folder.
    """
    if out is None and track:
        raise InputError("trackers are those of a run folder, which `out` names; found none")
    return {} if out is None else named_trackers(USUAL if track is None else track)


def describe_trackers(trackers: Mapping[str, TrackerFactory]) -> dict[str, Any]:
    """What config.json says of them: the id that they know the run by, and the names they are found by again."""
    return {"id": secrets.token_hex(4), "names": names_to_keep(trackers)}


def id_of(described: Mapping[str, Any]) -> str:
    """The id in the description of a run; another one where it was begun by a gailkit that gave none."""
    found = described.get("track", {}).get("id")
    return found if isinstance(found, str) and found.isalnum() else secrets.token_hex(4)


def kept_names(described: Mapping[str, Any]) -> list[str]:
    """The names of the trackers that a run was begun with. Raises ValueError if they are none."""
    names = described.get("track", {}).get("names", list(USUAL))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"its trackers are {names!r:.80}")
    return names
