"""How closely episodes of a policy match episodes of the expert, whatever ran them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import Space

from gailkit.demonstrations.episodes import Episodes, as_episodes
from gailkit.errors import InputError
from gailkit.evaluation.classifier import TwoSample, tell_apart
from gailkit.evaluation.coverage import Coverage, measure_coverage
from gailkit.evaluation.endings import Endings, compare_endings, ends_of
from gailkit.evaluation.giveaways import GiveAway, give_aways
from gailkit.evaluation.occupancy import Occupancy, compare_occupancy
from gailkit.evaluation.returns import Returns, compare_returns, side_of
from gailkit.evaluation.steps_as_points import Description, Feature, Points, Scale
from gailkit.evaluation.verdict import Verdict, judge
from gailkit.types import Trajectory

MOST_EPISODES = 1000  # of a side: of more, so many are compared, chosen at random


@dataclass(frozen=True)
class Steps:
    """The steps that were compared, in the environment's units, for whoever wants to draw them."""

    features: tuple[Feature, ...]
    policy: Points
    expert: Points
    random: Points
    scale: Scale  # which the distances were measured on


@dataclass(frozen=True)
class Closeness:
    """Everything that is said about episodes of a policy beside the expert's."""

    returns: Returns
    occupancy: Occupancy
    two_sample: TwoSample | None  # None with fewer than two episodes of a side
    give_aways: tuple[GiveAway, ...]
    coverage: Coverage | None  # None with fewer than three episodes of the expert
    endings: Endings
    verdict: Verdict
    steps: Steps


def closeness(
    policy: Sequence[Trajectory],
    expert: Sequence[Trajectory],
    random: Sequence[Trajectory],
    observation_space: Space[Any],
    action_space: Space[Any],
    *,
    env_id: str | None = None,
    seed: int = 0,
    returns: Returns | None = None,
    endings: Endings | None = None,
    further: Sequence[Trajectory] = (),
) -> Closeness:
    """Compare episodes of a policy with episodes of the expert, on the scale from random actions to the expert.

    The episode is the unit of every split, permutation and bootstrap. The order of the episodes does not matter; the
    same ``seed`` gives the same numbers. ``env_id`` lends well-known observations their names. Where a side holds no
    actions, what they changed is compared instead.

    Args:
        returns, endings: take the place of those of the given episodes, where more of the expert's are known.
        further: episodes of the expert that the policy is not compared with, for it may have learned from them. They
            say how far other episodes of the expert lie from ``expert``, none of which must be among them.

    Raises:
        InputError: if a side has no episode, or the rewards of the policy or of random actions were not recorded.
    """
    sides = {"the policy": policy, "the expert": expert, "random actions": random}
    missing = [name for name, episodes in sides.items() if not len(episodes)]
    if missing:
        raise InputError(
            f"to compare takes at least one episode of each side; there is none of {' and '.join(missing)}"
        )
    played, shown, acted = (_in_order(episodes) for episodes in sides.values())
    others = _in_order(further) if len(further) else None
    acted_in = action_space if all(side[0].has_actions for side in sides.values()) else None
    description, generator = Description(observation_space, acted_in, env_id), np.random.default_rng(seed)
    own, experts, randoms, more = (
        [] if side is None else description.points(side, side.lengths, generator)
        for side in (played, shown, acted, others)
    )
    features = description.features()
    scale = Scale.of(features, experts, randoms, own)
    policy_points, expert_points, random_points, further_points = map(scale.apply, (own, experts, randoms, more))
    occupancy = compare_occupancy(policy_points, expert_points, random_points, features, seed, further_points)
    two_sample = tell_apart(policy_points, expert_points, features, seed)
    earned = returns or compare_returns(side_of(played), side_of(shown), side_of(acted), seed)
    return Closeness(
        returns=earned,
        occupancy=occupancy,
        two_sample=two_sample,
        give_aways=give_aways(two_sample, features, own, experts, scale, occupancy.features),
        coverage=measure_coverage(policy_points, expert_points, features, seed),
        endings=endings or compare_endings(ends_of(played), ends_of(shown), ends_of(acted), seed),
        verdict=judge(len(played), len(shown), occupancy, two_sample, earned),
        steps=Steps(features, own, experts, randoms, scale),
    )


def _in_order(episodes: Sequence[Trajectory]) -> Episodes:
    """The episodes in the order of their digests, which says nothing about them; the first MOST_EPISODES in it."""
    known = as_episodes(episodes)
    digests = known.digests()
    return known.pick(sorted(range(len(known)), key=digests.__getitem__)[:MOST_EPISODES])
