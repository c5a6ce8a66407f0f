"""Whether the ranks of a training were started alike, and still have the same networks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from gailkit.errors import InputError, RankError
from gailkit.ranks.group import gathered, size


def require_same(found: Callable[[], Mapping[str, Any]]) -> None:
    """Raise InputError, saying what differs, unless all ranks have ``found`` the same; of what JSON does not know, the
    kind counts."""
    if size() == 1:
        return
    own = json.dumps(found(), default=lambda value: type(value).__name__)
    told = [dict(_leaves(json.loads(words))) for words in gathered(own.encode())]
    for number, other in enumerate(told):
        names = sorted(name for name in told[0].keys() | other.keys() if told[0].get(name) != other.get(name))
        differing = [f"{name} is {told[0].get(name)!r} on rank 0 and {other.get(name)!r} on {number}" for name in names]
        if differing:
            raise InputError(
                f"the ranks of a training must be started alike; rank {number} was not: {'; '.join(differing)}"
            )


def digest_of(*parts: object) -> str:
    """SHA-256 of plain JSON values, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def require_equal_networks(networks: Iterable[nn.Module], iteration: int) -> None:
    """Raise RankError unless the ``networks`` of all ranks are the same after an ``iteration``, bit for bit."""
    if size() == 1:
        return
    digest = hashlib.sha256()
    for network in networks:
        for tensor in (*network.parameters(), *network.buffers()):
            digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).cpu().numpy().tobytes())
    found = gathered(digest.digest())
    differing = [number for number, other in enumerate(found) if other != found[0]]
    if differing:
        raise RankError(
            f"after {iteration} iterations the networks of rank {differing[0]} are not those of rank 0 any more: a "
            "part of the run learns from its own rank alone, or the machines compute otherwise"
        )


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value in a tree of dicts, by the names that lead to it."""
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, child in value.items():
        yield from _leaves(child, f"{name}.{key}" if name else key)
