"""What is in a Stable-Baselines3 ``.zip``, read without unpickling: its settings, its weights, the spaces it is for."""

from __future__ import annotations

import io
import json
import pickle
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.errors import DataError, InputError

MAX_SETTINGS_BYTES = 32 * 2**20
MAX_WEIGHTS_BYTES = 512 * 2**20

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, KeyError, UnicodeDecodeError)
_UNREADABLE_WEIGHTS = (*_DAMAGED, pickle.UnpicklingError, AttributeError, TypeError, IndexError, AssertionError)


@dataclass(frozen=True)
class Archive:
    """The parts of a Stable-Baselines3 zip that its policy is made of."""

    path: Path
    settings: Mapping[str, Any]  # the JSON member "data"
    weights: Mapping[str, np.ndarray]  # the state dict of the policy, float64

    @property
    def policy_kwargs(self) -> Mapping[str, Any]:
        """What the policy was made with; empty where only defaults were used."""
        kwargs = self.settings.get("policy_kwargs")
        return kwargs if isinstance(kwargs, dict) else {}


def read_archive(path: Path) -> Archive:
    """Read the zip at ``path``; nothing in it is executed, and the sizes of its parts are bounded before they are read.

    Raises:
        InputError: if it is a sound zip that Stable-Baselines3 did not write.
        DataError: if it is unreadable, damaged, or larger than any policy is expected to be.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            missing = {"data", "policy.pth"} - set(archive.namelist())
            if missing:
                found = ", ".join(archive.namelist()[:6]) or "nothing"
                raise InputError(
                    f"{path} is not a Stable-Baselines3 policy: it has no {' and no '.join(sorted(missing))}; "
                    f"it holds {found}"
                )
            settings = json.loads(_member(archive, "data", MAX_SETTINGS_BYTES))
            packed = _member(archive, "policy.pth", MAX_WEIGHTS_BYTES)
    except _DAMAGED as error:
        raise DataError(f"{path} cannot be read as a zip file, it is damaged or not one: {error}") from error
    if not isinstance(settings, dict):
        raise DataError(f"{path} is damaged: its settings are a {type(settings).__name__} and not an object")
    return Archive(path, settings, _weights(path, packed))


def check_fits(archive: Archive, observation_space: Space[Any], action_space: Space[Any]) -> None:
    """Raise InputError, printing both, unless the policy is for observations and actions of these shapes."""
    for role, space in (("observation", observation_space), ("action", action_space)):
        found, wanted = _described(archive, f"{role}_space"), _description(space)
        if found != wanted:
            raise InputError(f"{archive.path} is for an {role} space {found}; the environment has {wanted}")
    if isinstance(observation_space, Box) and len(observation_space.shape) == 3:
        raise InputError(f"{archive.path} is a policy of images; only policies of vectors and of Discrete are read")


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    size = archive.getinfo(name).file_size
    if size > limit:
        raise DataError(f"{archive.filename} declares {size} bytes for its part {name!r}; at most {limit} are read")
    return archive.read(name)


def _weights(path: Path, packed: bytes) -> dict[str, np.ndarray]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on how the file should have been written
            state = torch.load(io.BytesIO(_bounded(path, packed)), map_location="cpu", weights_only=True)
        numbers = sum(tensor.numel() for tensor in state.values())
        if numbers > MAX_WEIGHTS_BYTES // 4:  # a view may repeat one number as often as it likes
            raise DataError(f"{path} declares {numbers} weights; at most {MAX_WEIGHTS_BYTES // 4} are read")
        weights = {str(name): tensor.double().numpy() for name, tensor in state.items()}
    except _UNREADABLE_WEIGHTS as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{path} is damaged: its weights cannot be read: {reason}") from error
    broken = [name for name, values in weights.items() if not np.isfinite(values).all()]
    if broken:
        raise DataError(f"{path} holds weights that are not finite: {', '.join(broken[:3])}")
    return weights


def _bounded(path: Path, packed: bytes) -> bytes:
    """``packed`` itself, once it is known not to unpack to more than is read; before torch 1.6 it was no zip."""
    if zipfile.is_zipfile(io.BytesIO(packed)):
        with zipfile.ZipFile(io.BytesIO(packed)) as inner:
            size = sum(part.file_size for part in inner.infolist())
        if size > MAX_WEIGHTS_BYTES:
            raise DataError(f"{path} declares {size} bytes of weights; at most {MAX_WEIGHTS_BYTES} are read")
    return packed


def _described(archive: Archive, key: str) -> str:
    """The space stored under ``key`` in the words of ``_description``."""
    fields = archive.settings.get(key)
    if not isinstance(fields, dict):
        raise DataError(f"{archive.path} is damaged: it does not say what its {key.replace('_', ' ')} is")
    kind = str(fields.get(":type:", "unknown")).strip("<>").replace("class ", "").strip("'").rpartition(".")[2]
    if kind == "Discrete":
        return f"Discrete({fields.get('n')})"
    shape = fields.get("shape", fields.get("_shape"))
    return f"{kind}{tuple(shape)}" if isinstance(shape, list) else kind


def _description(space: Space[Any]) -> str:
    if isinstance(space, Discrete):
        return f"Discrete({int(space.n)})"
    return f"{'Box' if isinstance(space, Box) else type(space).__name__}{space.shape}"
