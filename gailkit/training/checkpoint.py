"""A tree of state in one file: tensors as safetensors, all the rest as JSON in its header. Nothing is ever executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from gailkit.errors import DataError, InputError
from gailkit.storage import write_atomically

_TENSOR = "$tensor"
_PAIRS = "$pairs"


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write ``state``: nested dicts (with str or int keys), lists and tuples of tensors and plain JSON values.

    Tuples come back as lists. The file is either the old one or the new one, whatever happens in between.

    Raises:
        StorageError: if the disk refuses.
        TypeError: for a value that is none of these.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = _without_tensors(state, "", tensors)
    write_atomically(path, safetensors.torch.save(tensors, metadata={"state": json.dumps(skeleton)}))


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
            skeleton = json.loads((file.metadata() or {})["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        restored: dict[str, Any] = _with_tensors(skeleton, tensors)
    except (safetensors.SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged or not a gailkit checkpoint: {error}") from error
    return restored


def _without_tensors(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """``value`` as JSON; each tensor moves into ``tensors`` and leaves its name behind."""
    if isinstance(value, Tensor):
        tensors[path] = value.detach().clone().contiguous()
        return {_TENSOR: path}
    if isinstance(value, Mapping):
        items = {key: _without_tensors(item, f"{path}/{key}", tensors) for key, item in value.items()}
        if all(isinstance(key, str) for key in items):
            return items
        return {_PAIRS: [[key, item] for key, item in items.items()]}
    if isinstance(value, list | tuple):
        return [_without_tensors(item, f"{path}/{index}", tensors) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__} at {path}")


def _with_tensors(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_with_tensors(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        return tensors[value[_TENSOR]]
    pairs = value[_PAIRS] if _PAIRS in value else value.items()
    return {key: _with_tensors(item, tensors) for key, item in pairs}
