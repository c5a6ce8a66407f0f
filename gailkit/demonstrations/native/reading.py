"""Reading the native file, whose ``layout`` is told next door: every episode is compared with its digest."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space

from gailkit.demonstrations.file_contents import About, Broken, Contents, Episode, ReadOptions
from gailkit.demonstrations.joined_episodes import FlatEpisodes
from gailkit.demonstrations.native.layout import DIGEST_BYTES, FORMAT, VERSION, header_digest, quoted
from gailkit.errors import DataError, InputError
from gailkit.spaces import array_dtype, space_from_json
from gailkit.types import parts_of
from gailkit.untrusted.ahead import ahead
from gailkit.untrusted.source import DamageError, Source, Span, open_source

NAME = "gailkit native"
_TEXTS = ("env_id", "env_kwargs", "observation_space", "action_space", "provenance")
_BLOCK_BYTES = 8 * 2**20  # read at a time
_FEWEST_FOR_TWO = 4  # blocks that make it worth to start another process


class Columns(NamedTuple):
    """What describes N episodes, without their steps."""

    lengths: np.ndarray  # (N,) int64
    terminated: np.ndarray  # (N,) bool
    seeds: np.ndarray  # (N,) int64, -1 for none
    digests: np.ndarray  # (N, 32) uint8


class Parts(NamedTuple):
    """The arrays of a file that together are its observations, its actions or its rewards."""

    names: tuple[str, ...]
    dtype: np.dtype[Any] | None  # how they are put together; None where there is only one array
    rows: int
    row_bytes: int


Layout = tuple[Parts, Parts, Parts | None]
"""Where observations, actions and rewards stand."""

_Found = Sequence[tuple[int, FlatEpisodes | DamageError]]
"""The number of an episode, and the block that begins with it or why it cannot be read."""


def recognises(source: Source) -> bool:
    """Whether the file says that it is a native one, of whatever version."""
    return source.container == "HDF5" and source.text("format") == FORMAT


def read(source: Source, options: ReadOptions) -> Contents:
    """Everything in a native file.

    Raises:
        DataError: if anything but an episode is missing, contradictory or damaged.
    """
    about = read_about(source, options)
    columns = read_columns(source)
    layout = read_layout(source, about, columns.lengths)
    needed = sum(parts.rows * parts.row_bytes for parts in layout if parts is not None)
    found = episodes(source, columns, layout)
    return Contents(about, len(columns.lengths), found, num_bytes=needed, verified=True)


def read_about(source: Source, options: ReadOptions) -> About:
    """The header; of a damaged one, where that is tolerated, nothing. Raises DataError."""
    try:
        texts = _read_header(source)
        observed, acted = (
            space_from_json(texts[name]) if name in texts else None for name in ("observation_space", "action_space")
        )
        return About(observed, acted, texts.get("env_id"), _mapping(texts, "env_kwargs"), _mapping(texts, "provenance"))
    except (InputError, RecursionError) as error:
        raise DataError(f"{source.path}: {error}") from error
    except DataError:
        if not options.tolerant:
            raise
        return About(provenance={"damage": "the header of the file this was saved from could not be read"})


def read_columns(source: Source) -> Columns:
    """What describes the episodes. Raises DataError if it is contradictory or damaged."""
    lengths = _column(source, "episode_lengths", np.dtype(np.int64), 1)
    terminated = _column(source, "terminated", np.dtype(np.bool_), 1)
    truncated = _column(source, "truncated", np.dtype(np.bool_), 1)
    seeds = _column(source, "episode_seeds", np.dtype(np.int64), 1)
    digests = _column(source, "digests", np.dtype(np.uint8), 2)
    count = len(lengths)
    if count < 1 or any(len(column) != count for column in (terminated, truncated, seeds, digests)):
        raise DataError(f"{source.path}: the columns that describe the episodes have different lengths, or none")
    if digests.shape[1] != DIGEST_BYTES:
        raise DataError(f"{source.path}: a digest must have {DIGEST_BYTES} bytes; found {digests.shape[1]}")
    for index in np.flatnonzero(terminated == truncated)[:1]:
        raise DataError(f"{source.path}: episode {index} of {count} must be either terminated or truncated")
    return Columns(lengths, terminated, seeds, digests)


def read_layout(source: Source, about: About, lengths: np.ndarray) -> Layout:
    """Where observations, actions and rewards stand. Raises DataError unless they fit the ``lengths``."""
    actions = _parts(source, "actions", about.action_space)
    observations = _parts(source, "observations", about.observation_space)
    rewards = _parts(source, "rewards", None) if source.has("rewards") else None
    steps = actions.rows
    if (lengths < 1).any() or (lengths > steps).any() or int(lengths.sum()) != steps:
        raise DataError(f"{source.path}: the episode lengths do not add up to the {steps} actions of the file")
    expected = [("observations", observations, steps + len(lengths)), ("rewards", rewards, steps)]
    for name, parts, rows in expected:
        if parts is not None and parts.rows != rows:
            raise DataError(f"{source.path}: {name!r} must have {rows} rows for these episodes; found {parts.rows}")
    return observations, actions, rewards


def episodes(source: Source, columns: Columns, layout: Layout) -> Iterator[Episode | Broken]:
    """Every episode, read in blocks, each block while the one before it is compared with its digests.

    A second process reads every other block of a large file: unpacking takes most of the time.
    """
    spans = list(_blocks(columns.lengths, sum(parts.row_bytes for parts in layout if parts is not None)))
    shares = [_read_spans(source, columns, layout, spans)]
    if len(spans) >= _FEWEST_FOR_TWO:
        second = _read_spans_apart(source.path, columns, layout, spans[1::2])
        shares = [_read_spans(source, columns, layout, spans[::2]), second]
    in_turn = (found for pair in zip_longest(*map(ahead, shares), fillvalue=()) for found in pair)
    for first, block in chain.from_iterable(in_turn):
        if isinstance(block, DamageError):
            yield Broken(f"it is damaged ({block.reason})")
            continue
        for index in range(len(block.lengths)):
            if block.digest(index) != columns.digests[first + index].tobytes():
                yield Broken("it is damaged: its digest does not fit")
                continue
            seed = int(block.seeds[index])
            yield Episode(*block.episode(index), bool(block.terminated[index]), None if seed == -1 else seed)


def read_rows(
    source: Source, parts: Parts, spans: Sequence[tuple[int, int]], floats: np.dtype[Any] | None = None
) -> np.ndarray:
    """The rows of several ``spans`` of what ``parts`` make up, one behind the other; floating numbers as ``floats``."""
    found = []
    for name in parts.names:
        kept = parts.dtype is not None or source.dtype(name).kind != "f"
        found.append(source.gather([Span(name, *span) for span in spans], None if kept else floats))
    if parts.dtype is None:
        return found[0]
    whole = np.empty(len(found[0]), parts.dtype)
    for (_, target), values in zip(parts_of(whole), found, strict=True):
        target[...] = values
    return whole


def _read_spans(
    source: Source, columns: Columns, layout: Layout, spans: Sequence[tuple[int, int]]
) -> Generator[_Found, None, None]:
    """The episodes of each span as one block, or one by one where it is damaged."""
    for first, last in spans:
        block = read_block(source, columns, layout, first, last)
        if isinstance(block, DamageError) and last - first > 1:
            yield [(index, read_block(source, columns, layout, index, index + 1)) for index in range(first, last)]
        else:
            yield [(first, block)]


def _read_spans_apart(
    path: Path, columns: Columns, layout: Layout, spans: Sequence[tuple[int, int]]
) -> Generator[_Found, None, None]:
    with open_source(path) as source:
        yield from _read_spans(source, columns, layout, spans)


def read_block(source: Source, columns: Columns, layout: Layout, first: int, last: int) -> FlatEpisodes | DamageError:
    """Episodes ``first`` to ``last``, or why they cannot be read."""
    start, stop = int(columns.lengths[:first].sum()), int(columns.lengths[:last].sum())
    observations, actions, rewards = layout
    try:
        return FlatEpisodes(
            read_rows(source, observations, [(start + first, stop + last)]),
            read_rows(source, actions, [(start, stop)]),
            None if rewards is None else read_rows(source, rewards, [(start, stop)]),
            columns.lengths[first:last],
            columns.terminated[first:last],
            columns.seeds[first:last],
        )
    except DamageError as error:
        return error


def _blocks(lengths: np.ndarray, row_bytes: int) -> Iterator[tuple[int, int]]:
    """Spans of episodes that cover all, each of about _BLOCK_BYTES."""
    stops = np.cumsum(lengths)
    first = 0
    while first < len(lengths):
        done = stops[first] - lengths[first]
        last = int(np.searchsorted(stops, done + max(1, _BLOCK_BYTES // max(1, row_bytes)), side="right"))
        yield first, max(first + 1, last)
        first = max(first + 1, last)


def _parts(source: Source, name: str, space: Space[Any] | None) -> Parts:
    entry = source.entry(name)
    if entry is None or entry.kind != "group":
        row_size = int(np.prod(source.shape(name)[1:], dtype=np.int64))
        return Parts((name,), None, source.rows(name), row_size * source.dtype(name).itemsize)
    if space is None:
        raise DataError(f"{source.path}: {name!r} has parts, and no space says how they belong together")
    dtype = array_dtype(space)
    names = tuple("/".join([name, *map(quoted, path)]) for path, _ in parts_of(np.empty(0, dtype)))
    rows = {source.rows(part) for part in names}
    if len(rows) != 1:
        raise DataError(f"{source.path}: the parts of {name!r} have different numbers of rows: {sorted(rows)}")
    for part, (_, values) in zip(names, parts_of(np.empty(0, dtype)), strict=True):
        if source.shape(part)[1:] != values.shape[1:] or source.dtype(part).newbyteorder("=") != values.dtype:
            raise DataError(f"{source.path}: {part!r} must be {values.dtype} {values.shape[1:]}, as the space says")
    return Parts(names, dtype, rows.pop(), dtype.itemsize)


def _read_header(source: Source) -> dict[str, str]:
    version = source.integer("format_version")
    if version is None or version < 1:
        raise DataError(f"{source.path} states no format version (found {version}); accepted is {VERSION}")
    if version > VERSION:
        raise DataError(
            f"{source.path} has format version {version}, which is newer than this gailkit reads ({VERSION})"
        )
    texts = {name: text for name in _TEXTS if (text := source.text(name)) is not None}
    if source.text("header_digest") != header_digest(version, texts):
        raise DataError(
            f"{source.path}: the header (environment, spaces, provenance) is damaged: its digest does not fit"
        )
    return texts


def _mapping(texts: dict[str, str], name: str) -> dict[str, Any]:
    try:
        value = json.loads(texts.get(name, "{}"))
    except ValueError as error:
        raise InputError(f"{name} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{name} must be a JSON object; found {str(value)[:80]}")
    return value


def _column(source: Source, name: str, dtype: np.dtype[Any], dimensions: int) -> np.ndarray:
    values = source.array(name)
    if values.dtype != dtype or values.ndim != dimensions:
        raise DataError(
            f"{source.path}: {name!r} must be {dtype} of {dimensions} dimensions; found {values.dtype} {values.shape}"
        )
    return values
