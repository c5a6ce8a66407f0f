"""How closely does a policy match the expert? Run it and random actions from the same starts, compare with the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import Space

from gailkit.demonstrations import Demonstrations
from gailkit.devices import AUTO
from gailkit.errors import InputError
from gailkit.evaluation.acting import (
    OTHER_EPISODES,
    Acting,
    OtherActions,
    acting_as,
    acting_on,
    kind_of,
    other_actions,
)
from gailkit.evaluation.actions import match_actions, recorded_noise
from gailkit.evaluation.endings import success_fraction
from gailkit.evaluation.evaluation import Evaluation
from gailkit.evaluation.held_out import held_out_from
from gailkit.evaluation.returns import Returns, compare_returns, side_of
from gailkit.experts.function import as_policy
from gailkit.experts.random import random_policy
from gailkit.generator import TrainedPolicy
from gailkit.recording.acted import LIKELIEST, SAMPLED, expert_actions
from gailkit.rollouts.environments import SeedStream
from gailkit.rollouts.episodes import SOME_STEPS, collect_episodes
from gailkit.rollouts.failures import Mishaps
from gailkit.rollouts.global_generators import seeded_globally
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import about_of, maker_of, settle
from gailkit.simulators.protocol import Simulator
from gailkit.types import BatchPolicy, OneByOne, Policy, Trajectory


class Reference:
    """What policies are compared with in one environment: the expert's episodes, and random actions.

    Args:
        demonstrations: the expert's.
        episodes: how many of each policy, and of random actions, from the same starts.
        on_steps: is told after each batch how many steps it took; it may raise.
        trained_on: digests of episodes that some policy was trained on, and that none is to be compared with.
        stepping: where the environments run, which makes no difference, and how often they may fail. An episode that
            fails is replaced by one from another start.

    Raises:
        InputError: if the environment does not exist, the demonstrations do not fit it, or ``episodes`` is below 1.
    """

    def __init__(
        self,
        demonstrations: Demonstrations,
        env: str | Simulator,
        *,
        episodes: int = 50,
        seed: int = 0,
        env_kwargs: Mapping[str, Any] | None = None,
        num_envs: int = 8,
        on_steps: Callable[[int], None] | None = None,
        trained_on: Iterable[str] = (),
        stepping: Stepping | None = None,
    ) -> None:
        if episodes < 1:
            raise InputError(f"the number of episodes must be at least 1; found {episodes}")
        self._maker, self._num_envs, self._on_steps = maker_of(env, env_kwargs), num_envs, on_steps
        with seeded_globally(seed):
            about = about_of(self._maker)
        self.spaces: tuple[Space[Any], Space[Any]] = (about.observation_space, about.action_space)
        env_id = env if isinstance(env, str) else about.name
        self.demonstrations = demonstrations.fitted_to(*self.spaces)
        self.env_id, self.episodes, self.seed = env_id, episodes, seed
        self.trained_on = frozenset(trained_on)
        self._seeds = SeedStream(seed, "evaluation").take(episodes)
        self._at_random: list[Trajectory] | None = None
        self._stepping = stepping or Stepping()
        self.mishaps = Mishaps(self._stepping.restarts, self._stepping.tell)

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
        policy = as_policy(policy, *self.spaces)
        told = expert_actions(self.demonstrations.provenance)
        left_open = actions is None and told is None and kind_of(policy) == LIKELIEST
        policy = acting_as(policy, actions, told, self.seed)
        played = self._collect(policy, self._seeds, on_episode)
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
            success_fraction=success_fraction(played),
            random_success_fraction=success_fraction(self.at_random()),
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
            self._at_random = self._collect(policy, self._seeds, on_episode)
        return self._at_random

    def _collect(
        self, policy: Policy, seeds: Sequence[int], on_episode: Callable[[Trajectory], None] | None = None
    ) -> list[Trajectory]:
        """An episode from each of the starts."""
        planned = 2 * self.episodes * SOME_STEPS  # of the policy and of random actions
        self._stepping = settle(self._stepping, self._maker, self._num_envs, planned)
        spare = SeedStream(self.seed, "evaluation")
        spare.take(self.episodes)
        return collect_episodes(
            policy,
            self._maker,
            seeds,
            self._num_envs,
            on_episode,
            self._on_steps,
            stepping=self._stepping,
            mishaps=self.mishaps,
            spare=spare,
        )

    def _other(self, policy: Policy, played: Sequence[Trajectory], returns: Returns) -> OtherActions:
        """The same policy by sampled actions, over the first starts."""
        sampling = acting_as(policy, SAMPLED, None, self.seed)
        other = self._collect(sampling, self._seeds[:OTHER_EPISODES])
        expert = None if returns.expert is None else returns.expert.mean.value
        return other_actions(SAMPLED, played, other, returns.random.mean.value, expert, self.seed)


def evaluate(
    policy: BatchPolicy | OneByOne,
    demonstrations: Demonstrations,
    env: str | Simulator,
    *,
    episodes: int = 50,
    seed: int = 0,
    env_kwargs: Mapping[str, Any] | None = None,
    num_envs: int = 8,
    actions: str | None = None,
    on_episode: Callable[[Trajectory], None] | None = None,
    on_steps: Callable[[int], None] | None = None,
    stepping: Stepping | None = None,
    device: str = AUTO,
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
        stepping: where the environments run, which makes no difference, and how often they may fail.
        device: where a ``TrainedPolicy`` acts: "cpu", "cuda", "cuda:1", or "auto" for where it is.

    Raises:
        InputError: if the environment does not exist, the demonstrations do not fit it, ``episodes`` is below 1, there
            is no such device, or what the policy returns is no action.
        EnvironmentFailure: if the environment fails.
    """
    policy = acting_on(policy, device)
    reference = Reference(
        demonstrations,
        env,
        episodes=episodes,
        seed=seed,
        env_kwargs=env_kwargs,
        num_envs=num_envs,
        on_steps=on_steps,
        stepping=stepping,
    )
    return reference.evaluate(policy, on_episode, actions=actions)
