"""What the child knows of a file: named arrays and texts, each checked before it is read."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

PIECE_BYTES = 1 * 2**20  # an array is handed over in pieces of about this size
MAX_TEXT = 16 * 2**20  # bytes of one text
MAX_ROW = 2**27  # numbers of one observation or action
PLAIN = "biuf"
"""Kinds of dtype that come out of a file: booleans, integers, floating numbers; of at most 8 bytes each."""


class Refusal(Exception):
    """The file holds something that a file of demonstrations has no need of; args: the member's name, the reason."""


class Damage(Exception):
    """The library could not follow the file's own structures; args: what it said."""


class Entry(NamedTuple):
    """One member of a file as it describes itself; nothing of it has been read."""

    kind: str  # "array", "ragged" (one run of bytes a row), "group" or "other"
    dtype: str  # as numpy writes it, such as "<f4"; "" for a group
    shape: tuple[int, ...]


class Container(ABC):
    """An open file. A member's name is its path, parts divided by "/"; "" is the root.

    Every method raises Refusal or Damage, and KeyError where there is no such member.
    """

    kind: str

    @abstractmethod
    def children(self, group: str) -> list[str]:
        """Names of the members right below ``group``, in no particular order."""

    @abstractmethod
    def entry(self, name: str) -> Entry | None:
        """What ``name`` is; None where there is nothing of that name."""

    @abstractmethod
    def pieces(self, name: str, start: int, stop: int) -> Iterator[np.ndarray]:
        """Rows ``start`` to ``stop`` of an array, in order, in pieces of about PIECE_BYTES."""

    def ragged_pieces(self, name: str, start: int, stop: int) -> Iterator[np.ndarray]:
        """Rows ``start`` to ``stop`` of a ragged member, one piece of bytes a row."""
        raise Refusal(name, "it is not an array of plain numbers")

    def text(self, owner: str, name: str) -> str | None:
        """The text that ``owner`` carries under ``name``; None where there is none."""
        return None

    def integer(self, owner: str, name: str) -> int | None:
        """The whole number that ``owner`` carries under ``name``; None where there is none."""
        return None


def bytes_on_disk(path: Path) -> int:
    """Size of a file without its holes, which cost nothing and must not vouch for what is declared."""
    found = path.stat()
    taken = getattr(found, "st_blocks", 0) * 512
    return min(found.st_size, taken) if taken else found.st_size


def is_plain(dtype: np.dtype[np.generic]) -> bool:
    """Whether numbers of this kind may come out of a file."""
    return dtype.kind in PLAIN and dtype.itemsize <= 8


def check_rows(name: str, entry: Entry | None) -> None:
    """Raise Refusal for rows that hold nothing, of which there may be any number, or more than an observation may."""
    if entry is None or entry.kind != "array" or not entry.shape:
        return
    if 0 in entry.shape[1:]:
        raise Refusal(name, f"its rows hold nothing (shape {entry.shape})")
    if math.prod(entry.shape[1:]) > MAX_ROW:
        raise Refusal(name, f"a row of it holds more than {MAX_ROW} numbers (shape {entry.shape})")


def check_booleans(name: str, values: np.ndarray) -> np.ndarray:
    """``values`` as they are; Refusal for booleans whose bytes are neither 0 nor 1."""
    if values.dtype.kind == "b" and (values.view(np.uint8) > 1).any():
        raise Refusal(name, "it holds booleans that are neither true nor false")
    return values


def cut(values: np.ndarray, start: int, stop: int) -> Iterator[np.ndarray]:
    """Rows ``start`` to ``stop`` of ``values`` in pieces of about PIECE_BYTES."""
    step = max(1, PIECE_BYTES // max(1, values[:1].nbytes))
    for first in range(start, min(stop, len(values)), step):
        yield values[first : min(first + step, stop)]
