"""What policy, expert and random actions earn, from one run or several, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gailkit.demonstrations.episodes import as_episodes
from gailkit.errors import InputError
from gailkit.functional.resampling import (
    RESAMPLES,
    Estimate,
    Statistic,
    affordable,
    interquartile_mean,
    interval,
    mean,
    probability_of_improvement,
    resampled,
)
from gailkit.functional.statistics import normalised_score
from gailkit.types import Trajectory


@dataclass(frozen=True)
class Earned:
    """The returns of one side; intervals of 95 % by bootstrap over episodes, and over runs where there are several."""

    episodes: int
    mean: Estimate
    iqm: Estimate  # of the middle half


@dataclass(frozen=True)
class Returns:
    """Undiscounted returns, the environment's own; None where the expert's were not recorded."""

    policy: Earned
    expert: Earned | None
    random: Earned
    difference: Estimate | None  # mean of the policy less that of the expert
    score: Estimate | None  # 0 random, 1 expert; None also where the expert is no better than random
    score_iqm: Estimate | None  # the same of interquartile means
    improvement: Estimate | None  # P(an episode of the policy earns more than one of the expert), ties half
    over_random: Estimate  # the same over random actions
    paired_with_expert: Paired | None
    paired_with_random: Paired | None


@dataclass(frozen=True)
class Paired:
    """The mean difference between two sides over episodes that began alike."""

    starts: int
    difference: Estimate


@dataclass(frozen=True)
class Side:
    """Returns of the runs of one side, and the seeds that their episodes began with."""

    runs: Sequence[np.ndarray]  # of each run (E,)
    seeds: Sequence[Sequence[int | None]]

    @property
    def all(self) -> np.ndarray:
        """Of all runs together."""
        return np.concatenate(self.runs)


def side_of(*runs: Sequence[Trajectory]) -> Side | None:
    """The returns of the episodes of one run or more; None where rewards were not recorded."""
    known = [as_episodes(episodes) for episodes in runs]
    returns = [episodes.returns() for episodes in known]
    recorded = [values for values in returns if values is not None]
    if len(recorded) < len(returns):
        return None
    return Side(recorded, [episodes.seeds for episodes in known])


def compare_returns(policy: Side | None, expert: Side | None, random: Side | None, seed: int = 0) -> Returns:
    """What the three sides earn. The order of the episodes does not matter.

    Raises:
        InputError: if the policy's returns, or those of random actions, are not known.
    """
    if policy is None or random is None:
        raise InputError(
            "the rewards of the policy's episodes and of random actions are needed; they were not recorded"
        )
    generator = np.random.default_rng(seed)
    sides = {"policy": policy, "random": random} | ({} if expert is None else {"expert": expert})
    count = affordable(*(side.runs for side in sides.values()))
    drawn = {name: resampled(side.runs, generator, count) for name, side in sides.items()}

    def estimate(statistic: Callable[..., np.ndarray], *names: str) -> Estimate:
        value = float(statistic(*(sides[name].all for name in names)))
        return interval(value, statistic(*(drawn[name] for name in names)))

    known, origin = expert is not None, policy.all.min()  # equal returns then differ by 0, and not by rounding
    return Returns(
        policy=_earned(policy, drawn["policy"]),
        expert=_earned(expert, drawn["expert"]) if expert is not None else None,
        random=_earned(random, drawn["random"]),
        difference=estimate(lambda x, y: mean(x - origin) - mean(y - origin), "policy", "expert") if known else None,
        score=_score(mean, sides, drawn),
        score_iqm=_score(interquartile_mean, sides, drawn),
        improvement=estimate(probability_of_improvement, "policy", "expert") if known else None,
        over_random=estimate(probability_of_improvement, "policy", "random"),
        paired_with_expert=paired(policy, expert, seed) if expert is not None else None,
        paired_with_random=paired(policy, random, seed),
    )


def paired(side: Side, other: Side, seed: int = 0) -> Paired | None:
    """The mean difference over the starts that all runs of both sides share; None where there are fewer than two.

    Runs of either side and starts are drawn with replacement, the same starts for both.
    """
    own, others = ([_by_seed(*run) for run in zip(each.runs, each.seeds, strict=True)] for each in (side, other))
    common = sorted(set.intersection(*(set(run) for run in (*own, *others))))
    if len(common) < 2:
        return None
    random = np.random.default_rng(seed)
    tables = [np.array([[run[start] for start in common] for run in runs]) for runs in (own, others)]  # (runs, starts)
    starts = _weights(len(common), random)
    tables = [table - tables[0][0] for table in tables]  # equal returns then differ by 0, and not by rounding
    drawn = [np.einsum("ru,us,rs->r", _weights(len(table), random), table, starts) for table in tables]
    return Paired(len(common), interval(float(tables[0].mean() - tables[1].mean()), drawn[0] - drawn[1]))


def _weights(count: int, random: np.random.Generator) -> np.ndarray:
    """How often each of ``count`` is drawn when as many are drawn with replacement, as shares (RESAMPLES, count)."""
    drawn: np.ndarray = random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count
    return drawn


def _earned(side: Side, drawn: np.ndarray) -> Earned:
    together = side.all
    return Earned(
        len(together),
        interval(float(mean(together)), mean(drawn)),
        interval(float(interquartile_mean(together)), interquartile_mean(drawn)),
    )


def _score(statistic: Statistic, sides: Mapping[str, Side], drawn: Mapping[str, np.ndarray]) -> Estimate | None:
    """(policy - random) / (expert - random); its interval is that of the replicates in which the expert is better."""
    if "expert" not in sides:
        return None
    policy, expert, random = (float(statistic(sides[name].all)) for name in ("policy", "expert", "random"))
    score = normalised_score(policy, random, expert)
    if score is None:
        return None
    scales = statistic(drawn["expert"]) - statistic(drawn["random"])
    better = scales > 0
    earned = statistic(drawn["policy"]) - statistic(drawn["random"])
    return interval(score, earned[better] / scales[better])


def _by_seed(returns: np.ndarray, seeds: Sequence[int | None]) -> dict[int, float]:
    """The mean return of a run from each start."""
    found: dict[int, list[float]] = {}
    for earned, start in zip(returns.tolist(), seeds, strict=True):
        if start is not None:
            found.setdefault(start, []).append(earned)
    return {start: float(np.mean(earned)) for start, earned in found.items()}
