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
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from gailkit.demonstrations.atomic import write_atomically
from gailkit.demonstrations.contents import Contents
from gailkit.demonstrations.safety import SafeReader
from gailkit.errors import DataError, InputError
from gailkit.spaces import space_from_json, space_to_json
from gailkit.types import Trajectory

NAME = "gailkit native"
FORMAT = "gailkit-demonstrations"
VERSION = 1
_CHUNK_BYTES = 32 * 2**10  # small enough that a damaged chunk touches few episodes
_TEXTS = ("env_id", "env_kwargs", "observation_space", "action_space", "provenance")


class _Flat(NamedTuple):
    """The arrays of a file, in the order of its episodes."""

    observations: np.ndarray  # (sum(L_i + 1), *obs)
    actions: np.ndarray  # (sum(L_i), *act)
    rewards: np.ndarray | None  # (sum(L_i),)
    lengths: np.ndarray  # (N,) int64
    terminated: np.ndarray  # (N,) bool
    seeds: np.ndarray  # (N,) int64, -1 for none

    def episode(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Observations, actions and rewards of one episode, as views."""
        stop = int(self.lengths[: index + 1].sum())
        start = stop - int(self.lengths[index])
        observations = self.observations[start + index : stop + index + 1]
        return observations, self.actions[start:stop], None if self.rewards is None else self.rewards[start:stop]


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
    flat = _flatten(contents.trajectories)
    with h5py.File.in_memory(libver=("v110", "v110")) as file:
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
        if _digest(flat, index) != digests[index].tobytes():
            raise DataError(
                f"{reader.path}: episode {index} of {len(flat.lengths)} is damaged: its digest does not fit"
            )
    try:
        return Contents(
            tuple(_trajectory(flat, index) for index in range(len(flat.lengths))),
            space_from_json(texts["observation_space"]) if "observation_space" in texts else None,
            space_from_json(texts["action_space"]) if "action_space" in texts else None,
            texts.get("env_id"),
            json.loads(texts.get("env_kwargs", "{}")),
            json.loads(texts.get("provenance", "{}")),
        )
    except InputError as error:
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


def _flatten(trajectories: tuple[Trajectory, ...]) -> _Flat:
    rewards = [trajectory.rewards for trajectory in trajectories if trajectory.rewards is not None]
    seeds = [-1 if trajectory.seed is None else trajectory.seed for trajectory in trajectories]
    if any(not -1 <= seed < 2**63 for seed in seeds):
        raise InputError(
            f"episode seeds must lie in [0, 2**63) to be written to a file; found {min(seeds)}..{max(seeds)}"
        )
    return _Flat(
        np.concatenate([trajectory.observations for trajectory in trajectories]),
        np.concatenate([trajectory.actions for trajectory in trajectories]),
        np.concatenate(rewards) if rewards else None,
        np.array([len(trajectory) for trajectory in trajectories], dtype=np.int64),
        np.array([trajectory.terminated for trajectory in trajectories], dtype=np.bool_),
        np.array(seeds, dtype=np.int64),
    )


def _arrays(flat: _Flat) -> dict[str, np.ndarray]:
    digests = b"".join(_digest(flat, index) for index in range(len(flat.lengths)))
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


def _digest(flat: _Flat, index: int) -> bytes:
    """SHA-256 over everything one episode holds: dtypes, shapes, how it ended, its seed, and all numbers."""
    arrays = [None if values is None else _little_endian(values) for values in flat.episode(index)]
    described = [None if values is None else [values.dtype.str, list(values.shape)] for values in arrays]
    header = json.dumps([described, bool(flat.terminated[index]), int(flat.seeds[index])])
    digest = hashlib.sha256(header.encode())
    for values in arrays:
        if values is not None:
            digest.update(values.tobytes())
    return digest.digest()


def _little_endian(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder("<"), copy=False)


def _trajectory(flat: _Flat, index: int) -> Trajectory:
    observations, actions, rewards = flat.episode(index)
    seed = int(flat.seeds[index])
    return Trajectory(observations, actions, rewards, bool(flat.terminated[index]), None if seed == -1 else seed)


def _read_flat(reader: SafeReader) -> tuple[_Flat, np.ndarray]:
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
    bulk = {
        name: _bulk(reader, name, lengths) for name in ("observations", "actions", "rewards") if _wanted(reader, name)
    }
    return _Flat(bulk["observations"], bulk["actions"], bulk.get("rewards"), lengths, terminated, seeds), digests


def _wanted(reader: SafeReader, name: str) -> bool:
    return name != "rewards" or reader.has(name)


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
    except (OSError, RuntimeError, ValueError) as error:
        last = 1 if name == "observations" else 0
        stops = np.cumsum(lengths + last)
        spans = zip(stops - lengths - last, stops, strict=True)
        broken = [
            index for index, (start, stop) in enumerate(spans) if not _readable(reader, name, int(start), int(stop))
        ]
        which = f"{broken[0]}" if len(broken) == 1 else f"{broken[0]} to {broken[-1]}" if broken else "unknown"
        raise DataError(f"{reader.path}: {name} of episode {which} of {len(lengths)} are damaged ({error})") from error


def _readable(reader: SafeReader, name: str, start: int, stop: int) -> bool:
    try:
        reader.array(name, start, stop)
    except (OSError, RuntimeError, ValueError):
        return False
    return True
