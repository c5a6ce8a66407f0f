"""What is told of how episodes came about, step by step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count


def next_step(provenance: Mapping[str, str], text: str) -> dict[str, str]:
    """``text`` under the first name ``step_N`` that ``provenance`` does not have."""
    number = next(number for number in count(1) if f"step_{number}" not in provenance)
    return {f"step_{number}": text}


def recordings(provenance: Mapping[str, str]) -> list[Mapping[str, str]]:
    """What is told of each recording that was put together: by ``record --append``, or by ``data merge``."""
    merged = [name for name in provenance if name.startswith("merged_") and " " not in name]
    if merged:
        parts = [_within(provenance, f"{name} ") for name in merged]
        return [each for part in parts for each in recordings(part)]
    return [{name: text for name, text in provenance.items() if not _is_addition(name)}, *additions(provenance)]


def additions(provenance: Mapping[str, str]) -> list[Mapping[str, str]]:
    """What is told of each recording behind the first one."""
    return [_parsed(text) for name, text in provenance.items() if _is_addition(name)]


def _is_addition(name: str) -> bool:
    return name.startswith("addition_")


def _within(provenance: Mapping[str, str], prefix: str) -> Mapping[str, str]:
    return {name.removeprefix(prefix): text for name, text in provenance.items() if name.startswith(prefix)}


def _parsed(text: str) -> Mapping[str, str]:
    """An addition, which may be anybody's: nothing where it is no description."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {str(name): str(said) for name, said in found.items()} if isinstance(found, dict) else {}
