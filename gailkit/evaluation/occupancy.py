"""How far the policy's occupancy, where it is and what it does there, lies from the expert's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import wasserstein_distance as distance_on_a_line

from gailkit.evaluation.features import Feature, Points, cloud
from gailkit.functional.resampling import Estimate
from gailkit.functional.transport import random_directions, sliced_wasserstein, wasserstein

MOST_DIMENSIONS = 64  # above it distances are sliced
DIRECTIONS = 128
POINTS, SPLITS = 256, 16  # of an estimate: steps on either side, and random halves of the expert that it is a mean of
RESAMPLES, RESAMPLED_POINTS, SPLITS_EACH = 100, 128, 8  # of the bootstrap; halves steady it more than steps do
FEATURE_SPLITS = 4  # of the distance of each feature by itself
RANDOM_SPLITS = 2  # of SPLITS_EACH, in which random actions are compared too
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

    All are between equally many episodes: half as many as the expert's, or the policy's where those are fewer. With few
    episodes even the expert lies away from itself: by the floor.
    """

    method: str  # exact, or sliced where a step has more than 64 numbers
    episodes: int  # on either side of a distance
    distance: float  # W(policy, expert)
    floor: float | None  # W(expert, expert), between random halves of the expert's episodes
    random_distance: float  # W(random actions, expert)
    excess: Estimate | None  # W(policy, expert) - floor, interval by bootstrap over episodes
    closeness: Estimate | None  # 1 - excess / (W(random, expert) - floor); None where some draw has no such scale
    detectable: float | None  # the smallest excess that so many episodes tell from 0 in 80 % of the cases
    state_distance: float  # the same for observations alone
    state_closeness: float | None
    sliced_distance: float  # of all steps of all episodes, by slices
    features: tuple[FeatureDistance, ...]


