"""How much a process that reads a stranger's file may take. Where the system knows no such limits, there are none."""

from __future__ import annotations

import sys
from pathlib import Path

MEMORY_BYTES = 2 * 2**30  # beyond what the interpreter and its libraries take
CPU_SECONDS = 30  # for one answer, or one piece of an array
SECONDS_FOR_ANY = 60  # for all of a file that is gone through once, and
SECONDS_A_MEGABYTE = 2  # more for each of its size
_STATM = Path("/proc/self/statm")
_UNKNOWN = 4 * 2**30

if sys.platform != "win32":
    import resource

    def bound_memory() -> None:
        """Let allocations fail beyond MEMORY_BYTES more than is in use now, and leave no image of it behind."""
        in_use = int(_STATM.read_text().split()[0]) * resource.getpagesize() if _STATM.exists() else _UNKNOWN
        _lower(resource.RLIMIT_AS, in_use + MEMORY_BYTES)
        _lower(resource.RLIMIT_CORE, 0)

    def bound_time() -> None:
        """Let the system end this process once it has used CPU_SECONDS more: a library that hangs does not stop."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        _lower(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + 1 + CPU_SECONDS)

    def bound_total_time(file_bytes: int) -> None:
        """Let the system end this process once it has used more time than going through a file of that size takes."""
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        most = SECONDS_FOR_ANY + SECONDS_A_MEGABYTE * (file_bytes >> 20)
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(resource.RLIMIT_CPU, (most - 1, most))

    def _lower(limit: int, bound: int) -> None:
        """Set the limit that is told of first; the last one stays."""
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (bound if hard == resource.RLIM_INFINITY else min(bound, max(0, hard - 1)), hard))

else:

    def bound_memory() -> None:
        """Windows has no such limit for a process itself."""

    def bound_time() -> None:
        """Windows has no such limit for a process itself."""

    def bound_total_time(file_bytes: int) -> None:
        """Windows has no such limit for a process itself."""
