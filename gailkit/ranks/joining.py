"""How the processes that torchrun has started find each other, and which of them says what went wrong."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from gailkit.errors import InputError, RankError

JOINING = timedelta(minutes=5)  # that the others may take to come
WAITING = timedelta(hours=12)  # that one may take longer than another; one that is gone is noticed at once
NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

_speaks: bool | None = None
_joined = 0  # how often this process has joined others, which each time speak of other things


def announced() -> int:
    """How many processes there are, as torchrun says it to each of them; 1 where it says nothing."""
    return _number("WORLD_SIZE", 1)


def beside() -> int:
    """How many of them are on this machine."""
    return _number("LOCAL_WORLD_SIZE", 1)


def speaks() -> bool:
    """Whether it is for this process to say what went wrong: before they have found each other, one a machine."""
    return local_rank() == 0 if _speaks is None else _speaks


def join(patience: timedelta) -> tuple[int, int, Any]:
    """Connect with the others: rank, size, and the store that they have in common.

    Raises:
        InputError: if the environment does not say how.
        RankError: if they cannot be reached within ``patience``.
    """
    global _speaks, _joined
    _speaks = True
    _joined += 1
    missing = [name for name in NAMES if not os.environ.get(name)]
    if missing:
        raise InputError(
            f"WORLD_SIZE says that this is one of {announced()} processes, and torchrun would have set, too, "
            f"{', '.join(missing)}"
        )
    import torch.distributed
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    rank, size, where = _number("RANK", 0), announced(), f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    try:
        store, rank, size = next(rendezvous("env://", rank, size, timeout=patience))
        store = PrefixStore(f"gailkit-{_joined}", store)
        exchange = "cpu:gloo,cuda:nccl" if _has_nccl() else "gloo"
        torch.distributed.init_process_group(exchange, store=store, rank=rank, world_size=size, timeout=WAITING)
    except (RuntimeError, ValueError) as error:
        raise RankError(_unreachable(rank, size, where, patience, str(error))) from error
    return rank, size, store


def local_rank() -> int:
    """Which of those on this machine this one is, counted from 0."""
    return _number("LOCAL_RANK", 0)


def _has_nccl() -> bool:
    """Whether tensors on cards can be exchanged without leaving them; each process then has a card of its own."""
    import torch

    if not torch.cuda.is_available() or not torch.distributed.is_nccl_available():
        return False
    torch.cuda.set_device(local_rank() % torch.cuda.device_count())
    return True


def may_say(store: Any) -> bool:
    """Whether nobody else has said yet what went wrong; nobody else does from now on."""
    global _speaks
    try:
        _speaks = bool(store.add("said", 1) == 1)
    except RuntimeError:  # rank 0 kept it, and is gone
        _speaks = True
    return _speaks


def _unreachable(rank: int, size: int, where: str, patience: timedelta, why: str) -> str:
    if "EADDRINUSE" in why or "already in use" in why:
        return (
            f"rank 0 cannot listen at {where}, where another program does; choose another port, as in torchrun "
            "--master-port=29501, or any that is free, as torchrun --standalone does"
        )
    seconds = f"within {patience.total_seconds():g} s"
    if rank == 0:
        return f"not all of {size} processes have come to rank 0 at {where} {seconds}"
    return f"rank {rank} of {size} cannot reach rank 0 at {where} {seconds}"


def _number(name: str, usual: int) -> int:
    """A number that torchrun has put into the environment."""
    found = os.environ.get(name, "")
    return int(found) if found.isdecimal() else usual
