"""What an evaluation has measured, as values to ask for, as JSON and as sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gymnasium import Space

from gailkit.evaluation.acting import Acting
from gailkit.evaluation.actions import ActionMatch
from gailkit.evaluation.closeness import Closeness, closeness
from gailkit.evaluation.endings import compare_endings, ends_of
from gailkit.evaluation.plain import as_plain
from gailkit.evaluation.returns import Returns
from gailkit.evaluation.statement import statement
from gailkit.generator import Training
from gailkit.types import Trajectory


@dataclass(frozen=True)
class Evaluation:
    """What was measured. Returns are the environment's own, undiscounted; None where something is not known."""

    env_id: str
    episodes: int
    seed: int
    return_mean: float
    return_std: float  # of the sample (n - 1); 0 for one episode
    return_ci95: tuple[float, float]  # percentile bootstrap over episodes
    expert_return_mean: float | None  # of all episodes in the file
    expert_episodes: int
    random_return_mean: float
    normalised_score: float | None  # 0 random, 1 expert; None where the expert is no better than random
    length_mean: float
    expert_length_mean: float  # of all episodes in the file
    terminated_fraction: float
    expert_terminated_fraction: float
    success_fraction: float | None  # of the episodes of which the environment says whether they were a success
    random_success_fraction: float | None  # likewise of random actions
    acting: Acting
    actions: ActionMatch
    compared_episodes: int  # of the expert: those that the policy was not trained on, or all where it has seen all
    returns: Returns
    played: Sequence[Trajectory]  # the policy's episodes
    shown: Sequence[Trajectory]  # the expert's that they are compared with
    further: Sequence[Trajectory]  # the expert's that it is not compared with, which some policy was trained on
    expert: Sequence[Trajectory]  # all of the expert's
    at_random: Sequence[Trajectory]
    spaces: tuple[Space[Any], Space[Any]]  # of observations and actions
    training: Training | None = None  # that a run of gailkit's comes from

    @cached_property
    def closeness(self) -> Closeness:
        """How closely the episodes match, beyond what they earn; takes some seconds when it is first asked for."""
        return closeness(
            self.played,
            self.shown,
            self.at_random,
            *self.spaces,
            env_id=self.env_id,
            seed=self.seed,
            returns=self.returns,
            endings=compare_endings(ends_of(self.played), ends_of(self.expert), ends_of(self.at_random), self.seed),
            further=self.further,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: every field but the episodes and their spaces, those of ``acting`` and ``actions`` among
        them, and what ``closeness`` has found."""
        values = _plain_fields(self, but=("played", "shown", "further", "expert", "at_random", "spaces"))
        acting, actions = values.pop("acting"), values.pop("actions")
        return {**values, **acting, **actions, **_summary(self.closeness)}

    def statement(self) -> str:
        """How closely the policy matches the expert, in plain sentences."""
        return statement(self.closeness, self.acting, self.actions)


def _summary(found: Closeness) -> dict[str, Any]:
    """``closeness`` and ``verdict`` as a number and a word, and each of the other records as a dictionary."""
    value = found.occupancy.closeness
    return {
        "closeness": None if value is None else value.value,
        "closeness_ci95": None if value is None else [value.low, value.high],
        "verdict": found.verdict.verdict,
        "verdict_sentence": found.verdict.sentence,
        **_plain_fields(found, but=("verdict", "steps")),
    }


def _plain_fields(record: Evaluation | Closeness, but: Sequence[str]) -> dict[str, Any]:
    names = (field.name for field in dataclasses.fields(record))
    return {name: as_plain(getattr(record, name)) for name in names if name not in but}
