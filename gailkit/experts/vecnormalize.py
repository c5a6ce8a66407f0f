"""The observation statistics in a Stable-Baselines3 ``vecnormalize.pkl``, read without executing any of it.

A pickle is a program. Here every class and function that it names is replaced by a record of what it would have been
called with, and the few numbers that matter are picked from those records.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gailkit.errors import DataError, InputError

MAX_BYTES = 64 * 2**20
NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
ORDERS = ("<", ">", "=", "|")


@dataclass(frozen=True)
class ObservationNormalizer:
    """(observation - mean) / sqrt(variance + epsilon), clipped to [-clip, clip]."""

    mean: np.ndarray  # (*obs) float64
    variance: np.ndarray  # (*obs) float64
    clip: float
    epsilon: float

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Observations (N, *obs) to normalised ones (N, *obs), float64."""
        scaled = (observations - self.mean) / np.sqrt(self.variance + self.epsilon)
        return np.asarray(np.clip(scaled, -self.clip, self.clip))


def read_vecnormalize(path: Path) -> ObservationNormalizer | None:
    """What ``path`` says about observations; None if it normalises only rewards.

    Raises:
        DataError: if the file is unreadable, damaged, or not a VecNormalize.
        InputError: if it normalises observations that are a dictionary.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} has {path.stat().st_size} bytes; a VecNormalize of at most {MAX_BYTES} is read")
        root = _record(path.read_bytes())
        state = _state_of(root)
        if not state["norm_obs"]:
            return None
        statistics = _state_of(state["obs_rms"])
        mean, variance = _array(statistics["mean"]), _array(statistics["var"])
        clip, epsilon = float(_array(state["clip_obs"])), float(_array(state["epsilon"]))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except _NOT_A_VECNORMALIZE as error:
        raise DataError(f"{path} is damaged or is not a VecNormalize of Stable-Baselines3: {error}") from error
    sound = np.isfinite(mean).all() and (variance >= 0).all() and clip > 0 and epsilon >= 0
    if mean.shape != variance.shape or not sound:
        raise DataError(f"{path} holds statistics that cannot be: mean {mean.shape}, variance {variance.shape}")
    return ObservationNormalizer(mean, variance, clip, epsilon)


_NOT_A_VECNORMALIZE = (
    pickle.UnpicklingError,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
)


class _Recorded:
    """Stands for any object of a pickle: remembers the arguments it was made with and the state it was given."""

    path = ""

    def __new__(cls, *args: Any, **_: Any) -> _Recorded:
        made = object.__new__(cls)
        made.args = args
        made.state = None
        return made

    args: tuple[Any, ...]
    state: Any

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def add(self, value: Any) -> None:
        pass


class _Recorder(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        return type("_Recorded", (_Recorded,), {"path": f"{module_name}.{global_name}"})


def _record(data: bytes) -> Any:
    """Load a pickle with every name in it replaced; a memo index beyond the data would allocate memory without end."""
    for opcode, argument, _ in pickletools.genops(data):
        if "PUT" in opcode.name and isinstance(argument, int) and argument > len(data):
            raise pickle.UnpicklingError("a memo index beyond the data")
    return _Recorder(io.BytesIO(data)).load()


def _state_of(value: Any) -> dict[str, Any]:
    if isinstance(value, _Recorded) and isinstance(value.state, dict):
        return value.state
    if isinstance(value, dict) and value:
        raise InputError("the VecNormalize normalises observations that are a dictionary; only arrays are supported")
    raise ValueError(f"an object with attributes was expected, found {type(value).__name__}")


def _array(value: Any) -> np.ndarray:
    """The numbers (float64) of a recorded numpy array or numpy scalar, or of a plain number."""
    if isinstance(value, int | float):
        return np.array(value, dtype=np.float64)
    if not isinstance(value, _Recorded):
        raise ValueError(f"numbers were expected, found {type(value).__name__}")
    if value.path.endswith(".scalar"):
        dtype, raw = value.args
        return np.array(np.frombuffer(raw, _dtype(dtype), count=1)[0], dtype=np.float64)
    if value.path.endswith("._frombuffer"):
        raw, dtype, shape, order = value.args
        fortran = order == "F"
    else:
        _, shape, dtype, fortran, raw = value.state
    flat: np.ndarray = np.frombuffer(raw, _dtype(dtype)).astype(np.float64)
    return flat.reshape(shape, order="F" if fortran else "C")


def _dtype(value: Any) -> np.dtype[Any]:
    name = value.args[0]
    order = value.state[1] if value.state is not None else "="
    if not isinstance(name, str) or not isinstance(order, str):  # to print shared tuples takes exponential time
        raise ValueError("an array whose type is not named by text")
    if name not in NUMBERS or order not in ORDERS:
        raise ValueError(f"an array of type {order[:20]}{name[:20]}")
    return np.dtype(f"{order}{name}")
