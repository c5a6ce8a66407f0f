"""How closely does a policy match the expert? Run it and random actions from the same starts, compare with the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError
from gailkit.evaluation.actions import ActionMatch, match_actions
from gailkit.experts.random import random_policy
from gailkit.functional.statistics import bootstrap_mean_interval, normalised_score
from gailkit.rollouts.envs import SeedStream, make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Policy, Trajectory


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
    expert_length_mean: float
    terminated_fraction: float
    expert_terminated_fraction: float
    actions: ActionMatch

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, the match of actions side by side with the rest."""
        values = dataclasses.asdict(self)
        actions: dict[str, Any] = values.pop("actions")
        return values | actions

    def statement(self) -> str:
        """How closely the policy matches the expert, in plain sentences."""
        return " ".join((self._score_sentence(), self.actions.sentence()))

    def _score_sentence(self) -> str:
        low, high = self.return_ci95
        earned = f"The policy's mean return is {self.return_mean:.1f} (95 % interval {low:.1f} to {high:.1f})"
        if self.expert_return_mean is None:
            return f"{earned}, random actions' {self.random_return_mean:.1f}; the expert's was not recorded."
        scale = f"the expert's {self.expert_return_mean:.1f}, random actions' {self.random_return_mean:.1f}"
        if self.normalised_score is None:
            return f"{earned}, {scale}: this expert is no better than random actions, so there is no score."
        return f"{earned}, {scale}: a score of {self.normalised_score:.3f}, where 0 is random and 1 is the expert."


def evaluate(
    policy: Policy,
    demonstrations: Demonstrations,
    env_id: str,
    *,
    episodes: int = 50,
    seed: int = 0,
    env_kwargs: Mapping[str, Any] | None = None,
    num_envs: int = 8,
    on_episode: Callable[[Trajectory], None] | None = None,
    on_steps: Callable[[int], None] | None = None,
) -> Evaluation:
    """Run ``policy`` and random actions for ``episodes`` episodes each, from the same starts, and compare.

    A ``TrainedPolicy`` is also asked for the likelihood of the expert's actions, on episodes it was not trained on
    where there are any.

    Args:
        on_episode: sees each episode of the policy as it ends.
        on_steps: is told after each batch how many steps it took, those of random actions included; it may raise.

    Raises:
        InputError: if the environment does not exist, the demonstrations do not fit it, or ``episodes`` is below 1.
        EnvironmentFailure: if the environment fails.
    """
    if episodes < 1:
        raise InputError(f"the number of episodes must be at least 1; found {episodes}")
    env = make_env(env_id, env_kwargs)
    fitted = demonstrations.fitted_to(env.observation_space, env.action_space)
    action_space = env.action_space
    env.close()
    seeds = SeedStream(seed, "evaluation").take(episodes)
    env_factory = partial(make_env, env_id, env_kwargs)
    played = collect_episodes(policy, env_factory, seeds, num_envs, on_episode, on_steps)
    at_random = collect_episodes(random_policy(action_space, seed), env_factory, seeds, num_envs, on_steps=on_steps)
    returns, random_returns, expert_returns = _returns(played), _returns(at_random), fitted.returns()
    expert_mean = None if expert_returns is None else float(expert_returns.mean())
    random_mean = float(random_returns.mean())
    mean = float(returns.mean())
    return Evaluation(
        env_id=env_id,
        episodes=episodes,
        seed=seed,
        return_mean=mean,
        return_std=float(returns.std(ddof=1)) if episodes > 1 else 0.0,
        return_ci95=bootstrap_mean_interval(returns),
        expert_return_mean=expert_mean,
        expert_episodes=len(fitted.trajectories),
        random_return_mean=random_mean,
        normalised_score=None if expert_mean is None else normalised_score(mean, random_mean, expert_mean),
        length_mean=sum(map(len, played)) / len(played),
        expert_length_mean=fitted.num_steps / len(fitted.trajectories),
        terminated_fraction=sum(trajectory.terminated for trajectory in played) / len(played),
        expert_terminated_fraction=fitted.num_terminated / len(fitted.trajectories),
        actions=match_actions(policy, fitted, action_space),
    )


def _returns(trajectories: list[Trajectory]) -> np.ndarray:
    return np.array([trajectory.episode_return for trajectory in trajectories], dtype=np.float64)
