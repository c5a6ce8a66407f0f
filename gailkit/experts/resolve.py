"""A SPEC of the command line to a policy that is not one of gailkit's own runs."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from gymnasium import Space

from gailkit.errors import InputError
from gailkit.experts.function import function_policy, function_source
from gailkit.experts.onnx import check_installed, onnx_policy
from gailkit.experts.random import random_policy
from gailkit.experts.sb3 import sb3_policy, vecnormalize_beside
from gailkit.spaces import flattened_space
from gailkit.types import Batched, BatchPolicy, Policy

ACCEPTED = (
    "random, a run folder, a Stable-Baselines3 .zip, an .onnx model, or module:attribute "
    "(a callable observation -> action)"
)
SUFFIXES = (".zip", ".onnx")


def expert_policy(
    spec: str, observation_space: Space[Any], action_space: Space[Any], seed: int, clip_actions: bool = False
) -> BatchPolicy:
    """The policy that ``spec`` names: ``random``, a Stable-Baselines3 ``.zip``, an ``.onnx`` model, or a function.

    Args:
        observation_space: as the environment states it. The policy is asked about values of
            ``flattened_space(observation_space)``, and a function sees elements of the space all the same.
        action_space: likewise; a policy answers with values of ``flattened_space(action_space)``.
        seed: decides what a random policy does; the others are deterministic as far as gailkit is concerned.
        clip_actions: let a function return actions outside the Box, which are clipped to it as those of all others.

    Raises:
        InputError: if ``spec`` names none of these (what is accepted is listed, with near matches) or the policy does
            not fit the spaces.
        DataError: if a file is damaged.
    """
    policy = _named(spec, observation_space, action_space, seed, clip_actions)
    return policy if isinstance(policy, BatchPolicy) else Batched(policy)


def _named(spec: str, observation_space: Space[Any], action_space: Space[Any], seed: int, clip_actions: bool) -> Policy:
    if spec == "random":
        return random_policy(flattened_space(action_space), seed)
    if spec.endswith(".zip"):
        return sb3_policy(_existing(spec), flattened_space(observation_space), action_space)
    if spec.endswith(".onnx"):
        return onnx_policy(_existing(spec), observation_space, action_space)
    if _is_function(spec):
        return function_policy(spec, observation_space, action_space, clip_actions)
    raise _unknown(spec)


def check_spec(spec: str) -> None:
    """Raise InputError unless ``spec`` has the looks of a policy's: near matches are listed."""
    if spec != "random" and not spec.endswith(SUFFIXES) and not _is_function(spec):
        raise _unknown(spec)


def check_packages(spec: str) -> None:
    """Raise InputError, with the command that installs it, if a package is missing that the policy ``spec`` needs."""
    if spec.endswith(".onnx"):
        check_installed(Path(spec))


def _unknown(spec: str) -> InputError:
    return InputError(f"{spec!r} names no policy; accepted are {ACCEPTED}{_near(spec)}")


def expert_files(spec: str) -> list[Path]:
    """The files that the policy ``spec`` consists of, as far as they are known, so that they can be fingerprinted."""
    if spec.endswith(".zip"):
        companion = vecnormalize_beside(Path(spec))
        return [Path(spec), companion] if companion else [Path(spec)]
    if spec.endswith(".onnx"):
        return [Path(spec)]
    if _is_function(spec):
        source = function_source(spec)
        return [source] if source else []
    return []


def _is_function(spec: str) -> bool:
    module, _, attribute = spec.partition(":")
    return all(name.isidentifier() for name in [*module.split("."), *attribute.split(".")])


def _existing(spec: str) -> Path:
    path = Path(spec)
    if not path.is_file():
        raise InputError(f"there is no file {spec}{_near(spec)}")
    return path


def _near(spec: str) -> str:
    """Near matches among the words of a SPEC and what lies in the folder that it points to."""
    path = Path(spec)
    entries = list(path.parent.iterdir()) if path.parent.is_dir() else []
    names = {entry.name: str(entry) for entry in entries if entry.suffix in SUFFIXES or entry.is_dir()}
    matches = [names.get(name, name) for name in difflib.get_close_matches(path.name, ["random", *names])]
    return f"; near matches: {', '.join(matches)}" if matches else ""
