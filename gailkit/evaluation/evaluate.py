"""How closely does a policy match the expert? Run it and random actions from the same starts, compare with the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from gymnasium import Space

from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError
from gailkit.evaluation.acting import (
    OTHER_EPISODES,
    Acting,
    OtherActions,
    acting_as,
    kind_of,
    other_actions,
)
from gailkit.evaluation.actions import ActionMatch, match_actions, recorded_noise
from gailkit.evaluation.closeness import Closeness, closeness
from gailkit.evaluation.endings import compare_endings, ends_of
from gailkit.evaluation.held_out import held_out_from
from gailkit.evaluation.plain import as_plain
from gailkit.evaluation.returns import Returns, compare_returns, side_of
from gailkit.evaluation.statement import statement
from gailkit.experts.function import as_policy
from gailkit.experts.random import random_policy
from gailkit.generator import TrainedPolicy, Training
from gailkit.recording.acted import LIKELIEST, SAMPLED, expert_actions
from gailkit.rollouts.environments import SeedStream, make_env, stated_observation_space
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.global_generators import seeded_globally
from gailkit.types import BatchPolicy, OneByOne, Policy, Trajectory


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
        """Plain JSON values, without the episodes and their steps."""
        left_out = (
            "acting", "actions", "returns", "played", "shown", "further", "expert", "at_random", "spaces", "training",
        )  # fmt: skip
        flat = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values = {name: value for name, value in flat.items() if name not in left_out}
        values["training"] = None if self.training is None else self.training._asdict()
        return {**values, **as_plain(self.acting), **as_plain(self.actions), **_summary(self.closeness)}

    def statement(self) -> str:
        """How closely the policy matches the expert, in plain sentences."""
        return statement(self.closeness, self.acting, self.actions)


class Reference:
    """What policies are compared with in one environment: the expert's episodes, and random actions.

    Args:
        demonstrations: the expert's.
        episodes: how many of each policy, and of random actions, from the same starts.
        on_steps: is told after each batch how many steps it took; it may raise.
        trained_on: digests of episodes that some policy was trained on, and that none is to be compared with.

    Raises:
        InputError: if the environment does not exist, the demonstrations do not fit it, or ``episodes`` is below 1.
    """

    def __init__(
        self,
        demonstrations: Demonstrations,
        env_id: str,
        *,
        episodes: int = 50,
        seed: int = 0,
        env_kwargs: Mapping[str, Any] | None = None,
        num_envs: int = 8,
        on_steps: Callable[[int], None] | None = None,
        trained_on: Iterable[str] = (),
    ) -> None:
        if episodes < 1:
            raise InputError(f"the number of episodes must be at least 1; found {episodes}")
        with seeded_globally(seed), closing(make_env(env_id, env_kwargs)) as env:
            self.spaces: tuple[Space[Any], Space[Any]] = (env.observation_space, env.action_space)
            self._stated = stated_observation_space(env)
        self.demonstrations = demonstrations.fitted_to(*self.spaces)
        self.env_id, self.episodes, self.seed = env_id, episodes, seed
        self.trained_on = frozenset(trained_on)
        self._seeds = SeedStream(seed, "evaluation").take(episodes)
        factory = partial(make_env, env_id, env_kwargs)
        self._at_random: list[Trajectory] | None = None
        self._collect = partial(collect_episodes, env_factory=factory, num_envs=num_envs, on_steps=on_steps)

    def evaluate(
        self,
        policy: BatchPolicy | OneByOne,
        on_episode: Callable[[Trajectory], None] | None = None,
        *,
        actions: str | None = None,
    ) -> Evaluation:
        """Run ``policy`` and compare it; ``on_episode`` sees each of its episodes as it ends.

        A ``TrainedPolicy`` takes ``actions`` of the kind that is asked for, ``likeliest`` or ``sampled``. Where that is
        None and it has not been told to sample, it takes the kind that the demonstrations say the expert took; where
        they do not say, its likeliest ones, and is run by sampled ones too, in at most 20 more episodes.

        Raises:
            InputError: if it is not callable, what it returns is no action, or it cannot take ``actions`` of that kind.
            EnvironmentFailure: if the environment fails.
        """
        policy = as_policy(policy, self._stated, self.spaces[1])
        told = expert_actions(self.demonstrations.provenance)
        left_open = actions is None and told is None and kind_of(policy) == LIKELIEST
        policy = acting_as(policy, actions, told, self.seed)
        played = self._collect(policy, seeds=self._seeds, on_episode=on_episode)
        shown, further, held_out = held_out_from(policy, self.demonstrations, self.trained_on)
        expert = self.demonstrations
        returns = compare_returns(side_of(played), side_of(expert.episodes), side_of(self.at_random()), self.seed)
        earned = np.array([trajectory.episode_return for trajectory in played], dtype=np.float64)
        return Evaluation(
            env_id=self.env_id,
            episodes=self.episodes,
            seed=self.seed,
            return_mean=returns.policy.mean.value,
            return_std=float(earned.std(ddof=1)) if self.episodes > 1 else 0.0,
            return_ci95=(returns.policy.mean.low, returns.policy.mean.high),
            expert_return_mean=None if returns.expert is None else returns.expert.mean.value,
            expert_episodes=len(expert.trajectories),
            random_return_mean=returns.random.mean.value,
            normalised_score=None if returns.score is None else returns.score.value,
            length_mean=sum(map(len, played)) / len(played),
            expert_length_mean=expert.num_steps / len(expert.trajectories),
            terminated_fraction=sum(trajectory.terminated for trajectory in played) / len(played),
            expert_terminated_fraction=expert.num_terminated / len(expert.trajectories),
            acting=Acting(kind_of(policy), told, self._other(policy, played, returns) if left_open else None),
            actions=match_actions(
                policy, shown.trajectories, self.spaces[1], held_out, recorded_noise(expert.provenance, self.spaces[1])
            ),
            compared_episodes=len(shown.trajectories),
            returns=returns,
            played=played,
            shown=shown.trajectories,
            further=() if further is None else further.trajectories,
            expert=expert.trajectories,
            at_random=self.at_random(),
            spaces=self.spaces,
            training=policy.training if isinstance(policy, TrainedPolicy) else None,
        )

    def at_random(self, on_episode: Callable[[Trajectory], None] | None = None) -> list[Trajectory]:
        """Episodes of random actions, run when they are first asked for; ``on_episode`` sees each as it ends."""
        if self._at_random is None:
            policy = random_policy(self.spaces[1], self.seed)
            self._at_random = self._collect(policy, seeds=self._seeds, on_episode=on_episode)
        return self._at_random

    def _other(self, policy: Policy, played: Sequence[Trajectory], returns: Returns) -> OtherActions:
        """The same policy by sampled actions, over the first starts."""
        sampling = acting_as(policy, SAMPLED, None, self.seed)
        other = self._collect(sampling, seeds=self._seeds[:OTHER_EPISODES])
        expert = None if returns.expert is None else returns.expert.mean.value
        return other_actions(SAMPLED, played, other, returns.random.mean.value, expert, self.seed)


def evaluate(
    policy: BatchPolicy | OneByOne,
    demonstrations: Demonstrations,
    env_id: str,
    *,
    episodes: int = 50,
    seed: int = 0,
    env_kwargs: Mapping[str, Any] | None = None,
    num_envs: int = 8,
    actions: str | None = None,
    on_episode: Callable[[Trajectory], None] | None = None,
    on_steps: Callable[[int], None] | None = None,
) -> Evaluation:
    """Run ``policy`` and random actions for ``episodes`` episodes each, from the same starts, and compare.

    A ``TrainedPolicy`` is compared with the expert's episodes that it was not trained on, where there are any; returns,
    lengths and ends are compared with those of all episodes.

    Args:
        policy: a ``TrainedPolicy``, or any callable that takes one observation (*obs) and returns one action (*act),
            as on the command line; ``Batched(function)`` is a function of N observations, which is faster.
        actions: ``likeliest`` or ``sampled`` ones of a ``TrainedPolicy``; None as in ``Reference.evaluate``.
        on_episode: sees each episode of the policy as it ends.
        on_steps: is told after each batch how many steps it took, those of random actions included; it may raise.

    Raises:
        InputError: if the environment does not exist, the demonstrations do not fit it, ``episodes`` is below 1, or
            what the policy returns is no action.
        EnvironmentFailure: if the environment fails.
    """
    reference = Reference(
        demonstrations,
        env_id,
        episodes=episodes,
        seed=seed,
        env_kwargs=env_kwargs,
        num_envs=num_envs,
        on_steps=on_steps,
    )
    return reference.evaluate(policy, on_episode, actions=actions)


def _summary(found: Closeness) -> dict[str, Any]:
    """``closeness`` and ``verdict`` as a number and a word, and each of the records as a dictionary."""
    value = found.occupancy.closeness
    records = ("returns", "occupancy", "two_sample", "coverage", "endings", "give_aways")
    return {
        "closeness": None if value is None else value.value,
        "closeness_ci95": None if value is None else (value.low, value.high),
        "verdict": found.verdict.verdict,
        "verdict_sentence": found.verdict.sentence,
        **{name: as_plain(getattr(found, name)) for name in records},
    }
