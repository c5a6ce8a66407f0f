"""What the child knows of a file: named arrays and texts, each checked before it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

PIECE_BYTES = 1 * 2**20  # an array is handed over in pieces of about this size
MAX_TEXT = 16 * 2**20  # bytes of one text
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


def is_plain(dtype: np.dtype[np.generic]) -> bool:
    """Whether numbers of this kind may come out of a file."""
    return dtype.kind in PLAIN and dtype.itemsize <= 8


def check_booleans(name: str, values: np.ndarray) -> np.ndarray:
    """``values`` as they are; Refusal for booleans whose bytes are neither 0 nor 1."""
    if values.dtype.kind == "b" and (values.view(np.uint8) > 1).any():
        raise Refusal(name, "it holds booleans that are neither true nor false")
    return values
