"""A tree of state in one file: tensors as safetensors, all the rest as JSON in its header, and a digest of both.

Nothing in it is ever executed, and whatever device the tensors were on, they come back on the CPU.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from gailkit.errors import DataError, InputError
from gailkit.storage import write_atomically

_TENSOR = "$tensor"
_PAIRS = "$pairs"


def packed(state: Mapping[str, Any]) -> bytes:
    """``state`` as the content of a checkpoint: nested dicts (with str or int keys), lists and tuples of tensors and
    plain JSON values.

    Tuples come back as lists.

    Raises:
        TypeError: for a value that is none of these.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_without_tensors(state, tensors))
    metadata = {"state": skeleton, "sha256": _digest(skeleton, tensors)}
    return safetensors.torch.save(tensors, metadata=metadata)


def unpacked(content: bytes) -> dict[str, Any]:
    """What ``packed`` was given; for what comes from another process of the same run, as it knows no damage."""
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    restored: dict[str, Any] = _with_tensors(json.loads(metadata["state"]), safetensors.torch.load(content))
    return restored


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write ``state`` as ``packed``. The file is either the old one or the new one, whatever happens in between.

    Raises:
        StorageError: if the disk refuses.
        TypeError: as ``packed``.
    """
    write_atomically(path, packed(state))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What ``save_checkpoint`` wrote.

    Raises:
        InputError: if there is no such file.
        DataError: if it is damaged or not a checkpoint.
    """
    if not path.is_file():
        raise InputError(f"no checkpoint at {path}")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if _digest(metadata["state"], tensors) != metadata["sha256"]:
            raise DataError(f"{path} is damaged: its digest does not fit")
        restored: dict[str, Any] = _with_tensors(json.loads(metadata["state"]), tensors)
    except (safetensors.SafetensorError, OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is damaged or not a gailkit checkpoint: {error}") from error
    return restored


def _digest(skeleton: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the JSON and, in the order of their numbers, every tensor's bytes."""
    digest = hashlib.sha256(skeleton.encode())
    for name in sorted(tensors, key=int):
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _without_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    """``value`` as JSON; each tensor moves into ``tensors`` and leaves its number behind."""
    if isinstance(value, Tensor):
        number = str(len(tensors))
        tensors[number] = value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        return {_TENSOR: [number, list(value.shape), str(value.dtype)]}
    if isinstance(value, Mapping):
        items = {key: _without_tensors(item, tensors) for key, item in value.items()}
        if all(isinstance(key, str) for key in items):
            return items
        return {_PAIRS: [[key, item] for key, item in items.items()]}
    if isinstance(value, list | tuple):
        return [_without_tensors(item, tensors) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__}")


def _with_tensors(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_with_tensors(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        number, shape, dtype = value[_TENSOR]
        tensor = tensors[number]
        if [list(tensor.shape), str(tensor.dtype)] != [shape, dtype]:
            raise ValueError(f"tensor {number} is {tensor.dtype} {list(tensor.shape)}, not {dtype} {shape}")
        return tensor
    pairs = value[_PAIRS] if _PAIRS in value else value.items()
    return {key: _with_tensors(item, tensors) for key, item in pairs}
