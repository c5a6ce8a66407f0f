"""How much memory there is to fill, and how much of it a large array is worked on in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUPS = (  # what a container may fill and has filled, in the two ways in which Linux says so
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)
_UNKNOWN = 4 * 2**30
BLOCK = 2**20  # numbers that are worked on at a time


def available_memory() -> int:
    """Bytes that could be filled now without swapping; half of all memory where the system does not say."""
    return min([_of_the_machine(), *(free for limit, used in _GROUPS if (free := _left(limit, used)) is not None)])


def _left(limit: Path, used: Path) -> int | None:
    """What a group of processes may still fill; None where there is no limit."""
    if not limit.exists() or not used.exists():
        return None
    most = limit.read_text().strip()
    return max(0, int(most) - int(used.read_text())) if most.isdecimal() else None


def _of_the_machine() -> int:
    if _MEMINFO.exists():
        fields = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
        return int(fields["MemAvailable"].split()[0]) * 1024
    names: dict[str, int] = getattr(os, "sysconf_names", {})
    if {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= names.keys():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return _UNKNOWN


def blocks(rows: int, row_numbers: int, most: int = BLOCK) -> Iterator[slice]:
    """Runs of rows that cover all ``rows`` in their order, each of one row or of ``most`` numbers at most.

    What is made of an array on the way to a result, such as float64 of bytes, then takes no more than that of a block.
    """
    step = max(1, most // max(1, row_numbers))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))
