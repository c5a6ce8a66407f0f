"""Reading the native file: every episode is compared with its digest."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gailkit.demonstrations.file_contents import About, Broken, Contents, Episode, ReadOptions
from gailkit.demonstrations.joined_episodes import FlatEpisodes
from gailkit.demonstrations.native.header import (
    DIGEST_BYTES,
    FORMAT,
    NO_ACTIONS,
    VERSION,
    WITHOUT_ACTIONS,
    header_digest,
)
from gailkit.demonstrations.native.rows import Layout, Parts, bytes_flat, read_layout, read_rows, room_for
from gailkit.errors import DataError, InputError
from gailkit.spaces import space_from_json
from gailkit.untrusted.ahead import ahead
from gailkit.untrusted.source import DamageError, Source, open_source

NAME = "gailkit native"
_TEXTS = ("env_id", "env_kwargs", "observation_space", "action_space", "provenance", "actions")
_BLOCK_BYTES = 8 * 2**20  # read at a time
_FEWEST_FOR_TWO = 4  # blocks that make it worth to start another process


class Columns(NamedTuple):
    """What describes N episodes, without their steps."""

    lengths: np.ndarray  # (N,) int64
    terminated: np.ndarray  # (N,) bool
    seeds: np.ndarray  # (N,) int64, -1 for none
    digests: np.ndarray  # (N, 32) uint8


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
    needed += bytes_flat(layout[0], about.observation_space) + bytes_flat(layout[1], about.action_space)
    found = episodes(source, columns, layout)
    together = partial(_episodes_together, source, columns, layout)
    return Contents(about, len(columns.lengths), found, num_bytes=needed, verified=True, together=together)


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


def _episodes_together(source: Source, columns: Columns, layout: Layout) -> Iterator[Episode | Broken]:
    """Every episode as rows of arrays that hold those of all: whoever keeps them need not join them."""
    observed, acted, rewarded = (None if parts is None else room_for(source, parts) for parts in layout)
    assert observed is not None and acted is not None
    whole = FlatEpisodes(observed, acted, rewarded, columns.lengths, columns.terminated, columns.seeds)
    yield from episodes(source, columns, layout, whole)


def episodes(
    source: Source, columns: Columns, layout: Layout, whole: FlatEpisodes | None = None
) -> Iterator[Episode | Broken]:
    """Every episode, read in blocks, each block while the one before it is compared with its digests.

    Where there is room for the ``whole`` file they are read into it. A second process reads every other block of a
    large file: unpacking takes most of the time.
    """
    spans = list(_blocks(columns.lengths, sum(parts.row_bytes for parts in layout if parts is not None)))
    shares = [_read_spans(source, columns, layout, spans, whole)]
    if len(spans) >= _FEWEST_FOR_TWO:
        second = _read_spans_apart(source.path, columns, layout, spans[1::2], whole)
        shares = [_read_spans(source, columns, layout, spans[::2], whole), second]
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


def _read_spans(
    source: Source, columns: Columns, layout: Layout, spans: Sequence[tuple[int, int]], whole: FlatEpisodes | None
) -> Generator[_Found, None, None]:
    """The episodes of each span as one block, or one by one where it is damaged."""
    block_of = partial(read_block, source, columns, layout, whole=whole)
    for first, last in spans:
        block = block_of(first, last)
        if isinstance(block, DamageError) and last - first > 1:
            yield [(index, block_of(index, index + 1)) for index in range(first, last)]
        else:
            yield [(first, block)]


def _read_spans_apart(
    path: Path, columns: Columns, layout: Layout, spans: Sequence[tuple[int, int]], whole: FlatEpisodes | None
) -> Generator[_Found, None, None]:
    with open_source(path) as source:
        yield from _read_spans(source, columns, layout, spans, whole)


def read_block(
    source: Source, columns: Columns, layout: Layout, first: int, last: int, whole: FlatEpisodes | None = None
) -> FlatEpisodes | DamageError:
    """Episodes ``first`` to ``last``, in their place in the ``whole`` if it is there; or why they cannot be read."""
    start, stop = int(columns.lengths[:first].sum()), int(columns.lengths[:last].sum())
    observed, acted = (start + first, stop + last), (start, stop)
    observations, actions, rewards = layout

    def rows(parts: Parts, span: tuple[int, int], place: np.ndarray | None) -> np.ndarray:
        return read_rows(source, parts, [span], target=None if place is None else place[slice(*span)])

    try:
        return FlatEpisodes(
            rows(observations, observed, None if whole is None else whole.observations),
            rows(actions, acted, None if whole is None else whole.actions),
            None if rewards is None else rows(rewards, acted, None if whole is None else whole.rewards),
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


def _read_header(source: Source) -> dict[str, str]:
    version = source.integer("format_version")
    if version is None or version < 1:
        raise DataError(f"{source.path} states no format version (found {version}); accepted is {VERSION}")
    if version > WITHOUT_ACTIONS:
        raise DataError(
            f"{source.path} has format version {version}, which is newer than this gailkit reads ({WITHOUT_ACTIONS}); "
            "a newer gailkit wrote it and reads it"
        )
    texts = {name: text for name in _TEXTS if (text := source.text(name)) is not None}
    if source.text("header_digest") != header_digest(version, texts):
        raise DataError(
            f"{source.path}: the header (environment, spaces, provenance) is damaged: its digest does not fit"
        )
    if texts.get("actions", NO_ACTIONS) != NO_ACTIONS:
        raise DataError(f"{source.path} says of its actions {texts['actions']!r}; accepted is {NO_ACTIONS!r}")
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
