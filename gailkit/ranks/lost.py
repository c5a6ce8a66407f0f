"""Which of the processes that train together was lost, found out from what each has told of itself when it joined."""

from __future__ import annotations

import os
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

LOST = "{} was lost, killed perhaps or with its machine; what was saved stays, and --resume goes on from it"
ANOTHER = "another process of this training"
LOOKING = 1.0  # seconds in which a process that has let go of its connections comes to its end


def introduce(store: Any, rank: int) -> None:
    """Tell the others where this process is."""
    store.set(f"process-{rank}", f"{os.getpid()} {socket.gethostname()}")


def told_loss(store: Any, size: int) -> str:
    """A sentence on the rank that was lost, named where it ran on the machine of the first that noticed.

    Only the first looks: those that notice later may find others ended that only ended because of it.
    """
    try:
        if store.add("lost", 1) == 1:
            store.set("who was lost", _found(store, size))
        else:
            store.wait(["who was lost"], timedelta(seconds=4 * LOOKING))
        return LOST.format(store.get("who was lost").decode())
    except RuntimeError:  # whoever kept it is gone, or who was to look
        return LOST.format(ANOTHER)


def _found(store: Any, size: int) -> str:
    beside = [(rank, number) for rank in range(size) if (number := _beside(store, rank)) is not None]
    until = time.monotonic() + LOOKING
    while time.monotonic() < until:
        ended = [f"rank {rank} of this training (process {number})" for rank, number in beside if not _runs(number)]
        if ended:
            return " and ".join(ended)
        time.sleep(LOOKING / 20)
    return ANOTHER


def _beside(store: Any, rank: int) -> int | None:
    """The number of the process with this rank; None where it is not on this machine, or has not said."""
    if not store.check([f"process-{rank}"]):
        return None
    number, _, machine = store.get(f"process-{rank}").decode().partition(" ")
    return int(number) if machine == socket.gethostname() else None


def _runs(number: int) -> bool:
    """Whether a process runs; one that has ended is still there until its parent has looked."""
    status = Path(f"/proc/{number}/stat")
    if status.parent.parent.joinpath("self").exists():
        try:
            return status.read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
        except OSError:
            return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
