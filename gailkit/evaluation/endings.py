"""How long episodes last and how they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gailkit.demonstrations.episodes import as_episodes
from gailkit.functional.resampling import Estimate, mean_of
from gailkit.functional.two_sample import permutation_p
from gailkit.types import Trajectory

PERMUTATIONS = 2000


@dataclass(frozen=True)
class Endings:
    """Means over episodes with 95 % bootstrap intervals; p of permuted episodes, small where the two sides differ."""

    length: Estimate  # steps
    expert_length: Estimate
    random_length: Estimate
    length_p: float
    terminated: Estimate  # share of the episodes that the task itself ended; the others were truncated
    expert_terminated: Estimate
    random_terminated: Estimate
    terminated_p: float


@dataclass(frozen=True)
class Ends:
    """What is known of the episodes of one side."""

    lengths: np.ndarray  # (E,)
    terminated: np.ndarray  # (E,) bool


def ends_of(episodes: Sequence[Trajectory]) -> Ends:
    """Of these episodes."""
    known = as_episodes(episodes)
    return Ends(known.lengths, known.terminated)


def compare_endings(policy: Ends, expert: Ends, random: Ends, seed: int = 0) -> Endings:
    """Lengths and terminations of the three sides. The order of the episodes does not matter."""
    generator = np.random.default_rng(seed)
    lengths = [side.lengths.astype(np.float64) for side in (policy, expert, random)]
    terminated = [side.terminated.astype(np.float64) for side in (policy, expert, random)]
    length, expert_length, random_length = (mean_of(values, generator) for values in lengths)
    ended, expert_ended, random_ended = (mean_of(values, generator) for values in terminated)
    length_p, terminated_p = (_p(values[0], values[1], generator) for values in (lengths, terminated))
    return Endings(length, expert_length, random_length, length_p, ended, expert_ended, random_ended, terminated_p)


def success_fraction(episodes: Sequence[Trajectory]) -> float | None:
    """The share of successes among the episodes of which the environment said whether they were one; None of none."""
    told = [each.success for each in episodes if each.success is not None]
    return sum(told) / len(told) if told else None


def _p(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> float:
    """p of the difference between the means, either way."""
    sides = np.concatenate([np.sort(x), np.sort(y)])[None]
    drawn = np.concatenate([sides, random.permuted(np.repeat(sides, PERMUTATIONS, axis=0), axis=1)])
    return permutation_p(np.abs(drawn[:, : len(x)].mean(axis=1) - drawn[:, len(x) :].mean(axis=1)))
