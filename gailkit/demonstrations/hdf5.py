"""The native file: flat arrays over all episodes, a SHA-256 for each episode, and a header that is digested too.

Layout of the root, N episodes of lengths L_i::

    observations    (sum(L_i + 1), *obs)   each episode's last observation included
    actions         (sum(L_i), *act)
    rewards         (sum(L_i),)            optional
    episode_lengths (N,) int64
    terminated      (N,) bool
    truncated       (N,) bool              not terminated
    episode_seeds   (N,) int64             -1 for none
    digests         (N, 32) uint8
    attributes: format, format_version, env_id, env_kwargs, observation_space, action_space, provenance, header_digest

A changed bit is met by HDF5's own checksums (metadata since 1.10, chunks by fletcher32) or by the digests.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gailkit.demonstrations.contents import Contents
from gailkit.demonstrations.flat import FlatEpisodes
from gailkit.demonstrations.safety import DamageError, SafeReader
from gailkit.errors import DataError, InputError
from gailkit.spaces import space_from_json, space_to_json
from gailkit.storage import write_atomically

NAME = "gailkit native"
FORMAT = "gailkit-demonstrations"
VERSION = 1
_CHUNK_BYTES = 32 * 2**10  # small enough that a damaged chunk touches few episodes
_TEXTS = ("env_id", "env_kwargs", "observation_space", "action_space", "provenance")


def write(path: Path, contents: Contents) -> None:
    """Write ``contents`` to ``path``, replacing an older file only once the new one is complete on the disk.

    Raises:
        InputError: if something in it cannot be written down, such as a space that is neither Box nor Discrete.
        StorageError: if the disk refuses.
    """
    write_atomically(path, image(contents))


def image(contents: Contents) -> bytes:
    """The bytes of the native file; equal contents give equal bytes.

    The file is built in memory because HDF5 writing to a full disk brings the whole process down.
    """
    texts = _header_texts(contents)
    flat = FlatEpisodes.of(contents.trajectories)
    name = secrets.token_hex(8)  # no file of this name is made, but HDF5 tells open files apart by it
    with h5py.File(name, "w", driver="core", backing_store=False, libver=("v110", "v110")) as file:
        for name, values in _arrays(flat).items():
            _create(file, name, values)
        for name, text in {"format": FORMAT, **texts, "header_digest": _header_digest(VERSION, texts)}.items():
            encoded = text.encode()
            file.attrs.create(name, encoded, dtype=h5py.string_dtype("utf-8", max(1, len(encoded))))
        file.attrs["format_version"] = VERSION
        file.flush()
        return bytes(file.id.get_file_image())


def recognises(reader: SafeReader) -> bool:
    """Whether the file says that it is a native one, of whatever version."""
    return reader.text("format") == FORMAT


def read(reader: SafeReader) -> Contents:
    """Everything in a native file, each episode compared with its digest.

    Raises:
        DataError: if anything is missing, contradictory or damaged; it names the first such episode, counting from 0.
    """
    texts = _read_header(reader)
    flat, digests = _read_flat(reader)
    for index in range(len(flat.lengths)):
        if flat.digest(index) != digests[index].tobytes():
            raise DataError(
                f"{reader.path}: episode {index} of {len(flat.lengths)} is damaged: its digest does not fit"
            )
    try:
        return Contents(
            tuple(flat.trajectory(index) for index in range(len(flat.lengths))),
            space_from_json(texts["observation_space"]) if "observation_space" in texts else None,
            space_from_json(texts["action_space"]) if "action_space" in texts else None,
            texts.get("env_id"),
            _mapping(texts, "env_kwargs"),
            _mapping(texts, "provenance"),
        )
    except (InputError, RecursionError) as error:
        raise DataError(f"{reader.path}: {error}") from error


def _header_texts(contents: Contents) -> dict[str, str]:
    if contents.env_id is not None and ("\0" in contents.env_id or not contents.env_id.isprintable()):
        raise InputError(f"the environment id {contents.env_id!r} holds characters that cannot be written to a file")
    texts = {"env_id": contents.env_id} if contents.env_id is not None else {}
    texts["env_kwargs"] = json.dumps(contents.env_kwargs, sort_keys=True)
    texts["provenance"] = json.dumps(contents.provenance, sort_keys=True)
    for name in ("observation_space", "action_space"):
        space = getattr(contents, name)
        if space is not None:
            texts[name] = space_to_json(space)
    return texts


def _header_digest(version: int, texts: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps([FORMAT, version, texts], sort_keys=True).encode()).hexdigest()


def _read_header(reader: SafeReader) -> dict[str, str]:
    version = reader.integer("format_version")
    if version is None or version < 1:
        raise DataError(f"{reader.path} states no format version (found {version}); accepted is {VERSION}")
    if version > VERSION:
        raise DataError(
            f"{reader.path} has format version {version}, which is newer than this gailkit reads ({VERSION})"
        )
    texts = {name: text for name in _TEXTS if (text := reader.text(name)) is not None}
    if reader.text("header_digest") != _header_digest(version, texts):
        raise DataError(
            f"{reader.path}: the header (environment, spaces, provenance) is damaged: its digest does not fit"
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


def _arrays(flat: FlatEpisodes) -> dict[str, np.ndarray]:
    digests = b"".join(flat.digest(index) for index in range(len(flat.lengths)))
    arrays = {
        "observations": flat.observations,
        "actions": flat.actions,
        "episode_lengths": flat.lengths,
        "terminated": flat.terminated,
        "truncated": ~flat.terminated,
        "episode_seeds": flat.seeds,
        "digests": np.frombuffer(digests, dtype=np.uint8).reshape(len(flat.lengths), 32),
    }
    return arrays if flat.rewards is None else {**arrays, "rewards": flat.rewards}


def _create(file: h5py.File, name: str, values: np.ndarray) -> None:
    row_bytes = max(1, values[:1].nbytes)
    rows = min(len(values), max(1, _CHUNK_BYTES // row_bytes))
    file.create_dataset(
        name, data=values, chunks=(rows, *values.shape[1:]), compression="gzip", shuffle=True, fletcher32=True
    )


def _read_flat(reader: SafeReader) -> tuple[FlatEpisodes, np.ndarray]:
    lengths = _column(reader, "episode_lengths", np.dtype(np.int64), 1)
    terminated = _column(reader, "terminated", np.dtype(np.bool_), 1)
    truncated = _column(reader, "truncated", np.dtype(np.bool_), 1)
    seeds = _column(reader, "episode_seeds", np.dtype(np.int64), 1)
    digests = _column(reader, "digests", np.dtype(np.uint8), 2)
    count = len(lengths)
    if count < 1 or any(len(column) != count for column in (terminated, truncated, seeds, digests)):
        raise DataError(f"{reader.path}: the columns that describe the episodes have different lengths, or none")
    for index in np.flatnonzero(terminated == truncated)[:1]:
        raise DataError(f"{reader.path}: episode {index} of {count} must be either terminated or truncated")
    _check_lengths(reader, lengths)
    rewards = _bulk(reader, "rewards", lengths) if reader.has("rewards") else None
    bulk = (_bulk(reader, "observations", lengths), _bulk(reader, "actions", lengths), rewards)
    return FlatEpisodes(*bulk, lengths, terminated, seeds), digests


def _column(reader: SafeReader, name: str, dtype: np.dtype[Any], dimensions: int) -> np.ndarray:
    values = reader.array(name)
    if values.dtype != dtype or values.ndim != dimensions:
        raise DataError(
            f"{reader.path}: {name!r} must be {dtype} of {dimensions} dimensions; found {values.dtype} {values.shape}"
        )
    return values


def _check_lengths(reader: SafeReader, lengths: np.ndarray) -> None:
    steps = reader.rows("actions")
    if (lengths < 1).any() or (lengths > steps).any() or int(lengths.sum()) != steps:
        raise DataError(f"{reader.path}: the episode lengths do not add up to the {steps} actions of the file")
    expected = {"observations": steps + len(lengths)} | ({"rewards": steps} if reader.has("rewards") else {})
    for name, rows in expected.items():
        if reader.rows(name) != rows:
            raise DataError(
                f"{reader.path}: {name!r} must have {rows} rows for these episodes; found {reader.rows(name)}"
            )


def _bulk(reader: SafeReader, name: str, lengths: np.ndarray) -> np.ndarray:
    try:
        return reader.array(name)
    except DamageError as error:
        last = 1 if name == "observations" else 0
        stops = np.cumsum(lengths + last)
        spans = zip(stops - lengths - last, stops, strict=True)
        broken = [
            index for index, (start, stop) in enumerate(spans) if not _readable(reader, name, int(start), int(stop))
        ]
        raise DataError(
            f"{reader.path}: {name} of {_which(broken)} of {len(lengths)} are damaged ({error.reason})"
        ) from error


def _which(episodes: list[int]) -> str:
    if len(episodes) == 1:
        return f"episode {episodes[0]}"
    return f"episodes {episodes[0]} to {episodes[-1]}" if episodes else "an unknown episode"


def _readable(reader: SafeReader, name: str, start: int, stop: int) -> bool:
    try:
        reader.array(name, start, stop)
    except DamageError:
        return False
    return True
