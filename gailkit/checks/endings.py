"""How episodes ended, which decides what is imitated about ending."""

from __future__ import annotations

from collections import Counter

import numpy as np

from gailkit.checks.chance import ended_by_goal, more_than_chance
from gailkit.checks.finding import Finding, Outcome, Unchecked
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.demonstrations.time_limits import stated_limit
from gailkit.types import Trajectory
from gailkit.wording import counted

FEWEST_AT_LIMIT = 3  # episodes of one length, before that length is taken for a time limit
TIMES_THE_NEXT = 3  # how much more frequent it must be than any other length


def steps_left_out(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether every episode has a step."""
    if not subject.gone:
        return []
    return [Finding("no_step", "warning", subject.notes["gone"], subject.gone)]


def ambiguous_endings(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether the file, or whoever reads it, says how every episode ended."""
    endings = subject.endings
    if not endings.ambiguous:
        return []
    asked, whole = len(endings.ambiguous), len(subject.trajectories)
    known = ""
    if around is not None and around.time_limit is not None:
        known = f"; {around.env_id} has a time limit of {counted(around.time_limit, 'step')}"
    otherwise = "if all ended alike, --ends terminated or --ends truncated says so"
    if "--ends" in endings.assumed:
        otherwise = "they are taken to have terminated; --ends truncated says that they did not"
    found = (
        f"the file does not say how {asked} of {counted(whole, 'episode')} ended, the longest of them after "
        f"{counted(endings.longest, 'step')}: by a time limit or by the task itself{known}; {otherwise}"
    )
    return [Finding("ambiguous_ending", "error", found, endings.ambiguous, subject.mend("convert"))]


def time_outs_as_terminations(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether episodes that a time limit truncated are stored as if they had terminated."""
    if subject.endings.ambiguous:
        return Unchecked("the file does not say how its episodes ended")
    lengths = dict(_terminated(subject))
    limit = _limit(subject, list(lengths.values()), around)
    cut = tuple(number for number, length in lengths.items() if length == limit)
    if limit is None or not cut:
        return []
    known = around is not None and around.time_limit is not None
    why = f"which is the time limit of {around.env_id}" if around is not None and known else "no episode is longer"
    found = (
        f"{len(cut)} of {counted(len(subject.trajectories), 'episode')} are stored as terminated after exactly "
        f"{counted(limit, 'step')}, {why}: a time limit stored as a termination teaches to end there"
    )
    mend = subject.mend_time_limit(limit)
    return [Finding("time_out_as_termination", "warning", found, cut, mend)]


def within_the_limit(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether no episode goes on beyond the time limit of the environment."""
    stated = stated_limit(subject.about)
    if around is None and stated is None:
        return Unchecked("--env ENV_ID would tell its time limit")
    limit, known = (None, "") if stated is None else (stated.steps, stated.said)
    if around is not None:
        limit, known = around.time_limit, f"{around.env_id} ends after {around.time_limit}"
    longer = tuple(number for number, each in subject.numbered() if limit is not None and len(each) > limit)
    if not longer:
        return []
    found = (
        f"{len(longer)} of {counted(len(subject.trajectories), 'episode')} have up to "
        f"{counted(max(map(len, subject.trajectories)), 'step')}, and {known}: they come from "
        "another version of it, or from one with another time limit"
    )
    return [Finding("longer_than_the_limit", "error", found, longer)]


def last_observations(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether each episode has the observation that follows its last action, or one that a reader made up."""
    shortened = subject.endings.shortened
    repeated = subject.endings.repeated or _standing_at_the_end(subject)
    if not shortened and not repeated:
        return []
    lost = [f"{counted(shortened, 'truncated episode')} lost the last step"] if shortened else []
    twice = [f"the last observation of {counted(len(repeated), 'terminated episode')} stands twice"] if repeated else []
    found = f"last observations are missing: {', and '.join([*lost, *twice])}"
    return [Finding("no_last_observation", "warning", found, repeated)]


def _standing_at_the_end(subject: Subject) -> tuple[int, ...]:
    """Numbers of episodes whose last observation was made up, where more of them stand than other steps would.

    A choice may end an episode and leave what is observed, so that whole numbers tell only if all episodes stand.
    """
    ended = [(number, each) for number, each in subject.numbered() if each.terminated]
    standing = tuple(number for number, each in ended if stands_twice(each))
    if not standing:
        return ()
    whole = subject.trajectories[0].observations.dtype.kind != "f"
    if whole and (len(standing) < len(ended) or any(each.seed is not None for _, each in ended)):
        return ()
    stood = [(each.observations[:-2] == each.observations[1:-1]) for each in subject.trajectories]
    still = [each if each.ndim == 1 else each.reshape(len(each), -1).all(axis=1) for each in stood]
    share = sum(int(each.sum()) for each in still) / max(1, sum(map(len, still)))
    return standing if more_than_chance(len(standing), len(ended), share) else ()


def stands_twice(trajectory: Trajectory) -> bool:
    """Whether the last observation of a terminated episode is the one before, as where it had to be made up."""
    last, before = trajectory.observations[-1], trajectory.observations[-2]
    return trajectory.terminated and bool(np.all(last == before))


def _terminated(subject: Subject) -> list[tuple[int, int]]:
    """Number and length of each episode that terminated."""
    return [(number, len(each)) for number, each in subject.numbered() if each.terminated]


def _limit(subject: Subject, terminated: list[int], around: Surroundings | None) -> int | None:
    """The length that is the time limit of the environment, or else looks like one; None where none does."""
    if around is not None and around.time_limit is not None:
        return around.time_limit
    if subject.endings.told or not terminated:
        return None
    longest = max(map(len, subject.trajectories))
    cut = [index for index, each in enumerate(subject.trajectories) if each.terminated and len(each) == longest]
    if ended_by_goal(subject.trajectories, cut):
        return None
    (at_longest, *others) = _frequencies(terminated, longest)
    looks_like_one = at_longest >= FEWEST_AT_LIMIT and at_longest >= TIMES_THE_NEXT * max(others, default=0)
    return longest if looks_like_one or at_longest == len(terminated) > 1 else None


def _frequencies(lengths: list[int], first: int) -> list[int]:
    """How many have the length ``first``, and then how many each other length."""
    counts = Counter(lengths)
    return [counts.pop(first, 0), *counts.values()]
