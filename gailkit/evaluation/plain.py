"""Records as plain JSON values."""

from __future__ import annotations

import dataclasses
from typing import Any


def as_plain(value: Any) -> Any:
    """Records and named tuples as dictionaries, other sequences as lists, all the way down; the rest as it is."""
    if dataclasses.is_dataclass(value):
        return {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: as_plain(each) for name, each in value._asdict().items()}
    return [as_plain(each) for each in value] if isinstance(value, (tuple, list)) else value
