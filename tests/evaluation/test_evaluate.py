"""The measurement: exact where the truth is known, the same for the same seed, honest about what is not known."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError
from gailkit.evaluation.actions import ActionMatch
from gailkit.evaluation.evaluate import Evaluation, evaluate
from gailkit.experts.random import random_policy
from gailkit.rollouts.envs import SeedStream, make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Policy

CARTPOLE = "CartPole-v1"
CONTRACT = {
    "env_id", "episodes", "return_mean", "return_ci95", "expert_return_mean", "random_return_mean", "normalised_score",
}  # fmt: skip


def balancing(observations: np.ndarray) -> np.ndarray:
    """Push towards where the pole falls: 200 steps and more, against 22 of random actions."""
    return (observations[:, 2] + observations[:, 3] > 0).astype(np.int64)


def leftward(observations: np.ndarray) -> np.ndarray:
    """About 9 steps, worse than random."""
    return np.zeros(len(observations), dtype=np.int64)


def recorded(policy: Policy, seeds: list[int]) -> Demonstrations:
    env = make_env(CARTPOLE)
    trajectories = collect_episodes(policy, lambda: make_env(CARTPOLE), seeds)
    return Demonstrations(tuple(trajectories), env.observation_space, env.action_space, CARTPOLE)


@pytest.fixture(scope="module")
def expert() -> Demonstrations:
    """Six episodes of the balancing policy, from the very starts that evaluation with seed 3 chooses."""
    return recorded(balancing, SeedStream(3, "evaluation").take(6))


@pytest.fixture(scope="module")
def of_the_expert(expert: Demonstrations) -> Evaluation:
    return evaluate(balancing, expert, CARTPOLE, episodes=6, seed=3)


def test_the_expert_itself_from_the_same_starts_scores_exactly_one(
    expert: Demonstrations, of_the_expert: Evaluation
) -> None:
    returns = expert.returns()
    assert returns is not None
    assert of_the_expert.normalised_score == 1.0
    assert of_the_expert.return_mean == of_the_expert.expert_return_mean == returns.mean()
    assert of_the_expert.return_std == returns.std(ddof=1)
    assert of_the_expert.length_mean == of_the_expert.expert_length_mean == expert.num_steps / 6
    assert of_the_expert.terminated_fraction == of_the_expert.expert_terminated_fraction == expert.num_terminated / 6
    assert of_the_expert.actions.action_agreement == 1.0
    low, high = of_the_expert.return_ci95
    assert returns.min() <= low <= returns.mean() <= high <= returns.max()


def test_random_actions_score_exactly_zero_when_they_are_the_same_random_actions(expert: Demonstrations) -> None:
    env = make_env(CARTPOLE)
    same = evaluate(random_policy(env.action_space, 3), expert, CARTPOLE, episodes=6, seed=3)
    assert same.normalised_score == 0.0
    assert same.return_mean == same.random_return_mean
    other = evaluate(random_policy(env.action_space, 4), expert, CARTPOLE, episodes=30, seed=3)
    assert other.return_mean != other.random_return_mean
    assert other.normalised_score is not None
    assert abs(other.normalised_score) < 0.1


def test_the_score_places_the_policy_between_random_and_expert(expert: Demonstrations) -> None:
    found = evaluate(leftward, expert, CARTPOLE, episodes=6, seed=3)
    assert found.expert_return_mean is not None
    scale = found.expert_return_mean - found.random_return_mean
    assert found.normalised_score == pytest.approx((found.return_mean - found.random_return_mean) / scale)
    assert found.normalised_score < 0


def test_the_same_seed_gives_the_same_numbers_and_another_other_starts(
    expert: Demonstrations, of_the_expert: Evaluation
) -> None:
    assert evaluate(balancing, expert, CARTPOLE, episodes=6, seed=3) == of_the_expert
    other = evaluate(balancing, expert, CARTPOLE, episodes=6, seed=4)
    assert other.return_mean != of_the_expert.return_mean
    assert other.expert_return_mean == of_the_expert.expert_return_mean


def test_how_many_environments_run_side_by_side_does_not_matter_to_the_policy(
    expert: Demonstrations, of_the_expert: Evaluation
) -> None:
    alone = evaluate(balancing, expert, CARTPOLE, episodes=6, seed=3, num_envs=1)
    assert (alone.return_mean, alone.return_ci95) == (of_the_expert.return_mean, of_the_expert.return_ci95)


def test_policy_and_random_actions_begin_in_the_same_states(expert: Demonstrations) -> None:
    starts: list[tuple[int | None, list[float]]] = []

    def on_episode(trajectory: Any) -> None:
        starts.append((trajectory.seed, trajectory.observations[0].tolist()))

    evaluate(leftward, expert, CARTPOLE, episodes=4, seed=3, num_envs=2, on_episode=on_episode)
    assert len(starts) == 4  # those of the policy alone
    assert {seed for seed, _ in starts} == set(SeedStream(3, "evaluation").take(4))
    expected = [trajectory.observations[0].tolist() for trajectory in expert.trajectories[:4]]
    assert sorted(start for _, start in starts) == sorted(expected)


def test_an_expert_worse_than_random_gives_no_score_and_it_says_so() -> None:
    found = evaluate(balancing, recorded(leftward, [0, 1, 2]), CARTPOLE, episodes=2)
    assert found.normalised_score is None
    assert found.expert_return_mean is not None
    assert found.expert_return_mean < found.random_return_mean
    assert "this expert is no better than random actions, so there is no score" in found.statement()
    assert found.to_dict()["normalised_score"] is None


def test_an_expert_without_rewards_gives_no_score_and_it_says_so(expert: Demonstrations) -> None:
    blind = Demonstrations(tuple(dataclasses.replace(each, rewards=None) for each in expert.trajectories))
    found = evaluate(balancing, blind, CARTPOLE, episodes=2)
    assert (found.normalised_score, found.expert_return_mean) == (None, None)
    assert "the expert's was not recorded" in found.statement()
    assert found.actions.action_agreement == 1.0  # the actions can be compared all the same
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_numbers_are_plain_json_with_the_names_of_the_contract(of_the_expert: Evaluation) -> None:
    values = of_the_expert.to_dict()
    assert set(values) >= CONTRACT
    read = json.loads(json.dumps(values, allow_nan=False))
    low, high = read["return_ci95"]
    assert [low, high] == list(of_the_expert.return_ci95)
    assert (read["env_id"], read["episodes"], read["seed"]) == (CARTPOLE, 6, 3)
    fields = {field.name for record in (Evaluation, ActionMatch) for field in dataclasses.fields(record)}
    assert set(values) == fields - {"actions"}
    assert values["action_agreement"] == 1.0


def test_the_statement_is_made_of_the_numbers(of_the_expert: Evaluation) -> None:
    found = dataclasses.replace(
        of_the_expert,
        return_mean=60.25,
        return_ci95=(55.5, 65.0),
        expert_return_mean=100.0,
        random_return_mean=20.0,
        normalised_score=0.5031,
        actions=ActionMatch(7, True, 0.8765, None, -0.3),
    )
    assert found.statement() == (
        "The policy's mean return is 60.2 (95 % interval 55.5 to 65.0), the expert's 100.0, random actions' 20.0: "
        "a score of 0.503, where 0 is random and 1 is the expert. "
        "On 7 expert episodes it has not seen it takes the expert's action in 87.6% of the states."
    )


def test_one_episode_is_enough_and_less_is_refused(expert: Demonstrations) -> None:
    one = evaluate(leftward, expert, CARTPOLE, episodes=1)
    assert one.return_ci95 == (one.return_mean, one.return_mean)
    with pytest.raises(InputError, match=r"the number of episodes must be at least 1; found 0"):
        evaluate(leftward, expert, CARTPOLE, episodes=0)


def test_demonstrations_of_another_task_are_refused(expert: Demonstrations) -> None:
    with pytest.raises(InputError, match=r"\(4,\).*\(3,\)"):
        evaluate(leftward, expert, "Pendulum-v1", episodes=1)


def test_whoever_watches_may_stop_it_and_sees_every_step(expert: Demonstrations) -> None:
    counted: list[int] = []
    found = evaluate(leftward, expert, CARTPOLE, episodes=3, on_steps=counted.append)
    assert sum(counted) == 3 * (found.length_mean + found.random_return_mean)  # a random step earns 1 as any other

    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(leftward, expert, CARTPOLE, episodes=3, on_steps=stop)


def test_the_environments_arguments_reach_it(expert: Demonstrations) -> None:
    punished = evaluate(balancing, expert, CARTPOLE, episodes=2, env_kwargs={"sutton_barto_reward": True})
    assert punished.random_return_mean == -1.0
