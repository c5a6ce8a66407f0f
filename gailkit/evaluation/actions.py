"""What a policy would have done in the expert's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.functional.statistics import action_agreement, mean_squared_error
from gailkit.generator import TrainedPolicy
from gailkit.spaces import clip_to_space
from gailkit.types import Policy, Trajectory

BATCH = 8192
MOST_BYTES = 2**28  # of expert observations that a policy is asked about


@dataclass(frozen=True)
class ActionMatch:
    """A policy's actions beside the expert's, in the expert's states."""

    action_episodes: int  # expert episodes compared
    action_held_out: bool | None  # whether the policy was trained without them; None where that is not known
    action_agreement: float | None  # Discrete: share of states in which the policy takes the expert's action
    action_mse: float | None  # Box: mean squared error of the action, in its unit squared, after clipping to the Box
    action_log_likelihood: float | None  # mean ln pi(a|s) a step, in nats; None for a policy without probabilities

    def sentence(self) -> str:
        """The match in words."""
        seen = {True: " it has not seen", False: " it was trained on", None: ""}[self.action_held_out]
        where = f"On {self.action_episodes} expert episodes{seen}"
        if self.action_agreement is not None:
            return f"{where} it takes the expert's action in {self.action_agreement:.1%} of the states."
        return f"{where} its action differs from the expert's by a mean square of {self.action_mse:.4g}."


def match_actions(policy: Policy, demonstrations: Demonstrations, action_space: Space[Any]) -> ActionMatch:
    """Compare ``policy`` with all expert episodes it was not trained on, or with all where it has seen every one."""
    unseen = _unseen(policy, demonstrations)
    episodes = _some(demonstrations, unseen or range(len(demonstrations.trajectories)))
    observations = np.concatenate([trajectory.observations[:-1] for trajectory in episodes])
    expert = clip_to_space(action_space, np.concatenate([trajectory.actions for trajectory in episodes]))
    chosen = clip_to_space(action_space, _in_batches(policy, observations))
    discrete = isinstance(action_space, Discrete)
    return ActionMatch(
        action_episodes=len(episodes),
        action_held_out=bool(unseen) if isinstance(policy, TrainedPolicy) else None,
        action_agreement=action_agreement(chosen, expert) if discrete else None,
        action_mse=None if discrete else mean_squared_error(chosen, expert),
        action_log_likelihood=_log_likelihood(policy, observations, expert),
    )


def _unseen(policy: Policy, demonstrations: Demonstrations) -> list[int]:
    seen = policy.trained_on if isinstance(policy, TrainedPolicy) else frozenset()
    return [index for index, digest in enumerate(demonstrations.digests()) if digest not in seen]


def _some(demonstrations: Demonstrations, indices: Sequence[int]) -> list[Trajectory]:
    """The first episodes at ``indices``, as many as MOST_BYTES hold: a data set may be larger than memory."""
    chosen: list[Trajectory] = []
    taken = 0
    for index in indices:
        chosen.append(demonstrations.trajectories[index])
        taken += chosen[-1].observations.nbytes
        if taken > MOST_BYTES:
            break
    return chosen


def _in_batches(policy: Policy, observations: np.ndarray) -> np.ndarray:
    starts = range(0, len(observations), BATCH)
    return np.concatenate([policy(observations[start : start + BATCH]) for start in starts])


def _log_likelihood(policy: Policy, observations: np.ndarray, actions: np.ndarray) -> float | None:
    if not isinstance(policy, TrainedPolicy):
        return None
    return float(policy.log_likelihood(observations, actions).mean())
