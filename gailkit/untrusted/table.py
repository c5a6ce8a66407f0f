"""Text in columns as the child reads it: a line of names, then numbers, or true and false.

Names and numbers are divided by commas, semicolons or tabs, whichever the first line has most of. A column is whole
numbers (int64), numbers (float64, a missing one is NaN) or booleans; one that holds anything else is a text, and its
content is not handed over.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from gailkit.untrusted.container import Container, Damage, Entry, Refusal, cut
from gailkit.untrusted.limits import bound_time

MAX_LINE = 2**20  # characters
_DELIMITERS = ",;\t"
_ROWS = 4096  # turned into numbers at a time
_TRUTHS = {"true": True, "false": False}


class TableContainer(Container):
    """One array (rows,) a column; all are read when the file is opened, since nothing says where a row begins."""

    kind = "CSV"

    def __init__(self, path: Path) -> None:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                self._columns = _read_columns(file)
        except UnicodeDecodeError as error:
            raise Damage(
                f"it is neither HDF5, NPZ nor Arrow, and no UTF-8 text of columns (byte {error.start})"
            ) from error
        except csv.Error as error:
            raise Damage(f"it is no text of columns: {error}") from error

    def children(self, group: str) -> list[str]:
        """Names of the columns, from left to right."""
        return [] if group else list(self._columns)

    def entry(self, name: str) -> Entry | None:
        """The kind of the column's numbers; "other" for a column of texts."""
        if name not in self._columns:
            return None
        values = self._columns[name]
        return Entry("other", "", ()) if values is None else Entry("array", values.dtype.str, values.shape)

    def pieces(self, name: str, start: int, stop: int) -> Iterator[np.ndarray]:
        """Rows of a column."""
        values = self._columns[name]
        if values is None:
            raise Refusal(name, "the column holds texts, and accepted are numbers, or true and false")
        yield from cut(values, start, stop)


def _read_columns(file: TextIO) -> dict[str, np.ndarray | None]:
    """Every column by its name; None for one of texts."""
    lines = _lines(file)
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True), [])]
    _check_names(names)
    rows = _rows(lines, delimiter, len(names))
    blocks: list[list[np.ndarray | None]] = [[] for _ in names]
    while block := list(islice(rows, _ROWS)):
        bound_time()
        for converted, cells in zip(blocks, zip(*block, strict=True), strict=True):
            is_text = bool(converted) and converted[-1] is None  # known from the rows above
            converted.append(None if is_text else _numbers(cells))
    columns = {name: _joined(converted) for name, converted in zip(names, blocks, strict=True)}
    columns.pop("", None)  # the numbers of the rows, as some programs write them, have no name
    return columns


def _lines(file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise Damage(f"line {number} has more than {MAX_LINE} characters")
        if "\0" in line:
            raise Damage(f"it is neither HDF5, NPZ nor Arrow, and no text of columns: line {number} holds a NUL")
        yield line


def _check_names(names: Sequence[str]) -> None:
    if not any(names):
        raise Damage("its first line must name the columns, and is empty")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise Damage(f"its first line names columns twice: {', '.join(twice[:8])}")
    if _numbers([name for name in names if name]) is not None:
        raise Damage(f"its first line must name the columns; found numbers: {', '.join(names)[:80]}")


def _rows(lines: Iterator[str], delimiter: str, width: int) -> Iterator[list[str]]:
    """The rows that are not empty; Damage at the first whose number of fields is another than that of names."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    for row in reader:
        if len(row) == width:
            yield row
        elif row:
            raise Damage(f"line {reader.line_num + 1} has {len(row)} fields, and the first line names {width} columns")


def _numbers(cells: Sequence[str]) -> np.ndarray | None:
    """What the cells say: int64 (N,) if all are whole numbers, float64 or bool; None if any is something else."""
    truths = [_TRUTHS.get(cell.strip().lower()) for cell in cells[:1]]
    if truths != [None]:
        truths = [_TRUTHS.get(cell.strip().lower()) for cell in cells]
        return None if None in truths else np.array(truths, np.bool_)
    together = "".join(cells)
    if "_" in together or not together.isascii():  # Python would take 1_000 and other scripts' digits for numbers
        return None
    try:
        return np.array([int(cell) for cell in cells], np.int64)
    except (ValueError, OverflowError):  # not whole, or beyond 64 bits
        pass
    try:
        return np.array([float(cell) if cell.strip() else np.nan for cell in cells], np.float64)
    except ValueError:
        return None


def _joined(blocks: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """One array; None where a block holds texts, or some booleans and others numbers."""
    found = [block for block in blocks if block is not None]
    if len(found) < len(blocks) or len({block.dtype.kind == "b" for block in found}) > 1:
        return None
    return np.concatenate(found) if found else np.empty(0, np.float64)
