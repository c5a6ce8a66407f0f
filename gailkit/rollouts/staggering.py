"""Where the first episodes of environments end that begin together, and which of them count.

Episodes that all begin together and all last as long would put every environment at the same stage in every rollout,
and the discriminator would tell expert from policy by the stage. The first episode of environment i is therefore
truncated after i/N of the time limit, and does not count as finished.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

NEVER = -1

Values = TypeVar("Values", bound=Any)  # an array or a tensor, the others in a call likewise


def stages(num_envs: int, time_limit: int | None) -> np.ndarray:
    """The length (N,) int64 at which each environment's first episode is truncated; NEVER where it is not."""
    found = np.arange(num_envs) * (time_limit or 0) // num_envs
    return np.where(found > 0, found, NEVER)


def ends(lengths: Values, cut_at: Values, terminated: Values, truncated: Values) -> tuple[Values, Values]:
    """Which of N episodes are to be truncated after a step, and which came to their ends and count; each (N,) bool.

    Args:
        lengths: (N,), of the episodes with this step.
        cut_at: (N,), the lengths at which they are truncated, NEVER of all but first ones.
        terminated, truncated: (N,) bool, what the environments say.
    """
    cut = (lengths == cut_at) & ~terminated
    return cut, (terminated | truncated) & ~cut
