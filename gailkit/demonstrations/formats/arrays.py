"""What the formats of flat arrays share: the steps of all episodes one behind the other, in arrays of one length."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gailkit.demonstrations.file_digest import sha256_of
from gailkit.errors import DataError
from gailkit.untrusted.source import Source


def origin(source: Source, format_name: str) -> dict[str, str]:
    """The beginning of the provenance: which file it was."""
    return {"source": source.path.name, "sha256": sha256_of(source.path), "format": format_name}


def is_npz_of(source: Source, names: tuple[str, ...]) -> bool:
    """Whether it is an NPZ that has all these arrays."""
    return source.container == "NPZ" and all((entry := source.entry(name)) and entry.kind == "array" for name in names)


def column(source: Source, name: str) -> np.ndarray:
    """One number a row (N,), stored as (N,) or (N, 1)."""
    values = source.array(name)
    if values.ndim > 2 or values[:1].size != len(values[:1]):
        raise DataError(f"{source.path}: {name!r} must hold one number a row; found shape {values.shape}")
    return values.reshape(-1)


def check_one_length(source: Source, arrays: Mapping[str, np.ndarray | None]) -> None:
    """Raise DataError unless all arrays have as many rows, at least 1."""
    sizes = {name: len(values) for name, values in arrays.items() if values is not None}
    if len(set(sizes.values())) != 1 or not min(sizes.values()):
        raise DataError(f"{source.path}: the arrays must have one length, at least 1; found {sizes}")


def rows_that_differ(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Rows (N,) in which two arrays (N, ...) are not equal."""
    different: np.ndarray = np.not_equal(one, other)
    return np.asarray(different.any(axis=tuple(range(1, different.ndim))))


def unmarked_cuts(source: Source, observations: np.ndarray, following: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Rows (N,) that end an episode and are not ``marked`` (N,): what followed is not the observation of the next row.

    Raises:
        DataError: if so do most rows: ``following`` is then something else than what followed.
    """
    cut: np.ndarray = np.append(rows_that_differ(following[:-1], observations[1:]), False) & ~marked
    inside = int((~marked[:-1]).sum())
    if cut.sum() > max(1, inside // 2):
        raise DataError(
            f"{source.path}: what is said to follow {cut.sum():,} of {inside:,} rows inside of episodes is not the "
            "observation of the row behind them, so that these are no episodes"
        )
    return cut


def episode_bounds(source: Source, name: str) -> tuple[np.ndarray, np.ndarray]:
    """First rows (E,) and rows behind the last (E,) of the episodes, where ``name`` marks the first of each."""
    marks = column(source, name) != 0
    if not len(marks) or not marks[0]:
        raise DataError(f"{source.path}: {name!r} must mark the first row as the start of an episode")
    starts = np.flatnonzero(marks)
    return starts, np.append(starts[1:], len(marks))


def left_behind(source: Source, taken: tuple[str, ...]) -> tuple[str, ...]:
    """Names in the file that are not among those ``taken``."""
    return tuple(sorted(set(source.children()) - set(taken)))
