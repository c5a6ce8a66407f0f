"""Spaces as the JSON text that Minari writes into its datasets."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from gailkit.errors import InputError
from gailkit.spaces.description import MISTAKES, built
from gailkit.spaces.structure import subspaces


def space_to_minari_json(space: Space[Any]) -> str:
    """The text that Minari itself writes for ``space``. It states int64 for every Discrete space."""
    return json.dumps(_to_minari(space))


def space_from_minari_json(text: str, leave_out: Collection[str] = ()) -> Space[Any]:
    """The space that Minari described; nothing in the text is executed.

    Args:
        leave_out: the types, such as Text, of parts of Dicts that are left out, as Dicts are that hold nothing else.

    Raises:
        InputError: if it describes none, or one that is too large.
        UnsupportedSpaceError: for a kind of space that is not supported, such as Text.
    """
    try:
        return built(_from_minari(json.loads(text), leave_out))
    except MISTAKES as error:
        raise InputError(f"not a description of a space that Minari wrote: {text[:80]!r} ({error})") from error


def _to_minari(space: Space[Any]) -> dict[str, Any]:
    parts = subspaces(space)
    if isinstance(space, Dict):
        return {"type": "Dict", "subspaces": {name: _to_minari(part) for name, part in parts.items()}}
    if isinstance(space, Tuple):
        return {"type": "Tuple", "subspaces": [_to_minari(part) for part in parts.values()]}
    if isinstance(space, Discrete):
        return {"type": "Discrete", "dtype": "int64", "start": int(space.start), "n": int(space.n)}
    if isinstance(space, MultiDiscrete):
        numbers = {"nvec": space.nvec.tolist(), "start": space.start.tolist()}
        return {"type": "MultiDiscrete", "dtype": str(space.dtype), **numbers}
    if isinstance(space, MultiBinary):
        return {"type": "MultiBinary", "n": space.n}
    assert isinstance(space, Box)
    bounds = {"low": space.low.tolist(), "high": space.high.tolist()}
    return {"type": "Box", "dtype": str(space.dtype), "shape": list(space.shape), **bounds}


def _from_minari(fields: dict[str, Any], leave_out: Collection[str]) -> dict[str, Any]:
    """Minari's description in the words of ``space_to_json``; older versions of Minari left out where sets start."""
    if fields["type"] == "Dict":
        parts = dict(fields["subspaces"])
        kept = {name: part for name, part in parts.items() if not _only(part, leave_out)} or parts
        return {"type": "Dict", "spaces": [[name, _from_minari(part, leave_out)] for name, part in kept.items()]}
    if fields["type"] == "Tuple":
        return {"type": "Tuple", "spaces": [_from_minari(part, leave_out) for part in fields["subspaces"]]}
    if fields["type"] == "Discrete":
        return {"start": 0, **fields, "dtype": "int64"}
    if fields["type"] == "MultiDiscrete" and "start" not in fields:
        return {**fields, "start": _zeros_like(fields["nvec"])}
    return fields


def _only(fields: dict[str, Any], types: Collection[str]) -> bool:
    if fields["type"] != "Dict":
        return bool(fields["type"] in types)
    parts = dict(fields["subspaces"])
    return bool(parts) and all(_only(part, types) for part in parts.values())


def _zeros_like(listed: Any) -> Any:
    return [_zeros_like(part) for part in listed] if isinstance(listed, list) else 0
