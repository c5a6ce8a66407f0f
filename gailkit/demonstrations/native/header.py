"""The header of the native file: what it is called, its version, what it says of its episodes, and a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from urllib.parse import quote

from gailkit.demonstrations.file_contents import About
from gailkit.errors import InputError
from gailkit.spaces import space_to_json

FORMAT = "gailkit-demonstrations"
VERSION = 1
WITHOUT_ACTIONS = 2  # the version of a file that holds none, which who knows version 1 alone takes for a damaged one
NO_ACTIONS = "none"  # what the header of such a file says of them
DIGEST_BYTES = 32


def header_texts(about: About, has_actions: bool = True) -> dict[str, str]:
    """The header's attributes, all but those that are the same in every file."""
    if about.env_id is not None and ("\0" in about.env_id or not about.env_id.isprintable()):
        raise InputError(f"the environment id {about.env_id!r} holds characters that cannot be written to a file")
    texts = {"env_id": about.env_id} if about.env_id is not None else {}
    texts["env_kwargs"] = json.dumps(dict(about.env_kwargs), sort_keys=True)
    texts["provenance"] = json.dumps(dict(about.provenance), sort_keys=True)
    for name in ("observation_space", "action_space"):
        space = getattr(about, name)
        if space is not None:
            texts[name] = space_to_json(space)
    return texts if has_actions else {**texts, "actions": NO_ACTIONS}


def header_digest(version: int, texts: Mapping[str, str]) -> str:
    """SHA-256 of the header, as hexadecimal digits."""
    return hashlib.sha256(json.dumps([FORMAT, version, dict(texts)], sort_keys=True).encode()).hexdigest()


def quoted(name: str) -> str:
    """``name`` as one step of a path in HDF5, in which "/" and "." mean something."""
    return quote(name, safe=" ").replace(".", "%2E")
