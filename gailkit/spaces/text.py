"""Words among observations, which are given to no network and so kept by nobody."""

from __future__ import annotations

from typing import Any

from gymnasium import Space
from gymnasium.spaces import Dict

from gailkit.spaces.structure import Path


def text_parts(space: Space[Any]) -> list[Path]:
    """The paths of the spaces of texts in a Dict and in Dicts within it, be they Texts or of somebody's own kind."""
    if not isinstance(space, Dict):
        return []
    parts = space.spaces.items()
    inner = [(name, *path) for name, part in parts for path in text_parts(part)]
    return [*((name,) for name, part in parts if _is_text(part)), *inner]


def without_text(space: Space[Any]) -> Space[Any]:
    """``space`` but for its ``text_parts``, and Dicts that consist of nothing else; itself where it has none."""
    return _less_text(space) if text_parts(space) else space


def leave_out_text(space: Space[Any], element: Any) -> Any:
    """An element of what ``without_text`` was asked about as one of ``space``, which is what it answered."""
    if not isinstance(space, Dict):
        return element
    return {name: leave_out_text(part, element[name]) for name, part in space.spaces.items()}


def _less_text(space: Space[Any]) -> Space[Any]:
    if not isinstance(space, Dict):
        return space
    kept = [(name, _less_text(part)) for name, part in space.spaces.items() if not _only_text(part)]
    return Dict(kept) if kept else space


def _only_text(space: Space[Any]) -> bool:
    if not isinstance(space, Dict):
        return _is_text(space)
    return bool(space.spaces) and all(map(_only_text, space.spaces.values()))


def _is_text(space: Space[Any]) -> bool:
    return space.dtype is not None and space.dtype.kind == "U"
