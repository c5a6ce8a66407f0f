"""Whether observations are those of the environment: their shape, their bounds, and the units they are in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box

from gailkit.checks.finding import Finding, Outcome, Unchecked
from gailkit.checks.sizes import origin_of_size
from gailkit.checks.subject import Subject
from gailkit.checks.surroundings import Surroundings
from gailkit.spaces import is_composite, misfit
from gailkit.wording import counted

SLACK = 0.5  # of the range that starts have, by which those of the file may leave it
FEW = 1e-3  # of the typical size of a feature: smaller differences are nothing
NEARLY = 0.15  # of a factor: as near as the factor of a change of units is met
FACTORS = {
    180 / np.pi: "degrees where the environment has radians",
    np.pi / 180: "radians where the environment has degrees",
    1 / 255: "numbers from 0 to 1 where the environment has bytes",
    255.0: "bytes where the environment has numbers from 0 to 1",
    1000.0: "thousandths of its units",
    0.001: "thousands of its units",
    100.0: "hundredths of its units",
    0.01: "hundreds of its units",
    10.0: "tenths of its units",
    0.1: "tens of its units",
}


def observation_shape(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether observations are of the kind and shape that the environment, or else the file, states."""
    space = _space(subject, around)
    if space is None:
        return Unchecked("the file does not state an observation space; --env ENV_ID would")
    problems = {number: _misfit(space, each.observations) for number, each in subject.numbered()}
    wrong = {number: problem for number, problem in problems.items() if problem is not None}
    if not wrong:
        return []
    number, problem = next(iter(wrong.items()))
    shape = subject.trajectories[subject.numbers.index(number)].observations.shape[1:]
    origin = origin_of_size(around.env_id, shape[0]) if around is not None and len(shape) == 1 else None
    cause = f"; {origin}" if origin is not None else ""
    found = f"the observations of {counted(len(wrong), 'episode')} do not fit; in episode {number} {problem}{cause}"
    return [Finding("observation_shape", "error", found, tuple(wrong))]


def observations_in_bounds(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether observations lie within the bounds of the space."""
    space = _space(subject, around)
    if space is None or not _fits(subject, space):
        return Unchecked("no observation space is known that the observations fit")
    problems = {number: misfit(space, each.observations) for number, each in subject.numbered()}
    wrong = {number: problem for number, problem in problems.items() if problem is not None}
    if not wrong:
        return []
    number, problem = next(iter(wrong.items()))
    found = f"observations of {counted(len(wrong), 'episode')} lie outside the space; in episode {number} {problem}"
    return [Finding("observations_out_of_bounds", "warning", found, tuple(wrong))]


def observation_scale(subject: Subject, around: Surroundings | None) -> Outcome:
    """Whether episodes begin where those of the environment do; where not, which change of units would explain it."""
    if around is None or around.starts is None:
        return Unchecked("--env ENV_ID would tell where episodes begin")
    space = around.observation_space
    if not isinstance(space, Box) or len(space.shape) != 1 or not _fits(subject, space):
        return Unchecked(f"the observations are no vectors like those of {around.env_id}")
    firsts = np.stack([each.observations[0] for each in subject.trajectories]).astype(np.float64)
    everything = np.concatenate([each.observations for each in subject.trajectories]).astype(np.float64)
    starts = around.starts.astype(np.float64)
    away = outside_starts(firsts, starts)
    concerned = tuple(subject.numbers[index] for index in np.flatnonzero(away.any(axis=1)))
    if len(concerned) <= len(firsts) / 2:
        return []
    feature = int(away.mean(axis=0).argmax())
    found = (
        f"{len(concerned)} of {counted(len(firsts), 'episode')} begin where {around.env_id} does not: "
        f"feature {feature} from {firsts[:, feature].min():.4g} to {firsts[:, feature].max():.4g} instead of "
        f"{starts[:, feature].min():.4g} to {starts[:, feature].max():.4g}; {explain(firsts, starts, everything)}"
    )
    return [Finding("observation_scale", "warning", found, concerned)]


def outside_starts(firsts: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Which features of first observations (N, F) leave the range of those after a reset (S, F), (N, F) bool."""
    low, high = starts.min(axis=0), starts.max(axis=0)
    slack = SLACK * (high - low) + FEW * np.abs(starts).max(axis=0) + 1e-9
    return np.asarray((firsts < low - slack) | (firsts > high + slack))


class Fit(NamedTuple):
    """How well firsts divided by ``factor`` would fit."""

    factor: float
    features: tuple[int, ...]


def explain(firsts: np.ndarray, starts: np.ndarray, everything: np.ndarray) -> str:
    """The likely cause of first observations (N, F) that lie elsewhere than starts (S, F)."""
    varying = everything.std(axis=0) > 1e-8
    means, deviations = everything[:, varying].mean(axis=0), everything[:, varying].std(axis=0)
    if varying.any() and np.median(np.abs(means)) < 0.2 and (np.abs(np.log(deviations)) < 0.3).mean() > 0.7:
        return "their means are about 0 and their standard deviations about 1, as if they had been standardised"
    fit = common_factor(firsts, starts)
    if fit is None:
        return "either they are in other units, or the episodes do not begin with a reset"
    known = [words for factor, words in FACTORS.items() if abs(fit.factor / factor - 1) < NEARLY]
    which = "they are" if len(fit.features) == firsts.shape[1] else f"feature {', '.join(map(str, fit.features))} is"
    return f"{which} about {fit.factor:.3g} times as large" + (f", perhaps {known[0]}" if known else "")


def common_factor(firsts: np.ndarray, starts: np.ndarray) -> Fit | None:
    """A factor by which all features that lie elsewhere are larger; None where one alone does not explain it."""
    odd = np.flatnonzero(outside_starts(firsts, starts).mean(axis=0) > 0.25)
    sizes = np.sqrt((starts[:, odd] ** 2).mean(axis=0))
    if not len(odd) or not (sizes > 1e-12).all():
        return None
    ratios = np.sqrt((firsts[:, odd] ** 2).mean(axis=0)) / sizes
    factor = float(np.exp(np.log(np.maximum(ratios, 1e-12)).mean()))
    known = [each for each in FACTORS if abs(factor / each - 1) < 2 * NEARLY]
    factor = known[0] if known else factor
    scaled = firsts.copy()
    scaled[:, odd] /= factor
    still = outside_starts(scaled, starts)[:, odd].any(axis=1).mean()
    return Fit(factor, tuple(odd.tolist())) if still <= 0.1 else None


def _space(subject: Subject, around: Surroundings | None) -> Space[object] | None:
    return subject.about.observation_space if around is None else around.observation_space


def _misfit(space: Space[object], observations: np.ndarray) -> str | None:
    """What is wrong with observations apart from the bounds of a Box."""
    if isinstance(space, Box) and space.dtype.kind == "f":
        space = Box(-np.inf, np.inf, space.shape, np.float64)
    elif is_composite(space) or isinstance(space, Box):
        return misfit(space, observations[:0])
    return misfit(space, observations)


def _fits(subject: Subject, space: Space[object]) -> bool:
    return all(_misfit(space, each.observations) is None for each in subject.trajectories)
