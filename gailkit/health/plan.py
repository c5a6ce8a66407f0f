"""What is known of a run besides its metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.functional.absorbing import penalised_optimal_logit
from gailkit.spaces import Flat


@dataclass(frozen=True)
class Plan:
    """What a run was to be, as far as it is known; None where it is not."""

    steps: int | None = None
    action_components: int | None = None  # of a Box; 0 for Discrete
    logit_bound: float | None = None  # that of the best D where only one side goes
    time_limit: int | None = None  # steps after which an environment ends an episode
    num_envs: int = 1


def action_components(space: Space[Any]) -> int | None:
    """How many numbers an action of a Box has, 0 for one that is chosen, None for one of both kinds of parts."""
    if isinstance(space, Discrete):
        return 0
    if isinstance(space, Flat):
        numbers = len(space.numbers)
        return numbers if numbers in (0, *space.shape) else None
    return int(np.prod(space.shape)) if isinstance(space, Box) else None


def logit_bound(loss: str, logit_penalty: float) -> float | None:
    """z*(1) of the adversarial loss; other losses hold their logits by nothing that is known."""
    return penalised_optimal_logit(1.0, logit_penalty) if loss == "adversarial" else None
