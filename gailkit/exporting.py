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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box
from torch import Tensor, nn

from gailkit import __version__
from gailkit.errors import DivergenceError, InputError
from gailkit.generator import TrainedPolicy
from gailkit.generator.trained import Remembered
from gailkit.importing import describe_foreign, require
from gailkit.spaces import as_batch, clip_to_space, space_to_json, storage_dtype
from gailkit.storage import write_atomically

if TYPE_CHECKING:
    from torch.export import ExportedProgram

INPUTS, OUTPUTS = ("observation", "state"), ("action", "next_state")  # states are of policies with a memory
CHECKED = 1000  # observations on which the file must act as the policy does
TOLERANCE = 1e-4  # of a Box action, in half-widths, or in its own unit where it has no bounds
DEVIATIONS = 6.0  # standard errors by which means of sampled actions may differ


Acting = Callable[..., Sequence[np.ndarray]]
"""Inputs (N, ...) to outputs (N, ...), as the file has them."""


class Exported(NamedTuple):
    """What a file takes and gives, and how well it agreed with the policy."""

    path: Path
    observation: str  # shape and type
    action: str
    state: str | None  # of a policy with a memory, which is both taken and given
    difference: float  # the largest of any component of a Box action; of sampled ones the largest of their means


def export(policy: TrainedPolicy, path: Path) -> Exported:
    """Write ``policy`` to ``path``, by whose ending the format goes: .onnx, or .pt2 for ``torch.export.load``.

    A policy that samples its actions samples in the file too, from a random generator there. One that acts by the last
    K observations of its episode takes them in the file as one, the oldest first, as ``spaces.stacking`` makes it; the
    file says K under ``frame_stack``. One with a memory takes what it remembers as a second input, ``state`` (N, M),
    which is 0 where an episode begins, and gives what it remembers then as a second output, ``next_state``. The file is
    written when it has acted as the policy does on CHECKED observations, and states.

    Raises:
        InputError: for another ending, if the extra ``gailkit[onnx]`` is not installed, or for networks that torch
            cannot export.
        DivergenceError: if it acts differently; nothing is written.
        StorageError: if the disk refuses.
    """
    if path.suffix not in FORMATS:
        raise InputError(f"{path} must end in {' or '.join(FORMATS)}, by which the format of a policy goes")
    if path.suffix == ".onnx":
        require(str(path), "onnx", "onnx", "onnxruntime", "onnxscript")
    frames, policy = policy.frames, policy.of_stacked().to("cpu")
    network, example = policy.network.eval(), tuple(map(torch.from_numpy, _inputs(policy, 2)))
    with _quiet(), torch.no_grad():
        dynamic = tuple({0: torch.export.Dim.DYNAMIC} for _ in example)
        program = _program(network, example, dynamic)
        content, acting = FORMATS[path.suffix](program, {**_described(policy), "frame_stack": str(frames)})
    difference = _compared(policy, acting)
    write_atomically(path, content)
    size = policy.actor_critic.policy_state_size
    state = f"(N, {size}) float32" if size else None
    return Exported(path, _shown(policy.observation_space), _shown(policy.action_space), state, difference)


def _program(network: nn.Module, example: tuple[Tensor, ...], dynamic: Any) -> ExportedProgram:
    try:
        return torch.export.export(network, example, dynamic_shapes=dynamic)
    except Exception as error:  # torch declares no base of what it raises, and a network may be anybody's
        raise InputError(
            f"torch {torch.__version__} cannot export the policy's networks: {describe_foreign(error, __file__)}"
        ) from error


def _onnx(program: ExportedProgram, described: Mapping[str, str]) -> tuple[bytes, Acting]:
    import onnxruntime

    count = len(program.example_inputs[0])
    inputs, outputs = list(INPUTS[:count]), list(OUTPUTS[:count])

    exported = torch.onnx.export(
        program, (), dynamo=True, input_names=inputs, output_names=outputs, verbose=False, external_data=False
    )
    assert exported is not None
    exported.model.metadata_props.update(described)
    content = exported.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, lambda *given: session.run(outputs, dict(zip(inputs, given, strict=True)))


def _pt2(program: ExportedProgram, described: Mapping[str, str]) -> tuple[bytes, Acting]:
    file = io.BytesIO()
    torch.export.save(program, file, extra_files=dict(described))
    module = program.module()

    def acting(*given: np.ndarray) -> list[np.ndarray]:
        found = module(*map(torch.from_numpy, given))
        return [each.detach().numpy() for each in (found if isinstance(found, tuple) else (found,))]

    return file.getvalue(), acting


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


def _inputs(policy: TrainedPolicy, count: int) -> list[np.ndarray]:
    """Some observations and, of a policy with a memory, states (count, M)."""
    size, random = policy.actor_critic.policy_state_size, np.random.default_rng(0)
    states = [random.uniform(-1, 1, (count, size)).astype(np.float32)] if size else []
    return [_observations(policy, count), *states]


def _acted(policy: TrainedPolicy, observations: np.ndarray, states: np.ndarray | None = None) -> tuple[Any, np.ndarray]:
    """What the policy does, and what it remembers then."""
    if states is None:
        return policy(observations), np.zeros(0)
    before = map(Remembered, observations[:, np.newaxis], torch.from_numpy(states))
    chosen, after = policy.follow(observations, list(before))
    return chosen, np.stack([each.state.numpy() for each in after])


def _compared(policy: TrainedPolicy, acting: Acting) -> float:
    """The largest difference between what the policy does and what the file does, if that is no more than rounding."""
    given = _inputs(policy, CHECKED)
    if policy.seed is not None:
        given = [np.repeat(each[:1], CHECKED, 0) for each in given]
    chosen, after = _acted(policy, *given)
    answer = as_batch(policy.action_space, chosen, "action").values
    ours, (theirs, *rest) = clip_to_space(policy.action_space, answer), acting(*given)
    if rest and float(np.abs(after - rest[0]).max()) > TOLERANCE:
        raise DivergenceError("the exported policy remembers something else than the policy does")
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
