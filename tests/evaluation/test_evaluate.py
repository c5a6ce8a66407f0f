"""The measurement: exact where the truth is known, the same for the same seed, honest about what is not known."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError
from gailkit.evaluation import classifier, occupancy
from gailkit.evaluation.acting import Acting
from gailkit.evaluation.actions import ActionMatch
from gailkit.evaluation.closeness import Closeness, closeness
from gailkit.evaluation.evaluate import evaluate
from gailkit.evaluation.evaluation import Evaluation
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import SeedStream, make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Batched, Policy

CARTPOLE = "CartPole-v1"
CONTRACT = {
    "env_id", "episodes", "return_mean", "return_ci95", "expert_return_mean", "random_return_mean", "normalised_score",
}  # fmt: skip


@Batched
def balancing(observations: np.ndarray) -> np.ndarray:
    """Push towards where the pole falls: 200 steps and more, against 22 of random actions."""
    return (observations[:, 2] + observations[:, 3] > 0).astype(np.int64)


@Batched
def leftward(observations: np.ndarray) -> np.ndarray:
    """About 9 steps, worse than random."""
    return np.zeros(len(observations), dtype=np.int64)


def recorded(policy: Policy, seeds: list[int]) -> Demonstrations:
    env = make_env(CARTPOLE)
    trajectories = collect_episodes(policy, lambda: make_env(CARTPOLE), seeds)
    return Demonstrations(tuple(trajectories), env.observation_space, env.action_space, CARTPOLE)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps, resamples and labellings than a user gets."""
    for name, number in {"POINTS": 64, "SPLITS": 2, "RESAMPLES": 10, "RESAMPLED_POINTS": 32, "SPLITS_EACH": 2}.items():
        monkeypatch.setattr(occupancy, name, number)
    for name, number in {"WAVES": 40, "PERMUTATIONS": 49}.items():
        monkeypatch.setattr(classifier, name, number)


@pytest.fixture(scope="module")
def expert() -> Demonstrations:
    """Six episodes of the balancing policy, from the very starts that evaluation with seed 3 chooses."""
    return recorded(balancing, SeedStream(3, "evaluation").take(6))


@pytest.fixture(scope="module")
def of_the_expert(expert: Demonstrations) -> Evaluation:
    return evaluate(balancing, expert, CARTPOLE, episodes=6, seed=3)


def test_a_function_of_one_observation_is_the_same_policy(expert: Demonstrations, of_the_expert: Evaluation) -> None:
    def balance(observation: np.ndarray) -> int:
        assert observation.shape == (4,)
        return int(observation[2] + observation[3] > 0)

    found = evaluate(balance, expert, CARTPOLE, episodes=6, seed=3)
    assert found.return_mean == of_the_expert.return_mean
    assert found.actions == of_the_expert.actions


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            balancing.act,
            r"^balancing failed for an observation of shape \(4,\): IndexError: .* \(test_evaluate\.py, line",
        ),
        (leftward.act, r"^leftward returned array\(\[0, 0, 0, 0\]\) of shape \(4,\) .* must be in Discrete\(2\)"),
        ("balancing", r"^'balancing' \(str\); it must be a callable"),
    ],
)
def test_a_function_of_a_batch_is_told_the_contract(expert: Demonstrations, policy: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        evaluate(policy, expert, CARTPOLE, episodes=1)
    assert "one observation -> one action; gailkit.Batched(function) is a function of N" in str(refused.value)


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
    again = evaluate(balancing, expert, CARTPOLE, episodes=6, seed=3)
    assert again.to_dict() == of_the_expert.to_dict()
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
    assert values["action_agreement"] == 1.0


def test_no_field_is_forgotten_and_no_episode_written(of_the_expert: Evaluation) -> None:
    fields = {field.name for kind in (Evaluation, Acting, ActionMatch, Closeness) for field in dataclasses.fields(kind)}
    kept_back = {"played", "shown", "further", "expert", "at_random", "spaces", "steps", "acting", "actions"}
    said_of_closeness = {"closeness", "closeness_ci95", "verdict", "verdict_sentence"}
    assert set(of_the_expert.to_dict()) == (fields - kept_back) | said_of_closeness


def test_values_are_those_that_json_gives_back(of_the_expert: Evaluation) -> None:
    values = of_the_expert.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_records_are_written_with_the_names_of_their_fields(of_the_expert: Evaluation) -> None:
    values, found = of_the_expert.to_dict(), of_the_expert.closeness
    for name in ("returns", "occupancy", "two_sample", "coverage", "endings"):
        record = getattr(found, name)
        assert set(values[name]) == {field.name for field in dataclasses.fields(record)}
    assert found.occupancy.closeness is not None and found.two_sample is not None
    assert values["closeness"] == found.occupancy.closeness.value
    assert list(values["closeness_ci95"]) == list(found.occupancy.closeness[1:])
    assert values["occupancy"]["closeness"] == found.occupancy.closeness._asdict()
    assert values["two_sample"]["auc"] == found.two_sample.auc
    assert values["returns"]["policy"]["mean"]["value"] == of_the_expert.return_mean
    assert (values["verdict"], values["verdict_sentence"]) == (found.verdict.verdict, found.verdict.sentence)
    assert [each["words"] for each in values["give_aways"]] == [each.words for each in found.give_aways]


def test_numbers_that_come_twice_are_the_same(of_the_expert: Evaluation) -> None:
    found = of_the_expert.closeness
    assert (found.returns, found.returns.policy.episodes) == (of_the_expert.returns, 6)
    assert of_the_expert.return_ci95 == found.returns.policy.mean[1:]
    assert found.endings.length.value == of_the_expert.length_mean
    assert found.endings.expert_terminated.value == of_the_expert.expert_terminated_fraction
    assert len(found.steps.policy) == len(found.steps.random) == 6
    assert found.steps.features[0].name == "cart position"


def test_closeness_is_measured_once_and_only_if_asked(expert: Demonstrations, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def watched(*arguments: Any, **options: Any) -> Closeness:
        measured.append(1)
        return closeness(*arguments, **options)

    monkeypatch.setattr("gailkit.evaluation.evaluation.closeness", watched)
    found = evaluate(leftward, expert, CARTPOLE, episodes=2)
    assert measured == []
    assert found.closeness is found.closeness
    found.statement()
    found.to_dict()
    assert measured == [1]


def test_where_random_actions_are_like_the_expert_the_statement_says_that_there_is_no_scale() -> None:
    env = make_env(CARTPOLE)
    aimless = recorded(random_policy(env.action_space, 9), list(range(100, 106)))
    found = evaluate(balancing, aimless, CARTPOLE, episodes=6)
    assert found.to_dict()["closeness"] is None
    assert "give no scale for a closeness" in found.statement()


def test_one_episode_is_enough_and_less_is_refused(expert: Demonstrations) -> None:
    one = evaluate(leftward, expert, CARTPOLE, episodes=1)
    assert one.return_ci95 == (one.return_mean, one.return_mean)
    assert one.return_std == 0
    read = json.loads(json.dumps(one.to_dict(), allow_nan=False))
    assert (read["verdict"], read["two_sample"]) == ("not enough expert data", None)
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
