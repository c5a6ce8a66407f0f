"""Rewards and returns: nothing trains on them, and every report on how good an expert is rests on them."""

from __future__ import annotations

import numpy as np

from gailkit.checks.finding import Finding, Outcome, Unchecked, count
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings

FEWEST_EPISODES = 5  # below that nobody can say what is usual
FAR = 5.0  # robust standard deviations
SMALLEST_SPREAD = 0.02  # of the median: where most returns are equal, a tenth below them is far


def rewards_present(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether rewards were recorded, and tell one step from another where those of the environment do."""
    known = [each.rewards for each in subject.trajectories if each.rewards is not None]
    if len(known) < len(subject.trajectories):
        missing = tuple(number for number, each in subject.numbered() if each.rewards is None)
        found = f"{count(len(missing), 'episode')} without rewards: how good the expert is cannot be told from the file"
        return [Finding("no_rewards", "note", found, missing)]
    values = np.concatenate(known) if known else np.zeros(0)
    if not values.size or values.min() != values.max():
        return []
    if around is None or around.rewards is None:
        found = (
            f"every one of {count(values.size, 'reward')} is {values[0]:g}; --env ENV_ID tells whether that is right"
        )
        return [Finding("constant_rewards", "note", found)]
    if (around.rewards == values[0]).all():
        return []
    low, high = around.rewards.min(), around.rewards.max()
    those = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    found = f"every one of {count(values.size, 'reward')} is {values[0]:g}, where {around.env_id} gives {those}"
    return [Finding("constant_rewards", "warning", found)]


def failed_episodes(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether the returns of some episodes (their lengths, where there are no rewards) are far below the others'."""
    if len(subject.trajectories) < FEWEST_EPISODES:
        return Unchecked(f"what is usual can be told from {FEWEST_EPISODES} episodes or more")
    returns = [each.episode_return for each in subject.trajectories]
    known = [value for value in returns if value is not None]
    measure, option = ("return", "--min-return") if len(known) == len(returns) else ("length", "--min-length")
    values = np.array(known if measure == "return" else [len(each) for each in subject.trajectories], dtype=np.float64)
    far = far_below(values)
    if not far.any():
        return []
    failed = tuple(number for (number, _), is_far in zip(subject.numbered(), far, strict=True) if is_far)
    highest, lowest = values[far].max(), values[~far].min()
    found = (
        f"{len(failed)} of {count(len(values), 'episode')} fail: their {measure}s are {values[far].min():.6g} to "
        f"{highest:.6g}, where the median is {np.median(values):.6g}; a failure that is imitated is learned"
    )
    between = f"{(highest + lowest) / 2:.6g}" if measure == "return" else str(int(lowest))
    return [Finding("failed_episodes", "warning", found, failed, subject.mend("select", option, between))]


def far_below(values: np.ndarray) -> np.ndarray:
    """Which values (N,) lie more than FAR robust standard deviations below their median, (N,) bool.

    A robust standard deviation is 1.4826 times the median distance to the median, which for a normal distribution is
    the ordinary one; it is at least SMALLEST_SPREAD of the median.
    """
    median = np.median(values)
    spread = max(1.4826 * float(np.median(np.abs(values - median))), SMALLEST_SPREAD * float(abs(median)))
    below: np.ndarray = values < median - FAR * spread
    return below
