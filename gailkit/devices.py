"""Where networks and tensors are: the processor, or a card that torch can reach."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from gailkit.errors import InputError
from gailkit.memory import available_memory

if TYPE_CHECKING:
    import torch

AUTO = "auto"
ACCEPTED = "auto, cpu, cuda and cuda:0, cuda:1, ..."


def checked_name(name: str) -> str:
    """``name`` of a device, or "auto". It need not be there: nothing is imported to find out.

    Raises:
        InputError: for a kind of device that gailkit does not run on. It runs where there are 64-bit numbers, in which
            running means are kept, and random numbers that a run can go on from: not on Apple's mps.
    """
    if name == "mps" or name.startswith("mps:"):
        raise InputError(f"gailkit does not run on {name}, which has no 64-bit numbers; accepted are {ACCEPTED}")
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise InputError(f"{name!r} is no device; accepted are {ACCEPTED}")
    return name


def device_of(name: str) -> torch.device:
    """The device called ``name``, "auto" as "cpu"; "cuda" is the card that torch takes where none is named.

    That is the first; of several processes that train together on a machine each one takes its own.

    Raises:
        InputError: as ``checked_name``, and for one that is not there; those that are are listed.
    """
    import torch

    if checked_name(name) in (AUTO, "cpu"):
        return torch.device("cpu")
    device = torch.device(name)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (device.index or 0) >= count:
        there = ", ".join(["cpu", *(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(count))])
        why = "" if count or torch.version.cuda else "; the torch that is installed is built for the CPU alone"
        raise InputError(f"there is no device {name} here; there is {there}{why}")
    return torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)


def settled_device(name: str, pays: bool, tell: Callable[[str], None]) -> torch.device:
    """The device called ``name``; "auto" is a card where there is one and it ``pays``, and the choice is told then.

    Raises:
        InputError: as ``device_of``.
    """
    import torch

    if checked_name(name) != AUTO or not torch.cuda.is_available():
        return device_of(name)
    device = device_of("cuda" if pays else "cpu")
    why = "pictures and simulators of tensors are faster there" if pays else "small networks are faster there"
    tell(f"runs on {device}: {why} (--device)")
    return device


def free_memory(device: torch.device) -> int:
    """Bytes that could be filled on ``device`` now."""
    if device.type == "cpu":
        return available_memory()
    import torch

    return torch.cuda.mem_get_info(device)[0]
