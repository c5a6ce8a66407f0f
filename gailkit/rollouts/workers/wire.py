"""What goes through the pipes between this process and those that step its environments: single bytes, and at the
beginning and where something failed a message behind them. Both ends are ours, so that messages are pickled."""

from __future__ import annotations

import os
import pickle
import select
import time
from typing import Any

MAKE, ATTACH, RESET, STEP, REPLAY = b"m", b"a", b"r", b"s", b"p"
DONE, MADE, FAILED, REFUSED = b"k", b"a", b"f", b"e"
LENGTH = 8  # bytes that say how long a message is
_let_others = getattr(os, "sched_yield", lambda: None)  # run, where the system knows how


def send(pipe: int, kind: bytes) -> None:
    """Write one byte. Raises BrokenPipeError if nobody reads any more."""
    os.write(pipe, kind)


def send_message(pipe: int, kind: bytes, message: bytes) -> None:
    """Write one byte and a message that was pickled."""
    rest = memoryview(kind + len(message).to_bytes(LENGTH, "little") + message)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def receive(pipe: int, awake: float = 0.0) -> bytes:
    """One byte; none where the other end is closed. It is waited for without sleeping for ``awake`` seconds at first.

    A processor that has fallen asleep takes longer to wake up than many an environment to take a step.
    """
    if awake:
        poll, until = select.poll(), time.perf_counter() + awake
        poll.register(pipe, select.POLLIN)
        while not poll.poll(0) and time.perf_counter() < until:
            _let_others()
    return os.read(pipe, 1)


def receive_message(pipe: int) -> Any:
    """The message behind a byte. Raises EOFError where the other end is closed before it is whole."""
    return pickle.loads(_exactly(pipe, int.from_bytes(_exactly(pipe, LENGTH), "little")))


def _exactly(pipe: int, count: int) -> bytes:
    parts = []
    while count:
        parts.append(os.read(pipe, min(count, 2**20)))
        if not parts[-1]:
            raise EOFError
        count -= len(parts[-1])
    return b"".join(parts)
