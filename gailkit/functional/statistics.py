"""What a handful of episodes says about a policy: a score between random and expert, agreement of actions.

Pure functions of numpy arrays. B is a number of actions.
"""

from __future__ import annotations

import numpy as np

from gailkit.errors import InputError


def normalised_score(policy_mean: float, random_mean: float, expert_mean: float) -> float | None:
    """(policy - random) / (expert - random), without unit: 0 as good as random actions, 1 as good as the expert.

    It may be negative or exceed 1. None where the expert's mean return is not above the random one, or one of the
    three is not finite: there is no scale to place the policy on.
    """
    if not np.isfinite([policy_mean, random_mean, expert_mean]).all() or expert_mean <= random_mean:
        return None
    return float((policy_mean - random_mean) / (expert_mean - random_mean))


def action_agreement(actions: np.ndarray, expert_actions: np.ndarray) -> float:
    """Fraction in [0, 1] of chosen ``actions`` (B, ...) that are ``expert_actions`` (B, ...) in every component, each
    pair in the same state.

    Raises:
        InputError: if the shapes differ or there is no action.
    """
    _check_paired(actions, expert_actions)
    return float(np.mean((actions == expert_actions).reshape(len(actions), -1).all(axis=1)))


def mean_squared_error(actions: np.ndarray, expert_actions: np.ndarray) -> float:
    """Mean over B pairs and all components of (a - a_expert)^2, for actions (B, *act); unit of an action, squared.

    Raises:
        InputError: if the shapes differ or there is no action.
    """
    _check_paired(actions, expert_actions)
    return float(np.mean(np.square(np.subtract(actions, expert_actions, dtype=np.float64))))


def _check_paired(actions: np.ndarray, expert_actions: np.ndarray) -> None:
    if np.shape(actions) != np.shape(expert_actions) or np.size(actions) == 0:
        raise InputError(
            f"actions and expert actions must have the same shape, with at least one action; "
            f"found {np.shape(actions)} and {np.shape(expert_actions)}"
        )
