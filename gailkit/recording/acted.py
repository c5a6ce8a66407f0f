"""Which kind of actions recorded episodes were acted by: a policy's likeliest, or sampled ones."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from gailkit.demonstrations.provenance import recordings

LIKELIEST, SAMPLED = KINDS = ("likeliest", "sampled")
KEY = "acted"  # in the provenance of recorded episodes: one of KINDS


def recorded_kind(spec: str, is_run: bool, stochastic: bool, noise: str | None) -> str | None:
    """What ``gailkit record`` has the policy ``spec`` act by; None for a function or a person, who may do either.

    An action that strays from the likeliest one by noise is a sample from around it.
    """
    if spec == "random" or stochastic or (noise is not None and noise != "0"):
        return SAMPLED
    return LIKELIEST if is_run or spec.endswith((".zip", ".onnx")) else None


def expert_actions(provenance: Mapping[str, str]) -> str | None:
    """The kind of actions that recorded episodes tell of; None where they do not, or some of them tell of another."""
    kinds = {_kind(part) for part in recordings(provenance)}
    return kinds.pop() if len(kinds) == 1 else None


def _kind(recording: Mapping[str, str]) -> str | None:
    """As it says under KEY; of older recordings, what ``gailkit record`` did by their words."""
    if KEY in recording:
        return recording[KEY] if recording[KEY] in KINDS else None
    words = _words(recording.get("command", ""))
    if words[:2] != ["gailkit", "record"]:
        return None
    is_run = any(name.startswith("sha256:") and name.endswith(".safetensors") for name in recording)
    return recorded_kind(recording.get("source", ""), is_run, "--stochastic" in words, recording.get("noise"))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []
