"""The policy averaged over the last iterations, which is steadier than any one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

MEMORY = 0.9
"""Weight of the past: about the last ten iterations count."""
LEAST_STEPS = 2048
"""In an environment, that about count where iterations are shorter than a tenth of it."""


def memory_of(steps: int) -> float:
    """The weight of the past where an iteration takes so many ``steps``."""
    return max(MEMORY, 1.0 - steps / LEAST_STEPS)


class AveragedParameters:
    """An exponential moving average of all floating numbers in a module, buffers too. Polyak & Juditsky 1992.

    The first ones count alike: after n updates the past has the weight (n - 1) / n, until that reaches ``memory``.
    """

    def __init__(self, module: nn.Module, memory: float = MEMORY) -> None:
        self.module, self.memory, self.updates = module, memory, 0
        self.mean = {name: tensor.clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the module as it is now."""
        self.updates += 1
        past = min(self.memory, (self.updates - 1) / self.updates)
        for name, tensor in self.module.state_dict().items():
            if tensor.is_floating_point():
                self.mean[name].lerp_(tensor, 1.0 - past)
            else:
                self.mean[name].copy_(tensor)

    def state_dict(self) -> dict[str, Any]:
        """The averages, and of how many states."""
        return {"mean": self.mean, "updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.updates = state["updates"]
        for name, tensor in self.mean.items():
            tensor.copy_(state["mean"][name])
