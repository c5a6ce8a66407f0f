"""How long episodes last and how they end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gailkit.functional.resampling import Estimate, mean_of
from gailkit.functional.two_sample import permutation_p

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


def compare_endings(policy: Ends, expert: Ends, random: Ends, seed: int = 0) -> Endings:
    """Lengths and terminations of the three sides."""
    generator = np.random.default_rng(seed)
    lengths = [side.lengths.astype(np.float64) for side in (policy, expert, random)]
    terminated = [side.terminated.astype(np.float64) for side in (policy, expert, random)]
    length, expert_length, random_length = (mean_of(values, generator) for values in lengths)
    ended, expert_ended, random_ended = (mean_of(values, generator) for values in terminated)
    length_p, terminated_p = (_p(values[0], values[1], generator) for values in (lengths, terminated))
    return Endings(length, expert_length, random_length, length_p, ended, expert_ended, random_ended, terminated_p)


def _p(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> float:
    """p of the difference between the means, either way."""
    together = np.repeat(np.concatenate([x, y])[None], PERMUTATIONS, axis=0)
    drawn = np.concatenate([np.concatenate([x, y])[None], random.permuted(together, axis=1)])
    return permutation_p(np.abs(drawn[:, : len(x)].mean(axis=1) - drawn[:, len(x) :].mean(axis=1)))
