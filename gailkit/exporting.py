"""A policy as a file that acts without gailkit: in ONNX, or as a program of torch's.

Whatever the networks learned to expect is inside: observations go in as the environment gives them, and actions come
out as it takes them.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box

from gailkit import __version__
from gailkit.errors import DivergenceError, InputError
from gailkit.generator import TrainedPolicy
from gailkit.importing import require
from gailkit.spaces import as_batch, clip_to_space, space_to_json, storage_dtype
from gailkit.storage import write_atomically

if TYPE_CHECKING:
    from torch.export import ExportedProgram

INPUT, OUTPUT = "observation", "action"
CHECKED = 1000  # observations on which the file must act as the policy does
TOLERANCE = 1e-4  # of a Box action, in half-widths, or in its own unit where it has no bounds
DEVIATIONS = 6.0  # standard errors by which means of sampled actions may differ


class Exported(NamedTuple):
    """What a file takes and gives, and how well it agreed with the policy."""

    path: Path
    observation: str  # shape and type
    action: str
    difference: float  # the largest of any component of a Box action; of sampled ones the largest of their means


def export(policy: TrainedPolicy, path: Path) -> Exported:
    """Write ``policy`` to ``path``, by whose ending the format goes: .onnx, or .pt2 for ``torch.export.load``.

    A policy that samples its actions samples in the file too, from a random generator there. One that acts by the last
    K observations of its episode takes them in the file as one, the oldest first, as ``spaces.stacking`` makes it; the
    file says K under ``frame_stack``. The file is written when it has acted as the policy does on CHECKED observations.

    Raises:
        InputError: for another ending, or if the extra ``gailkit[onnx]`` is not installed.
        DivergenceError: if it acts differently; nothing is written.
        StorageError: if the disk refuses.
    """
    if path.suffix not in FORMATS:
        raise InputError(f"{path} must end in {' or '.join(FORMATS)}, by which the format of a policy goes")
    if path.suffix == ".onnx":
        require(str(path), "onnx", "onnx", "onnxruntime", "onnxscript")
    frames, policy = policy.frames, policy.of_stacked()
    network, example = policy.network.eval(), torch.from_numpy(_observations(policy, 2))
    with _quiet(), torch.no_grad():
        program = torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        content, acting = FORMATS[path.suffix](program, {**_described(policy), "frame_stack": str(frames)})
    difference = _compared(policy, acting)
    write_atomically(path, content)
    return Exported(path, _shown(policy.observation_space), _shown(policy.action_space), difference)


def _onnx(program: ExportedProgram, described: Mapping[str, str]) -> tuple[bytes, Callable[[np.ndarray], np.ndarray]]:
    import onnxruntime

    exported = torch.onnx.export(
        program, (), dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False, external_data=False
    )
    assert exported is not None
    exported.model.metadata_props.update(described)
    content = exported.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, lambda observations: session.run([OUTPUT], {INPUT: observations})[0]


def _pt2(program: ExportedProgram, described: Mapping[str, str]) -> tuple[bytes, Callable[[np.ndarray], np.ndarray]]:
    file = io.BytesIO()
    torch.export.save(program, file, extra_files=dict(described))
    module = program.module()
    return file.getvalue(), lambda observations: module(torch.from_numpy(observations)).detach().numpy()


FORMATS = {".onnx": _onnx, ".pt2": _pt2}


def _described(policy: TrainedPolicy) -> dict[str, str]:
    """What the file says of itself."""
    return {
        "gailkit": __version__,
        "env_id": policy.env_id,
        "env_kwargs": json.dumps(dict(policy.env_kwargs)),
        "observation_space": space_to_json(policy.observation_space),
        "action_space": space_to_json(policy.action_space),
        "actions": "likeliest" if policy.seed is None else "sampled",
    }


def _shown(space: Space[Any]) -> str:
    return f"({', '.join(['N', *map(str, space.shape or ())])}) {np.dtype(storage_dtype(space))}"


def _observations(policy: TrainedPolicy, count: int) -> np.ndarray:
    """Some of its space, (count, *obs)."""
    space = copy.deepcopy(policy.observation_space)  # whose own random numbers are somebody's
    space.seed(0)
    return np.stack([space.sample() for _ in range(count)]).astype(storage_dtype(space))


def _compared(policy: TrainedPolicy, acting: Callable[[np.ndarray], np.ndarray]) -> float:
    """The largest difference between what the policy does and what the file does, if that is no more than rounding."""
    observations = _observations(policy, CHECKED)
    if policy.seed is not None:
        observations = np.repeat(observations[:1], CHECKED, 0)
    answer = as_batch(policy.action_space, policy(observations), "action").values
    ours, theirs = clip_to_space(policy.action_space, answer), acting(observations)
    apart = ours.astype(float) - theirs
    if policy.seed is None:
        found, accepted = np.abs(apart), _tolerance(policy)
    else:
        spread = np.sqrt((ours.var(0) + theirs.var(0)) / CHECKED)
        found, accepted = np.abs(apart.mean(0)), DEVIATIONS * spread + _tolerance(policy)
    if (found > accepted).any():
        raise DivergenceError(
            f"the exported policy acts differently: its actions are up to {found.max():.3g} away from the policy's"
        )
    return float(found.max())


def _tolerance(policy: TrainedPolicy) -> Any:
    """Of each component of an action; none of Discrete ones."""
    space = policy.action_space
    if not isinstance(space, Box):
        return 0.0
    half = (space.high.astype(float) - space.low) / 2
    return TOLERANCE * np.where(np.isfinite(half), half, 1.0)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says of itself while it exports."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
