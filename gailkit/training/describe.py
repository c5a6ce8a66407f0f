"""What a run folder says of its run."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch

from gailkit import __version__
from gailkit.demonstrations import Demonstrations
from gailkit.ranks.group import size
from gailkit.rollouts.protocol import Environments
from gailkit.spaces import space_to_json
from gailkit.training.config import RunConfig


def describe_run(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    envs: Environments,
    config: RunConfig,
    command: str | None,
    device: torch.device,
) -> dict[str, Any]:
    """What ``config.json`` says of every run, in plain JSON values."""
    return {
        "env_id": env_id,
        "env_kwargs": dict(env_kwargs),
        "observation_space": space_to_json(envs.about.observation_space),
        "action_space": space_to_json(envs.about.action_space),
        "time_limit": envs.about.time_limit,
        "config": config.to_dict(),
        "ranks": size(),
        "versions": versions(),
        "threads": torch.get_num_threads(),
        "device": described_device(device),
        "command": command,
    }


def described_device(device: torch.device) -> str:
    """Its name, and of a card what it is."""
    return str(device) if device.type == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})"


def versions() -> dict[str, str]:
    """Of what a run consists of."""
    return {
        "gailkit": __version__,
        "torch": torch.__version__,
        "gymnasium": gymnasium.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def describe_demonstrations(
    demonstrations: Demonstrations, held_out: int = 0, source: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What ``config.json`` says of the demonstrations that are learned from, ``held_out`` others aside."""
    episodes = len(demonstrations.trajectories)
    return {
        "episodes": episodes,
        "held_out": {"episodes": held_out, "share": held_out / (held_out + episodes)},
        "transitions": demonstrations.num_kept,
        "stride": demonstrations.stride,
        "offsets": list(demonstrations.offsets) if any(demonstrations.offsets) else None,  # None: all 0
        "in_memory": demonstrations.in_memory,
        "digests": demonstrations.digests(),
        "provenance": dict(demonstrations.provenance),
        "source": None if source is None else dict(source),
    }
