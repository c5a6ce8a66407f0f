"""Words among observations, which no network is given and nobody keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Dict

from gailkit.spaces.structure import Path


def text_parts(space: Space[Any]) -> list[Path]:
    """The paths of the spaces of words in a Dict and in Dicts within it: Texts, and what others make of the kind."""
    if not isinstance(space, Dict):
        return []
    parts = space.spaces.items()
    inner = [(name, *path) for name, part in parts for path in text_parts(part)]
    return [*((name,) for name, part in parts if _is_of_words(part)), *inner]


def without_text(space: Space[Any]) -> Space[Any]:
    """``space`` but for its ``text_parts``, and Dicts that consist of nothing else; itself where it has none."""
    return _less_text(space) if text_parts(space) else space


def leave_out_text(space: Space[Any], given: Any) -> Any:
    """An element of ``space``, or dicts of many, without words of which the space does not know."""
    if not isinstance(space, Dict) or not isinstance(given, dict):
        return given
    known = space.spaces
    return {
        name: leave_out_text(known[name], part) if name in known else part
        for name, part in given.items()
        if name in known or not _are_words(part)
    }


def _less_text(space: Space[Any]) -> Space[Any]:
    if not isinstance(space, Dict):
        return space
    kept = [(name, _less_text(part)) for name, part in space.spaces.items() if not _only_text(part)]
    return Dict(kept) if kept else space


def _only_text(space: Space[Any]) -> bool:
    if not isinstance(space, Dict):
        return _is_of_words(space)
    return bool(space.spaces) and all(map(_only_text, space.spaces.values()))


def _is_of_words(space: Space[Any]) -> bool:
    return space.dtype is not None and space.dtype.kind == "U"


def _are_words(given: Any) -> bool:
    """Whether it is a word, or many of them, or a dict of such."""
    if isinstance(given, dict):
        return bool(given) and all(map(_are_words, given.values()))
    if isinstance(given, np.ndarray):
        given = given.reshape(-1).tolist()
    several = isinstance(given, list | tuple) and len(given) > 0
    return isinstance(given, str) or (several and all(isinstance(each, str) for each in given))
