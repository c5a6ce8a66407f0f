"""The native file: flat arrays over all episodes, a SHA-256 for each episode, and a header that is digested too.

Layout of the root, N episodes of lengths L_i::

    observations    (sum(L_i + 1), *obs)   each episode's last observation included
    actions         (sum(L_i), *act)
    rewards         (sum(L_i),)            optional
    episode_lengths (N,) int64
    terminated      (N,) bool
    truncated       (N,) bool              not terminated
    episode_seeds   (N,) int64             -1 for none
    digests         (N, 32) uint8
    attributes: format, format_version, env_id, env_kwargs, observation_space, action_space, provenance, header_digest

Observations or actions of several parts (Dict and Tuple spaces) are a group of arrays, nested as the space is.
A changed bit is met by HDF5's own checksums (metadata since 1.10, chunks by fletcher32) or by the digests.
"""

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
DIGEST_BYTES = 32


def header_texts(about: About) -> dict[str, str]:
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
    return texts


def header_digest(version: int, texts: Mapping[str, str]) -> str:
    """SHA-256 of the header, as hexadecimal digits."""
    return hashlib.sha256(json.dumps([FORMAT, version, dict(texts)], sort_keys=True).encode()).hexdigest()


def quoted(name: str) -> str:
    """``name`` as one step of a path in HDF5, in which "/" and "." mean something."""
    return quote(name, safe=" ").replace(".", "%2E")
