"""A model is checked and run once in a process of its own: what hangs, crashes or takes too much does so there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from gailkit.errors import DataError, InputError
from gailkit.experts.onnx_model import NUMBERS, check_model, session_of
from gailkit.untrusted.limits import CPU_SECONDS, bound_memory, bound_time
from gailkit.untrusted.process import how_it_ended

_START = (
    "import json, sys; told = json.loads(sys.argv[1]); sys.path[:] = told[2:];"
    "from gailkit.experts.onnx_trial import main; main(told[0], told[1])"
)
PATIENCE = 10 * CPU_SECONDS  # seconds, where the machine is busy, or the system knows no bound of a process's time


def try_out(
    path: Path, content: bytes, shape: tuple[int, ...], parts: Mapping[str, tuple[int, ...]] = MappingProxyType({})
) -> None:
    """Check the model and run it on one observation of zeros of ``shape``; inputs called as ``parts`` get theirs.

    What it raises when it runs is not told here: whoever runs it meets the same.

    Raises:
        InputError, DataError: what ``onnx_model.check_model`` finds; or if running it was ended by a limit.
    """
    shapes = {"": list(shape), **{name: list(own) for name, own in parts.items()}}
    told = json.dumps([str(path), shapes, str(Path(__file__).parents[2]), *sys.path])
    command = [sys.executable, "-I", "-S", "-c", _START, told]
    try:
        trial = subprocess.run(
            command, input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{path} cannot be run: trying it with one observation took too long") from error
    found = json.loads(trial.stdout or "{}")
    if "input" in found:
        raise InputError(str(found["input"]))
    if "data" in found:
        raise DataError(str(found["data"]))
    if trial.returncode < 0 or "checked" not in found:
        raise DataError(f"{path} cannot be run: trying it with one observation {how_it_ended(trial.returncode)}")


def main(path: str, shapes: dict[str, list[int]]) -> None:
    """Read a model from stdin and say on stdout what a check of it finds; then run it."""
    for library in ("onnx", "onnxruntime"):
        import_module(library)
    bound_memory()  # now that the libraries are loaded
    bound_time()
    session = None
    try:
        session = _checked(Path(path), sys.stdin.buffer.read())
        said = {"checked": "nothing found"}
    except InputError as error:
        said = {"input": str(error)}
    except DataError as error:
        said = {"data": str(error)}
    except MemoryError:
        said = {"data": f"{path} takes more memory than a policy may take"}
    print(json.dumps(said), flush=True)
    if session is not None:
        _run(session, shapes)


def _checked(path: Path, content: bytes) -> Any:
    check_model(path, content)
    return session_of(path, content)


def _run(session: Any, shapes: dict[str, list[int]]) -> None:
    """Run it; the shape of what is not called as a part is at ""."""
    inputs = session.get_inputs()
    named = {each.name for each in inputs} == shapes.keys() - {""}
    fed = {
        each.name: np.zeros((1, *_shape(each.shape, shapes[each.name if named else ""])), NUMBERS[each.type])
        for each in inputs
    }
    session.run(None, fed)


def _shape(declared: list[Any], told: list[int]) -> list[int]:
    """Of a row of an input: as declared, of a state or several observations as one, else that of an observation."""
    rows = declared[1:]
    return rows if rows and all(isinstance(size, int) for size in rows) else told
