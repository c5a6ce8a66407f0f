"""Rewards and returns: nothing trains on them, and every report on how good an expert is rests on them."""

from __future__ import annotations

import numpy as np

from gailkit.checks.finding import Finding, Outcome, Unchecked, count, ranges
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings

FEWEST_EPISODES = 5  # below that nobody can say what is usual
FAR = 3.0  # distances between the quartiles
SMALLEST_SPREAD = 0.02  # of the median: where most returns are equal, six hundredths below them are far


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
    """Whether some episodes have returns (lengths, where there are no rewards) like those of a failure."""
    if len(subject.trajectories) < FEWEST_EPISODES:
        return Unchecked(f"what is usual can be told from {FEWEST_EPISODES} episodes or more")
    returns = [each.episode_return for each in subject.trajectories if each.rewards is not None]
    measured = len(returns) == len(subject.trajectories)
    measure = "return" if measured else "length"
    values = np.array(returns if measured else [len(each) for each in subject.trajectories], dtype=np.float64)
    far = far_below(values)
    if measured:
        far |= ended_unlike_better(values, np.array([each.terminated for each in subject.trajectories]))
    if not far.any():
        return []
    found = (
        f"{int(far.sum())} of {count(len(values), 'episode')} look like failures: their {measure}s are "
        f"{values[far].min():.6g} to {values[far].max():.6g}, where the median is {np.median(values):.6g}; "
        "what is imitated of a failure is learned too"
    )
    mend = subject.mend("select", *_kept(subject, values, far, f"--min-{measure}"))
    return [Finding("failed_episodes", "warning", found, _numbers(subject, far), mend)]


def far_below(values: np.ndarray) -> np.ndarray:
    """Which values (N,) lie further below the first quartile than FAR times the distance between the quartiles.

    That distance is taken to be at least SMALLEST_SPREAD of the median.
    """
    first, median, third = np.quantile(values, [0.25, 0.5, 0.75])
    below: np.ndarray = values < first - FAR * max(third - first, SMALLEST_SPREAD * abs(median))
    return below


def ended_unlike_better(returns: np.ndarray, terminated: np.ndarray) -> np.ndarray:
    """Which episodes (N,) ended in the way that fewer than half of all did, with less than most of the others got.

    Where experts are cut off by a time limit, those are the ones that fell; where they reach a goal, those that do not.
    """
    usual = terminated if terminated.mean() > 0.5 else ~terminated
    worse: np.ndarray = ~usual & (returns < np.median(returns[usual]))
    return worse


def _numbers(subject: Subject, chosen: np.ndarray) -> tuple[int, ...]:
    return tuple(subject.numbers[index] for index in np.flatnonzero(chosen))


def _kept(subject: Subject, values: np.ndarray, far: np.ndarray, option: str) -> tuple[str, str]:
    """The option of ``select`` that leaves out those that are ``far``: a bound where one parts them from the others."""
    highest, lowest = values[far].max(), values[~far].min()
    between = float(f"{(highest + lowest) / 2:.6g}") if option == "--min-return" else float(int(lowest))
    if highest < between <= lowest:
        return option, f"{between:.6g}"
    return "--episodes", ranges(_numbers(subject, ~far))
