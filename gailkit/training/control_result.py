"""What a bias control found: how well those who know nothing of a task, and who imitated them, do at it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gailkit.functional.resampling import mean_of
from gailkit.functional.statistics import normalised_score
from gailkit.types import Trajectory

MOST_ABOVE = 0.1  # of the way from random actions to the expert: what chance may lift an imitator above its teacher


@dataclass(frozen=True)
class Scale:
    """Mean returns of random actions, 0 on the scale, and of the expert, 1."""

    random_return_mean: float
    expert_return_mean: float | None  # of all its episodes; None where rewards were not recorded

    def score(self, mean: float) -> float | None:
        """Where a mean return lies; None where the expert is not known to be better than random actions."""
        if self.expert_return_mean is None:
            return None
        return normalised_score(mean, self.random_return_mean, self.expert_return_mean)


@dataclass(frozen=True)
class Played:
    """How a policy did, in the environment's own terms; scores are 0 for random actions and 1 for the expert."""

    return_mean: float
    return_ci95: tuple[float, float]  # percentile bootstrap over episodes
    score: float | None  # None where there is no scale
    score_ci95: tuple[float, float] | None  # of the return; the scale is taken as known
    length_mean: float
    terminated_fraction: float

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory], scale: Scale) -> Played:
        """What the episodes of one policy come to; they have rewards."""
        returns = np.array([trajectory.episode_return for trajectory in trajectories], dtype=np.float64)
        mean, *interval = mean_of(returns, np.random.default_rng(0))
        low, high = map(scale.score, interval)
        return cls(
            return_mean=mean,
            return_ci95=(interval[0], interval[1]),
            score=scale.score(mean),
            score_ci95=None if low is None or high is None else (low, high),
            length_mean=sum(map(len, trajectories)) / len(trajectories),
            terminated_fraction=sum(trajectory.terminated for trajectory in trajectories) / len(trajectories),
        )


@dataclass(frozen=True)
class Control:
    """A teacher that knows nothing of the task, and who imitated it."""

    teacher: str  # constant or random
    pairs: int  # that were learned from
    own: Played
    imitator: Played  # taking its likeliest actions
    sampled: Played  # the same policy with its actions sampled, as in training

    @property
    def passes(self) -> bool:
        """Whether the imitator did no better than its teacher, by the rule of ``ControlResult``.

        The reward is paid for sampled actions. The likeliest ones of a policy that has decided little can do well by
        chance: on MountainCar they scored 0.4 after 20,480 steps of imitating random actions, sampled ones 0.0.
        """
        return any(self._no_better(played) for played in (self.imitator, self.sampled))

    @property
    def doubtful(self) -> bool:
        """Whether only its likeliest actions, or only sampled ones, do better than the teacher."""
        return self.passes and not all(self._no_better(played) for played in (self.imitator, self.sampled))

    def sentence(self) -> str:
        """What a failure or a doubt means, in words."""
        scored = f"{_shown(self.imitator)} ({_shown(self.sampled)} with sampled actions)"
        if self.doubtful:
            return (
                f"Taught by {self.teacher} actions, it scores {scored}, one of them by chance perhaps: "
                "more steps or another seed would tell."
            )
        return f"Taught by {self.teacher} actions, it scores {scored} although nobody taught it: {self._paid_for()}."

    def _no_better(self, played: Played) -> bool:
        if self.own.score is None or played.score is None:
            return played.return_ci95[0] <= self.own.return_ci95[1]
        return played.score <= self.own.score + MOST_ABOVE

    def _paid_for(self) -> str:
        lengths = f"{self.imitator.length_mean:.1f} steps, its teacher's {self.own.length_mean:.1f}"
        if self.imitator.length_mean > self.own.length_mean and self.own.terminated_fraction > 0:
            return f"its reward pays for survival (its episodes last {lengths})"
        if self.imitator.length_mean < self.own.length_mean and self.imitator.terminated_fraction > 0:
            return f"its reward pays for ending early (its episodes last {lengths})"
        return f"its reward pays for something else than how long an episode lasts ({lengths})"


@dataclass(frozen=True)
class ControlResult:
    """What the control found. Returns are the environment's own, undiscounted."""

    env_id: str
    steps: int
    seed: int
    episodes: int  # played by each teacher and each imitator
    taught_episodes: int  # shown by each teacher
    scale: Scale
    controls: tuple[Control, ...]

    @property
    def passes(self) -> bool:
        """Whether no imitator did better than its teacher."""
        return all(control.passes for control in self.controls)

    def rule(self) -> str:
        """By what it is decided."""
        if all(control.own.score is not None for control in self.controls):
            return (
                f"The rule: an imitator fails where it scores more than {MOST_ABOVE} above its teacher, with its "
                "likeliest actions and with sampled ones alike; 0 is random actions and 1 the expert."
            )
        expert, chance = self.scale.expert_return_mean, self.scale.random_return_mean
        known = "was not recorded" if expert is None else f"is {expert:.1f} and theirs {chance:.1f}"
        return (
            f"There is no score: the expert is not known to be better than random actions, as its mean return {known}. "
            "The rule: an imitator fails where the interval of its mean return lies above that of its teacher's, with "
            "its likeliest actions and with sampled ones alike."
        )

    def verdict(self) -> str:
        """What was found, in plain sentences."""
        found = ["The method does not score without being taught."] if self.passes else []
        found += [control.sentence() for control in self.controls if control.doubtful or not control.passes]
        return " ".join(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, what was concluded among them."""
        scale = dataclasses.asdict(self.scale)
        controls = [dataclasses.asdict(control) | {"passes": control.passes} for control in self.controls]
        concluded = {"passes": self.passes, "rule": self.rule(), "verdict": self.verdict()}
        plain = ("env_id", "steps", "seed", "episodes", "taught_episodes")
        return {name: getattr(self, name) for name in plain} | scale | {"controls": controls} | concluded


def _shown(played: Played) -> str:
    return f"a mean return of {played.return_mean:.1f}" if played.score is None else f"{played.score:.2f}"
