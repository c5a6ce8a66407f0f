"""The processes that train together: which of them this one is, and what they tell each other.

torchrun starts them and says to each by the environment which one it is, its rank; ``torch.distributed`` connects them.
A process that nobody started so is alone: everything here then is the identity, at no cost. What is sent are numbers
and bytes, never a pickle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gailkit.errors import GailkitError, RankError, SaidElsewhereError
from gailkit.ranks.joining import JOINING, announced, join, may_say
from gailkit.ranks.lost import introduce, told_loss

if TYPE_CHECKING:
    from torch import Tensor

INTERRUPTED = 130


@dataclass
class _Group:
    rank: int = 0
    size: int = 1
    store: Any = None  # that torch.distributed finds the others by
    lost: bool = False  # whether it can be spoken with no more


_group = _Group()


def rank() -> int:
    """Which of the processes this one is, counted from 0."""
    return _group.rank


def size() -> int:
    """How many they are."""
    return _group.size


def is_first() -> bool:
    """Whether this is the one that writes and speaks."""
    return _group.rank == 0


@contextmanager
def joined(patience: timedelta = JOINING) -> Iterator[None]:
    """Inside the block this process is one of those that torchrun has started, if it has started several.

    What ends the block on some of them is raised by one, and the others raise SaidElsewhereError.

    Raises:
        RankError: if the others cannot be reached within ``patience``, or one of them is lost later.
    """
    global _group
    if announced() == 1 or _group.size > 1:
        yield
        return
    import torch.distributed

    _group = _Group(*join(patience))
    try:
        introduce(_group.store, _group.rank)
        yield
    except Exception as error:
        if isinstance(error, SaidElsewhereError) or may_say(_group.store):
            raise
        raise SaidElsewhereError(str(error), getattr(error, "exit_code", GailkitError.exit_code)) from error
    finally:
        _group = _Group()
        torch.distributed.destroy_process_group()


@contextmanager
def alone() -> Iterator[None]:
    """Inside the block this process is the only one: for what all ranks do alike, and what is not to be added up."""
    global _group
    before, _group = _group, _Group()
    try:
        yield
    finally:
        _group = before


@contextmanager
def together() -> Iterator[None]:
    """What the block raises on one rank ends it on all of them, so that they stay in step. It holds no exchange.

    The rank of the lowest number raises what it has to say; those that have nothing, SaidElsewhereError. A SystemExit,
    as of a signal, is one on all.
    """
    if size() == 1:
        yield
        return
    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:  # it is raised again below
        failure = error
    told = gathered(_told(failure))
    failed = [(number, json.loads(words)) for number, words in enumerate(told) if words]
    speaking = [number for number, words in failed if not words["exits"]]
    if failure is not None and (not speaking or speaking[0] == rank()):
        raise failure
    if speaking:
        _, words = next(each for each in failed if each[0] == speaking[0])
        raise SaidElsewhereError(f"rank {speaking[0]}: {words['said']}", words["code"]) from failure
    if failed:
        raise SystemExit(failed[0][1]["code"])


def gathered(content: bytes) -> list[bytes]:
    """The contents of all ranks, in their order, on all ranks."""
    if size() == 1:
        return [content]
    import torch

    lengths = _gathered(torch.tensor([len(content)]))
    longest = max(int(length) for length in lengths)
    if not longest:
        return [b""] * size()
    padded = torch.zeros(longest, dtype=torch.uint8)
    padded[: len(content)] = _tensor(content)
    rows = _gathered(padded)
    return [row[: int(length)].numpy().tobytes() for row, length in zip(rows, lengths, strict=True)]


def from_first(content: Callable[[], bytes]) -> bytes:
    """What rank 0 has made, on all ranks; the others make nothing."""
    if size() == 1:
        return content()
    import torch
    import torch.distributed

    made = content() if is_first() else b""
    length = torch.tensor([len(made)])
    _exchange(lambda: torch.distributed.broadcast(length, 0))
    sent = _tensor(made) if is_first() else torch.zeros(int(length), dtype=torch.uint8)
    _exchange(lambda: torch.distributed.broadcast(sent, 0))
    return sent.numpy().tobytes()


def agreed(decision: bool) -> bool:
    """What rank 0 has decided."""
    return decision if size() == 1 else from_first(lambda: b"+" if decision else b"-") == b"+"


def collected(content: bytes) -> list[bytes]:
    """The contents of all ranks but the first, in their order, on rank 0; nothing on the others."""
    import torch
    import torch.distributed

    if not is_first():
        length, sent = torch.tensor([len(content)]), _tensor(content)
        _exchange(lambda: torch.distributed.send(length, 0))
        _exchange(lambda: torch.distributed.send(sent, 0))
        return []
    return [_received(number) for number in range(1, size())]


def add_up(tensor: Tensor) -> Tensor:
    """``tensor`` itself, in which the sum of all ranks' now stands."""
    if size() > 1:
        import torch.distributed

        _exchange(lambda: torch.distributed.all_reduce(tensor))
    return tensor


def _received(number: int) -> bytes:
    import torch
    import torch.distributed

    length = torch.zeros(1, dtype=torch.int64)
    _exchange(lambda: torch.distributed.recv(length, number))
    sent = torch.zeros(int(length), dtype=torch.uint8)
    _exchange(lambda: torch.distributed.recv(sent, number))
    return sent.numpy().tobytes()


def _gathered(tensor: Tensor) -> list[Tensor]:
    import torch
    import torch.distributed

    found = [torch.empty_like(tensor) for _ in range(size())]
    _exchange(lambda: torch.distributed.all_gather(found, tensor))
    return found


def _exchange(work: Callable[[], object]) -> None:
    """Do what all ranks do at the same time. Once that has failed nothing more is exchanged, for who knows what then
    would be taken for what."""
    if _group.lost:
        raise RankError(told_loss(_group.store, _group.size))
    _group.lost = True
    try:
        work()
    except RuntimeError as error:  # what torch.distributed raises has no kind of its own
        raise RankError(told_loss(_group.store, _group.size)) from error
    _group.lost = False


def _told(failure: BaseException | None) -> bytes:
    """What the other ranks are told of a failure; nothing of none."""
    if failure is None:
        return b""
    if isinstance(failure, RankError):
        raise failure
    exits = isinstance(failure, SystemExit | KeyboardInterrupt)
    usual = INTERRUPTED if exits else GailkitError.exit_code
    code = getattr(failure, "code" if exits else "exit_code", usual)
    return json.dumps({"exits": exits, "code": code, "said": str(failure)}).encode()


def _tensor(content: bytes) -> Tensor:
    import torch

    return torch.frombuffer(bytearray(content or b" "), dtype=torch.uint8)[: len(content)]