@dataclass(frozen=True)
class _Sides:
    """The steps of policy, expert and random actions."""

    policy: Points
    expert: Points
    random: Points

    def columns(self, chosen: Sequence[int]) -> _Sides:
        """Some of the columns."""
        return _Sides(*([rows[:, chosen] for rows in side] for side in (self.policy, self.expert, self.random)))

    @property
    def episodes(self) -> int:
        """Of each side of a distance."""
        return max(1, min(len(self.policy), len(self.random), len(self.expert) // 2))


@dataclass(frozen=True)
class _Distances:
    """W(policy, expert), W(expert, expert), W(random, expert), means over some random halves of the expert."""

    policy: float
    floor: float
    random: float

    @property
    def excess(self) -> float:
        return self.policy - self.floor

    @property
    def closeness(self) -> float:
        scale = self.random - self.floor
        return 1 - self.excess / scale if scale > 0 else np.nan


def compare_occupancy(
    policy: Points, expert: Points, random: Points, features: Sequence[Feature], seed: int = 0
) -> Occupancy:
    """Distances between episodes of the policy, the expert and random actions, on the expert's scale.

    The order of the episodes decides which random halves are drawn: give them in one that says nothing.
    """
    sides, generator = _Sides(policy, expert, random), np.random.default_rng(seed)
    dimensions = expert[0].shape[1]
    distance = distance_in(dimensions, generator)
    observed = [column for feature in features if not feature.is_action for column in feature.columns]
    of_states, state_distance = sides.columns(observed), distance_in(len(observed), generator)
    directions = random_directions(DIRECTIONS, dimensions, generator)
    enough = len(expert) > 1
    found = _distances(sides, distance, POINTS, SPLITS, generator)
    states = _distances(of_states, state_distance, POINTS, SPLITS, generator)
    replicates = [_resampled(sides, distance, generator) for _ in range(RESAMPLES)] if enough else []
    excess = np.array([replicate.excess for replicate in replicates])
    closeness = np.array([replicate.closeness for replicate in replicates])
    on_scale = enough and min(each.random - each.floor for each in (found, *replicates)) > 0
    return Occupancy(
        method="exact" if dimensions <= MOST_DIMENSIONS else "sliced",
        episodes=sides.episodes,
        distance=found.policy,
        floor=found.floor if enough else None,
        random_distance=found.random,
        excess=_around(found.excess, excess) if enough else None,
        closeness=_around(found.closeness, closeness) if on_scale else None,
        detectable=float(ERRORS_TO_SHOW * excess.std(ddof=1)) if enough else None,
        state_distance=states.policy,
        state_closeness=states.closeness if on_scale and np.isfinite(states.closeness) else None,
        sliced_distance=sliced_wasserstein(np.concatenate(policy), np.concatenate(expert), directions),
        features=tuple(_feature_distance(feature, sides, generator) for feature in features),
    )


def distance_in(dimensions: int, random: np.random.Generator) -> Distance:
    """W1 between clouds of points with so many numbers each: exact, or sliced where there are too many for that."""
    if dimensions <= MOST_DIMENSIONS:
        return wasserstein
    return partial(sliced_wasserstein, directions=random_directions(DIRECTIONS, dimensions, random))


def _distances(sides: _Sides, distance: Distance, points: int, splits: int, random: np.random.Generator) -> _Distances:
    """Means over random halves of the expert, with as many episodes of the others as a half has."""
    found = np.array([_once(sides, distance, points, random) for _ in range(splits)])
    return _Distances(*found.mean(axis=0).tolist())


def _once(sides: _Sides, distance: Distance, points: int, random: np.random.Generator) -> tuple[float, float, float]:
    count = sides.episodes
    order = random.permutation(len(sides.expert))
    here, there = order[:count], order[count : 2 * count]
    reference = _cloud(sides.expert, here, points, random)
    return (
        distance(_cloud(sides.policy, random.permutation(len(sides.policy))[:count], points, random), reference),
        distance(_cloud(sides.expert, there, points, random), reference) if len(there) else 0.0,
        distance(_cloud(sides.random, random.permutation(len(sides.random))[:count], points, random), reference),
    )


def _resampled(sides: _Sides, distance: Distance, random: np.random.Generator) -> _Distances:
    """The distances after a draw of the episodes with replacement.

    Copies of one episode of the expert's stay in one half of it: in both they would bring the halves together.
    """
    drawn = _Sides(_with_replacement(sides.policy, random), sides.expert, _with_replacement(sides.random, random))
    times = np.bincount(random.integers(len(sides.expert), size=len(sides.expert)), minlength=len(sides.expert))
    found, scales = [], []
    for split in range(SPLITS_EACH):
        here, there = _halves(times, random)
        draw = partial(_cloud, count=RESAMPLED_POINTS, random=random)
        reference = draw(sides.expert, here)
        own = draw(drawn.policy, random.permutation(len(drawn.policy))[: len(there)])
        found.append((distance(own, reference), distance(draw(sides.expert, there), reference)))
        if split < RANDOM_SPLITS:
            others = draw(drawn.random, random.permutation(len(drawn.random))[: len(there)])
            scales.append(distance(others, reference))
    policy, floor = np.mean(found, axis=0).tolist()
    return _Distances(policy, floor, float(np.mean(scales)))


def _halves(times: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint sets of episodes, each episode as often as ``times`` says, both of about half of all."""
    order = random.permutation(np.flatnonzero(times))
    middle = int(np.searchsorted(np.cumsum(times[order]), len(times) / 2))
    middle = min(max(1, middle), max(1, len(order) - 1))
    here, there = order[:middle], order[middle:] if len(order) > 1 else order
    return np.repeat(here, times[here]), np.repeat(there, times[there])


def _with_replacement(points: Points, random: np.random.Generator) -> Points:
    return [points[index] for index in random.integers(len(points), size=len(points))]


def _cloud(points: Points, chosen: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    return cloud([points[index] for index in chosen], count, random)


def _around(value: float, replicates: np.ndarray) -> Estimate:
    """``value`` with the spread of the ``replicates``, which come from fewer steps and are all a little off."""
    low, high = np.quantile(replicates, [0.025, 0.975]) - np.mean(replicates)
    return Estimate(value, float(value + low), float(value + high))


def _feature_distance(feature: Feature, sides: _Sides, random: np.random.Generator) -> FeatureDistance:
    """On a line all steps are compared; of a choice it is the share of steps in which another one is taken."""
    of_feature = sides.columns(feature.columns)
    distance = _shares_apart if feature.is_choice else _line_apart
    found = [_steps_apart(of_feature, distance, random) for _ in range(FEATURE_SPLITS)]
    mean, floor = np.mean(found, axis=0).tolist()
    return FeatureDistance(feature.name, mean, floor if len(sides.expert) > 1 else None)


def _steps_apart(sides: _Sides, distance: Distance, random: np.random.Generator) -> tuple[float, float]:
    """Policy from one half of the expert, and the other half from it, by all their steps."""
    count = sides.episodes
    order = random.permutation(len(sides.expert))
    here = np.concatenate([sides.expert[index] for index in order[:count]])
    there = np.concatenate([sides.expert[index] for index in order[-count:]])
    others = np.concatenate([sides.policy[index] for index in random.permutation(len(sides.policy))[:count]])
    return distance(others, here), distance(there, here)


def _line_apart(x: np.ndarray, y: np.ndarray) -> float:
    return float(distance_on_a_line(x[:, 0], y[:, 0]))


def _shares_apart(x: np.ndarray, y: np.ndarray) -> float:
    """Total variation between how often each of the choices (k, A) is taken."""
    return float(np.abs(x.mean(axis=0) - y.mean(axis=0)).sum() / 2)
