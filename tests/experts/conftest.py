"""Zips as Stable-Baselines3 writes them, with weights a test chooses."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Discrete

WriteZip = Callable[..., Path]


def described(space: Space[Any]) -> dict[str, Any]:
    """A space as Stable-Baselines3 describes it in ``data``."""
    kind = f"<class 'gymnasium.spaces.{type(space).__name__.lower()}.{type(space).__name__}'>"
    if isinstance(space, Discrete):
        return {":type:": kind, ":serialized:": "gAWVnot a pickle", "n": str(space.n), "_shape": []}
    return {":type:": kind, ":serialized:": "gAWVnot a pickle", "_shape": list(space.shape or ())}


@pytest.fixture
def write_zip(tmp_path: Path) -> WriteZip:
    """``write_zip(observation_space, action_space, {"action_net.weight": [[...]]}, policy_kwargs={...})``."""

    def write(
        observation_space: Space[Any],
        action_space: Space[Any],
        weights: Mapping[str, Any],
        policy_kwargs: Mapping[str, Any] | None = None,
        name: str = "policy.zip",
    ) -> Path:
        packed = io.BytesIO()
        torch.save({key: torch.tensor(np.asarray(values, np.float32)) for key, values in weights.items()}, packed)
        settings = {
            "policy_class": {":type:": "<class 'abc.ABCMeta'>", ":serialized:": "gAWVnot a pickle"},
            "policy_kwargs": dict(policy_kwargs or {}),
            "observation_space": described(observation_space),
            "action_space": described(action_space),
        }
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data", json.dumps(settings))
            archive.writestr("policy.pth", packed.getvalue())
        return path

    return write
