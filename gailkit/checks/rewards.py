"""Rewards and returns: nothing trains on them, and every report on how good an expert is rests on them."""

from __future__ import annotations

import numpy as np
from scipy.special import pdtrc

from gailkit.checks.finding import Finding, Outcome, Unchecked, ranges
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.wording import counted

FEWEST_EPISODES = 5  # below that nobody can say what is usual
FAR = 3.0  # distances between the quartiles
SMALLEST_SPREAD = 0.1  # of the median: where most returns are equal, three tenths below them are far
TOO_EARLY = 0.06  # chance that one who may fall at any step falls so early
KEEP = "if the expert did so itself, keep them: imitation needs to see where it fails"
LEAVE_OUT = "what is imitated of a failure is learned too"
USUAL = 0.5  # of the rewards of random actions: an expert may avoid all others


def rewards_present(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether rewards were recorded, and tell one step from another where those of the environment do."""
    known = [each.rewards for each in subject.trajectories if each.rewards is not None]
    if len(known) < len(subject.trajectories):
        missing = tuple(number for number, each in subject.numbered() if each.rewards is None)
        found = (
            f"{counted(len(missing), 'episode')} without rewards: how good the expert is cannot be told from the file"
        )
        return [Finding("no_rewards", "note", found, missing)]
    values = np.concatenate(known) if known else np.zeros(0)
    if not values.size or values.min() != values.max():
        return []
    if around is None or around.rewards is None:
        return Unchecked(f"every one of {counted(values.size, 'reward')} is {values[0]:g}; --env ENV_ID would tell")
    if (around.rewards == values[0]).mean() > USUAL:
        return []
    low, high = around.rewards.min(), around.rewards.max()
    those = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    found = f"every one of {counted(values.size, 'reward')} is {values[0]:g}, where {around.env_id} gives {those}"
    return [Finding("constant_rewards", "warning", found)]


def failed_episodes(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether some episodes have returns (lengths, where there are no rewards) that are not the expert's.

    Where an expert falls of itself now and then, that is what it does: imitation has to see how such an episode ends.
    So those that terminated are told only if they are worse step by step or ended earlier than chance explains, and
    the command leaves out none of them.
    """
    if len(subject.trajectories) < FEWEST_EPISODES:
        return Unchecked(f"what is usual can be told from {FEWEST_EPISODES} episodes or more")
    rewards = [each.rewards for each in subject.trajectories if each.rewards is not None]
    measured = len(rewards) == len(subject.trajectories)
    lengths = np.array([len(each) for each in subject.trajectories], dtype=np.float64)
    terminated = np.array([each.terminated for each in subject.trajectories])
    values, worse, unit = lengths, np.zeros(len(lengths), dtype=np.bool_), 0.0
    if measured:
        values = np.array([each.episode_return for each in subject.trajectories], dtype=np.float64)
        worse = far_below(np.array([np.median(each) for each in rewards]))
        unit = max(float(np.abs(each).max()) for each in rewards)
    far = far_below(values, unit)
    measure = "return" if measured else "length"
    fallen = far & terminated & (worse | too_early(lengths, terminated))
    broken = far & ~terminated & (worse | (lengths < np.median(lengths)))
    findings = []
    for chosen, advice in ((fallen, KEEP), (far & ~terminated & ~broken, KEEP), (broken, LEAVE_OUT)):
        if chosen.any():
            said = (
                f"{int(chosen.sum())} of {counted(len(values), 'episode')} look like failures: their {measure}s are "
                f"{values[chosen].min():.6g} to {values[chosen].max():.6g}, where the median is "
                f"{np.median(values):.6g}; {advice}"
            )
            mend = subject.mend("select", *_kept(subject, values, chosen, f"--min-{measure}"))
            findings.append(
                Finding(
                    "failed_episodes",
                    "warning",
                    said,
                    _numbers(subject, chosen),
                    mend if advice == LEAVE_OUT else None,
                )
            )
    return findings


def far_below(values: np.ndarray, unit: float = 0.0) -> np.ndarray:
    """Which values (N,) lie further below the first quartile than FAR times the distance between the quartiles.

    That distance is taken to be at least SMALLEST_SPREAD of the median, and one ``unit`` of which the values are made.
    """
    first, median, third = np.quantile(values, [0.25, 0.5, 0.75])
    below: np.ndarray = values < first - FAR * max(third - first, SMALLEST_SPREAD * abs(median), unit)
    return below


def too_early(lengths: np.ndarray, terminated: np.ndarray) -> np.ndarray:
    """Which episodes (N,) terminated, where most are truncated, earlier than an even risk at every step explains."""
    early = np.zeros(len(lengths), dtype=np.bool_)
    if terminated.mean() < 0.5:
        risk = terminated.sum() / lengths.sum()
        for index in np.flatnonzero(terminated):
            no_later = int((lengths[terminated] <= lengths[index]).sum())
            early[index] = pdtrc(no_later - 1, risk * np.minimum(lengths, lengths[index]).sum()) < TOO_EARLY
    return early


def _numbers(subject: Subject, chosen: np.ndarray) -> tuple[int, ...]:
    return tuple(subject.numbers[index] for index in np.flatnonzero(chosen))


def _kept(subject: Subject, values: np.ndarray, far: np.ndarray, option: str) -> tuple[str, str]:
    """The option of ``select`` that leaves out those that are ``far``: a bound where one parts them from the others."""
    highest, lowest = values[far].max(), values[~far].min()
    between = float(f"{(highest + lowest) / 2:.6g}") if option == "--min-return" else float(int(lowest))
    if highest < between <= lowest:
        return option, f"{between:.6g}"
    return "--episodes", ranges(_numbers(subject, ~far))
