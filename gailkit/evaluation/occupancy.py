"""How far the policy's occupancy, where it is and what it does there, lies from the expert's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.stats import wasserstein_distance as distance_on_a_line

from gailkit.evaluation.sides import Sides, parts, some, times_drawn, with_replacement
from gailkit.evaluation.steps_as_points import Feature, Points, cloud
from gailkit.functional.resampling import Estimate, interval
from gailkit.functional.transport import random_directions, sliced_wasserstein, wasserstein

MOST_DIMENSIONS = 64  # above it distances are sliced
DIRECTIONS = 128
POINTS, SPLITS = 256, 16  # of an estimate: steps on either side, and random halves of the expert that it is a mean of
RESAMPLES, RESAMPLED_POINTS, SPLITS_EACH = 100, 128, 8  # of the bootstrap; halves steady it more than steps do
FEATURE_SPLITS = 4  # of the distance of each feature by itself
RANDOM_SPLITS = 4  # of SPLITS_EACH, in which random actions are compared too
ERRORS_TO_SHOW = 1.96 + 0.84  # standard errors from 0 that an interval of 95 % excludes 0 for in 80 % of the cases

Distance = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class FeatureDistance:
    """How far one feature by itself lies from the expert's, in the expert's deviations."""

    name: str
    distance: float
    floor: float | None  # of one half of the expert's episodes from the other


@dataclass(frozen=True)
class Occupancy:
    """1-Wasserstein distances between steps (s, a), in the expert's deviations; None where something is not known.

    Steps are (s, s' - s) where the expert's actions are not known.
    All are between equally many episodes. The policy, random actions and the floor are compared with the same ones of
    the expert. With few episodes even the expert lies away from itself: by the floor.
    """

    method: str  # exact, or sliced where a step has more than 64 numbers
    episodes: int  # on either side of a distance
    distance: float  # W(policy, expert)
    floor: float | None  # W(expert, expert), between disjoint sets of the expert's episodes
    random_distance: float  # W(random actions, expert)
    excess: Estimate | None  # W(policy, expert) - floor, interval by bootstrap over episodes
    scale: Estimate | None  # W(random, expert) - floor, which closeness is measured on
    demonstrations_for_scale: int | None  # in all, with which it would surely be above 0; None where it is, or unknown
    closeness: Estimate | None  # 1 - excess / scale; None where the scale is not surely above 0
    detectable: float | None  # the smallest excess that so many episodes tell from 0 in 80 % of the cases
    state_distance: float  # the same for observations alone
    state_closeness: float | None
    sliced_distance: float  # of all steps of all episodes, by slices
    features: tuple[FeatureDistance, ...]
    by_changes: bool = False  # whether what an action changed stood for it


class _Distances(NamedTuple):
    """W(policy, expert), W(expert, expert), W(random, expert), means over some splits of the expert's episodes."""

    policy: float
    floor: float
    random: float


class _Measured(NamedTuple):
    """What ``Occupancy`` says under these names."""

    excess: Estimate | None = None
    scale: Estimate | None = None
    demonstrations_for_scale: int | None = None
    closeness: Estimate | None = None
    detectable: float | None = None


def compare_occupancy(
    policy: Points,
    expert: Points,
    random: Points,
    features: Sequence[Feature],
    seed: int = 0,
    further: Points = (),
) -> Occupancy:
    """Distances between episodes of the policy, the expert and random actions, on the expert's scale.

    ``further`` episodes of the expert, which the policy may have learned from, are compared with ``expert`` for the
    floor and with nothing else: all distances can then be between more episodes than half of ``expert``. The order of
    the episodes decides what is drawn: give them in one that says nothing.
    """
    sides, generator = Sides(policy, expert, random, further), np.random.default_rng(seed)
    dimensions = expert[0].shape[1]
    distance = distance_in(dimensions, generator)
    changes = any(feature.is_change for feature in features)
    others = (feature for feature in features if not (feature.is_action or feature.is_change))
    observed = [column for feature in others for column in feature.columns]
    of_states, state_distance = sides.columns(observed), distance_in(len(observed), generator)
    directions = random_directions(DIRECTIONS, dimensions, generator)
    enough = sides.demonstrations > 1
    found = _distances(sides, distance, POINTS, SPLITS, generator)
    states = _distances(of_states, state_distance, POINTS, SPLITS, generator)
    replicates = np.array([_resampled(sides, distance, generator) for _ in range(RESAMPLES)]) if enough else None
    measured = _measured(found, replicates, sides.demonstrations)
    on_scale = measured.closeness is not None and states.random > states.floor
    return Occupancy(
        method="exact" if dimensions <= MOST_DIMENSIONS else "sliced",
        episodes=sides.episodes,
        distance=found.policy,
        floor=found.floor if enough else None,
        random_distance=found.random,
        excess=measured.excess,
        scale=measured.scale,
        demonstrations_for_scale=measured.demonstrations_for_scale,
        closeness=measured.closeness,
        detectable=measured.detectable,
        state_distance=states.policy,
        state_closeness=1 - (states.policy - states.floor) / (states.random - states.floor) if on_scale else None,
        sliced_distance=sliced_wasserstein(np.concatenate(policy), np.concatenate(expert), directions),
        features=tuple(_feature_distance(feature, sides, generator) for feature in features),
        by_changes=changes,
    )


def at_a_glance(policy: Points, expert: Points, random: Points, seed: int = 0) -> tuple[float, float | None]:
    """W(policy, expert) and closeness as ``compare_occupancy`` finds them, but no intervals: in a fraction of a second.

    Closeness is None where there is one episode of the expert, or random actions lie no further away than the floor.
    """
    generator = np.random.default_rng(seed)
    distance = distance_in(expert[0].shape[1], generator)
    found = _distances(Sides(policy, expert, random, ()), distance, POINTS, SPLITS, generator)
    scale = found.random - found.floor
    known = len(expert) > 1 and scale > 0
    return found.policy, 1 - (found.policy - found.floor) / scale if known else None


def _measured(found: _Distances, replicates: np.ndarray | None, demonstrations: int) -> _Measured:
    """What the bootstrap's ``replicates`` (R, 3) say of the distances that were ``found``."""
    if replicates is None:
        return _Measured()
    policy, floor, random = replicates.T
    excess = _around(found.policy - found.floor, policy - floor)
    scale = _around(found.random - found.floor, random - floor)
    errors = float(np.std(policy - floor, ddof=1)), float(np.std(random - floor, ddof=1))
    on_scale = scale.low > 0
    return _Measured(
        excess=excess,
        scale=scale,
        demonstrations_for_scale=None if on_scale else _needed(scale.value, errors[1], demonstrations),
        closeness=_closeness(excess.value, scale.value, policy - floor, random - floor) if on_scale else None,
        detectable=ERRORS_TO_SHOW * errors[0],
    )


def _closeness(excess: float, scale: float, excesses: np.ndarray, scales: np.ndarray) -> Estimate:
    """1 - excess / scale, with the spread that replicates (R,) of both give it.

    Replicates have copies of episodes and so lie a little off, all by about as much: only their spread counts. Excess
    and scale are differences of distances, so theirs are shifted to the values first. The ratio of what is shifted is
    then taken, and may not itself be shifted: what makes it lie off is not an amount that is added to it.
    """
    drawn = scale + scales - scales.mean()
    on_scale = drawn > 0
    return interval(1 - excess / scale, 1 - (excess + excesses - excesses.mean())[on_scale] / drawn[on_scale])


def _needed(scale: float, error: float, demonstrations: int) -> int | None:
    """How many demonstrations would tell such a scale from 0: errors shrink with the root of their number.

    None where the scale is within one error of 0, so that it may well be none.
    """
    if scale <= error:
        return None
    return math.ceil(demonstrations * (ERRORS_TO_SHOW * error / scale) ** 2)


def distance_in(dimensions: int, random: np.random.Generator) -> Distance:
    """W1 between clouds of points with so many numbers each: exact, or sliced where there are too many for that."""
    if dimensions <= MOST_DIMENSIONS:
        return wasserstein
    return partial(sliced_wasserstein, directions=random_directions(DIRECTIONS, dimensions, random))


def _distances(sides: Sides, distance: Distance, points: int, splits: int, random: np.random.Generator) -> _Distances:
    """Means over random splits of the expert, with as many episodes of the others as a part has."""
    found = np.array([_once(sides, distance, points, random) for _ in range(splits)])
    return _Distances(*found.mean(axis=0).tolist())


def _once(sides: Sides, distance: Distance, points: int, random: np.random.Generator) -> tuple[float, float, float]:
    here, there = sides.split(random)
    reference = cloud(here, points, random)
    return (
        distance(cloud(some(sides.policy, len(here), random), points, random), reference),
        distance(cloud(there, points, random), reference) if there else 0.0,
        distance(cloud(some(sides.random, len(here), random), points, random), reference),
    )


def _resampled(sides: Sides, distance: Distance, random: np.random.Generator) -> _Distances:
    """The same of episodes drawn with replacement; copies of one of the expert's never face each other."""
    policy, others = (with_replacement(side, random) for side in (sides.policy, sides.random))
    known = [*sides.expert, *sides.further]
    drawn = np.concatenate([times_drawn(len(sides.expert), random), times_drawn(len(sides.further), random)])
    draw = partial(cloud, count=RESAMPLED_POINTS, random=random)
    found, scales = [], []
    for split in range(SPLITS_EACH):
        here, there = parts(drawn, len(sides.expert), sides.episodes, random)
        reference = draw([known[index] for index in here])
        own = draw(some(policy, len(there), random))
        found.append((distance(own, reference), distance(draw([known[index] for index in there]), reference)))
        if split < RANDOM_SPLITS:
            scales.append(distance(draw(some(others, len(there), random)), reference) - found[-1][1])
    of_policy, floor = np.mean(found, axis=0).tolist()
    return _Distances(of_policy, floor, floor + float(np.mean(scales)))


def _around(value: float, replicates: np.ndarray) -> Estimate:
    """``value`` with the spread of the ``replicates``, which come from fewer steps and are all a little off."""
    low, high = np.quantile(replicates, [0.025, 0.975]) - np.mean(replicates)
    return Estimate(value, float(value + low), float(value + high))


def _feature_distance(feature: Feature, sides: Sides, random: np.random.Generator) -> FeatureDistance:
    """On a line all steps are compared; of a choice it is the share of steps in which another one is taken."""
    of_feature = sides.columns(feature.columns)
    distance = _shares_apart if feature.is_choice else _line_apart
    found = [_steps_apart(of_feature, distance, random) for _ in range(FEATURE_SPLITS)]
    mean, floor = np.mean(found, axis=0).tolist()
    return FeatureDistance(feature.name, mean, floor if sides.demonstrations > 1 else None)


def _steps_apart(sides: Sides, distance: Distance, random: np.random.Generator) -> tuple[float, float]:
    """Policy and other episodes of the expert from the expert's, by all their steps."""
    here, there = sides.split(random)
    compared, own = np.concatenate(here), np.concatenate(some(sides.policy, len(here), random))
    return distance(own, compared), distance(np.concatenate(there), compared) if there else 0.0


def _line_apart(x: np.ndarray, y: np.ndarray) -> float:
    return float(distance_on_a_line(x[:, 0], y[:, 0]))


def _shares_apart(x: np.ndarray, y: np.ndarray) -> float:
    """Total variation between how often each of the choices (k, A) is taken."""
    return float(np.abs(x.mean(axis=0) - y.mean(axis=0)).sum() / 2)
