"""The numbers of a run in ``metrics.jsonl``, one row an iteration."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gailkit.errors import DataError, StorageError
from gailkit.storage import write_atomically

METRICS_FILE = "metrics.jsonl"
MOST_OF_A_ROW = 16_384  # bytes


class MetricsWriter:
    """Appends rows to ``metrics.jsonl`` in a run folder; every row is flushed."""

    def __init__(self, folder: Path) -> None:
        """What an interrupted run wrote behind its checkpoint is to be taken out first (``keep_metrics``)."""
        self._path = folder / METRICS_FILE
        with self._storage_failures():
            self._file = self._path.open("a", encoding="utf-8")

    def write(self, metrics: Mapping[str, float]) -> None:
        """One row. Raises StorageError if it cannot be written."""
        with self._storage_failures():
            self._file.write(json.dumps(dict(metrics)) + "\n")
            self._file.flush()

    def secure(self) -> None:
        """Have every row on the disk, one that was refused before too: no checkpoint is to be ahead of its rows.

        Raises:
            StorageError: if the disk refuses.
        """
        with self._storage_failures():
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close the file; what the disk refuses by now was refused before."""
        with suppress(OSError):
            self._file.close()

    @contextmanager
    def _storage_failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"the metrics in {self._path.parent} could not be written: {reason}") from error


def keep_metrics(folder: Path, count: int) -> list[dict[str, Any]]:
    """Take all rows but the first ``count`` out of ``metrics.jsonl``, and return those.

    Raises:
        DataError: if there are fewer, or the file is damaged.
        StorageError: if the file cannot be written.
    """
    rows = read_metrics(folder)[:count]
    if len(rows) < count:
        raise DataError(f"{folder / METRICS_FILE} has {len(rows)} rows; a run of {count} iterations has as many")
    write_atomically(folder / METRICS_FILE, "".join(json.dumps(row) + "\n" for row in rows).encode())
    return rows


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run, oldest first; a last line that a crash cut short is left out. None where there is no file.

    Raises:
        DataError: if the file cannot be read, or a line that was not cut short is no row of numbers.
    """
    try:
        *lines, rest = (folder / METRICS_FILE).read_bytes().split(b"\n")
        rows = [_row(line) for line in lines]
        with suppress(ValueError, RecursionError):
            rows.append(_row(rest))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"the metrics in {folder} cannot be read: {error}") from error
    return rows


def last_steps(folder: Path) -> float:
    """The steps that a run has behind it as far as the end of its metrics tells, at no cost while others write to them;
    0 where they do not."""
    with suppress(OSError, ValueError, RecursionError), (folder / METRICS_FILE).open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - MOST_OF_A_ROW, 0))
        *lines, _ = file.read().split(b"\n")
        return float(_row(lines[-1])["steps"]) if lines else 0.0
    return 0.0


def _row(line: bytes) -> dict[str, Any]:
    """Raises ValueError, or RecursionError, for what is no row of numbers, the steps among them."""
    row = json.loads(line)
    if not isinstance(row, dict) or "steps" not in row or not all(map(_is_number, row.values())):
        raise ValueError(f"{line[:80]!r} is no row of numbers")
    return row


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**63)
