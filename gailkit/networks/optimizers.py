"""Optimisers that go on from a state that may be anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def load_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Let ``optimizer`` go on from what its ``state_dict`` returned.

    Raises:
        ValueError: if the state is none of its kind; of Adam, ours, also if it is that of other parameters.
    """
    optimizer.load_state_dict(dict(state))
    if isinstance(optimizer, torch.optim.Adam):
        for parameter, kept in optimizer.state.items():
            _require_of(parameter, kept)


def _require_of(parameter: Tensor, kept: Mapping[str, Any]) -> None:
    """Raise ValueError unless Adam's two moments are of the shape of ``parameter``, and its step is one number."""
    shapes = {"step": torch.Size(), "exp_avg": parameter.shape, "exp_avg_sq": parameter.shape}
    for name, shape in shapes.items():
        value = kept[name]
        if not isinstance(value, Tensor) or value.shape != shape or not value.is_floating_point():
            found = f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else repr(value)
            raise ValueError(f"the optimiser's {name} of a parameter {list(parameter.shape)} is {found}")
