"""Text in columns as the child reads it: a line of names, then numbers, or true and false.

Names and numbers are divided by commas, semicolons or tabs, whichever the first line has most of. A column is whole
numbers (int64), numbers (float64, a missing one is NaN) or booleans; one that holds anything else is a text, and its
content is not handed over. Nor is that of a column of float64 in which a whole number would be rounded, for it may be
one that names something.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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
_TEXTS = "the column holds texts, and accepted are numbers, or true and false"
_WHOLE = re.compile(r"[+-]?\d{1,400}")
_EXACT = 2**53  # beyond it float64 cannot tell all whole numbers apart


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
        return Entry("other", "", ()) if isinstance(values, str) else Entry("array", values.dtype.str, values.shape)

    def pieces(self, name: str, start: int, stop: int) -> Iterator[np.ndarray]:
        """Rows of a column."""
        values = self._columns[name]
        if isinstance(values, str):
            raise Refusal(name, values)
        yield from cut(values, start, stop)


def _read_columns(file: TextIO) -> dict[str, np.ndarray | str]:
    """Every column by its name; why it is not handed over, where it is not."""
    lines = _lines(file)
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True), [])]
    _check_names(names)
    rows = _rows(lines, delimiter, len(names))
    blocks: list[list[np.ndarray | str]] = [[] for _ in names]
    while block := list(islice(rows, _ROWS)):
        bound_time()
        for converted, cells in zip(blocks, zip(*block, strict=True), strict=True):
            above = converted[-1] if converted else None
            converted.append(above if isinstance(above, str) else _numbers(cells))
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
    if not isinstance(_numbers([name for name in names if name]), str):
        raise Damage(f"its first line must name the columns; found numbers: {', '.join(names)[:80]}")


def _rows(lines: Iterator[str], delimiter: str, width: int) -> Iterator[list[str]]:
    """The rows that are not empty; Damage at the first whose number of fields is another than that of names."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    for row in reader:
        if len(row) == width:
            yield row
        elif row:
            raise Damage(f"line {reader.line_num + 1} has {len(row)} fields, and the first line names {width} columns")


def _numbers(cells: Sequence[str]) -> np.ndarray | str:
    """What the cells say: int64 (N,) if all are whole numbers, float64 or bool; if any is none of them, the reason."""
    truths = [_TRUTHS.get(cell.strip().lower()) for cell in cells[:1]]
    if truths != [None]:
        truths = [_TRUTHS.get(cell.strip().lower()) for cell in cells]
        return _TEXTS if None in truths else np.array(truths, np.bool_)
    together = "".join(cells)
    if "_" in together or not together.isascii():  # Python would take 1_000 and other scripts' digits for numbers
        return _TEXTS
    try:
        return np.array([int(cell) for cell in cells], np.int64)
    except (ValueError, OverflowError):  # not whole, or beyond 64 bits
        pass
    try:
        values = np.array([float(cell) if cell.strip() else np.nan for cell in cells], np.float64)
    except ValueError:
        return _TEXTS
    large = np.flatnonzero(np.isfinite(values) & (np.abs(values) >= _EXACT))
    return _rounded(int(cells[index]) for index in large.tolist() if _WHOLE.fullmatch(cells[index].strip())) or values


def _joined(blocks: Sequence[np.ndarray | str]) -> np.ndarray | str:
    """One array; the reason why there is none where a block has one, or some hold booleans and others numbers."""
    found = [block for block in blocks if not isinstance(block, str)]
    kinds = {block.dtype.kind for block in found}
    if len(found) < len(blocks):
        return next(block for block in blocks if isinstance(block, str))
    if "b" in kinds and len(kinds) > 1:
        return _TEXTS
    if kinds == {"i", "f"}:
        whole = np.concatenate([block for block in found if block.dtype.kind == "i"])
        if reason := _rounded(whole[(whole >= _EXACT) | (whole <= -_EXACT)].tolist()):
            return reason
    return np.concatenate(found) if found else np.empty(0, np.float64)


def _rounded(numbers: Iterable[int]) -> str:
    """What to say where one of ``numbers`` is none of float64's; else nothing."""
    lost = next((number for number in numbers if float(number) != number), None)
    if lost is None:
        return ""
    return (
        f"{lost} would be rounded to {float(lost):.0f}, because the column has numbers that are missing, not whole or "
        "beyond 64 bits"
    )
