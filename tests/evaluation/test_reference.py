"""What policies are compared with: episodes that none of them was trained on, and one set of random actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation.evaluate import Reference
from gailkit.generator import TrainedPolicy
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Batched, Trajectory

Climb = Callable[..., Trajectory]
SPACES = Box(-1000, 1000, (1,), np.float32), Discrete(2)


class Stairs(gymnasium.Env[np.ndarray, int]):
    """Observes a height, at first one of ten by the seed; action 1 climbs by 1, until ``top`` above the start."""

    observation_space, action_space = SPACES

    def __init__(self, top: int = 9) -> None:
        self.top = top

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        self.start = self.height = (seed or 0) % 10
        return np.array([self.height], np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.height += int(action)
        return np.array([self.height], np.float32), 1.0, self.height - self.start >= self.top, False, {}


@pytest.fixture(autouse=True)
def stairs() -> Iterator[None]:
    gymnasium.register("Stairs-v0", entry_point=Stairs, max_episode_steps=20)
    yield
    del gymnasium.registry["Stairs-v0"]


@pytest.fixture
def expert(climb: Climb) -> Demonstrations:
    """Six episodes of 3 to 8 steps."""
    return Demonstrations(tuple(climb(steps) for steps in range(3, 9)), *SPACES, "Stairs-v0")


def reference(expert: Demonstrations, trained_on: Iterable[str] = ()) -> Reference:
    return Reference(expert, "Stairs-v0", episodes=2, env_kwargs={"top": 3}, trained_on=trained_on)


def trained(trained_on: Iterable[str]) -> TrainedPolicy:
    actor_critic = ActorCritic(ObservationEncoder(SPACES[0]), SPACES[1], (4,))
    return TrainedPolicy(actor_critic, *SPACES, "Stairs-v0", trained_on=frozenset(trained_on))


@Batched
def climbing(observations: np.ndarray) -> np.ndarray:
    return np.ones(len(observations), np.int64)


@pytest.mark.parametrize(("shown", "compared", "held_out"), [(0, 6, True), (1, 5, True), (5, 1, True), (6, 6, False)])
def test_a_policy_is_compared_with_the_episodes_it_has_not_seen_if_there_are_any(
    expert: Demonstrations, shown: int, compared: int, held_out: bool
) -> None:
    digests = expert.digests()
    found = reference(expert).evaluate(trained(digests[:shown]))
    assert (found.compared_episodes, found.actions.action_held_out) == (compared, held_out)
    assert (found.actions.action_episodes, found.actions.action_held_out) == (compared, held_out)
    assert sorted(Demonstrations(tuple(found.shown)).digests()) == sorted(digests[shown:] or digests)
    assert found.expert_episodes == len(found.expert) == 6
    assert found.expert_return_mean == found.expert_length_mean == np.mean([3, 4, 5, 6, 7, 8])  # of all


def test_what_a_policy_has_seen_is_known_by_content_not_by_place(expert: Demonstrations) -> None:
    elsewhere = Demonstrations(tuple(expert.trajectories[2:4]))  # another file, another position
    found = reference(expert).evaluate(trained(elsewhere.digests()))
    assert [len(each) for each in found.shown] == [3, 4, 7, 8]


def test_what_some_policy_was_trained_on_none_is_compared_with(expert: Demonstrations) -> None:
    digests = expert.digests()
    beside = reference(expert, trained_on=digests[:2])
    assert [len(each) for each in beside.evaluate(trained(digests[2:3])).shown] == [6, 7, 8]
    by_function = beside.evaluate(climbing)
    assert [len(each) for each in by_function.shown] == [5, 6, 7, 8]
    assert (by_function.compared_episodes, by_function.actions.action_held_out) == (
        len(by_function.shown),
        None,
    )  # nobody knows what it has seen


def test_where_others_have_seen_everything_a_policy_is_compared_with_what_it_has_not(expert: Demonstrations) -> None:
    digests = expert.digests()
    beside = reference(expert, trained_on=digests)
    found = beside.evaluate(trained(digests[:4]))
    assert ([len(each) for each in found.shown], found.actions.action_held_out) == ([7, 8], True)
    own = beside.evaluate(trained(digests))
    assert (own.compared_episodes, own.actions.action_held_out) == (6, False)
    assert beside.evaluate(climbing).compared_episodes == 6


def test_equal_episodes_of_the_expert_are_compared_with_once(expert: Demonstrations, climb: Climb) -> None:
    doubled = Demonstrations((climb(4), *expert.trajectories, climb(8)), *SPACES)
    found = reference(doubled).evaluate(climbing)
    assert (found.compared_episodes, found.expert_episodes) == (6, 8)
    seen = reference(doubled).evaluate(trained(doubled.digests()))
    assert (seen.compared_episodes, seen.actions.action_held_out) == (6, False)


def test_random_actions_are_run_once_for_all_policies_and_from_their_starts(expert: Demonstrations) -> None:
    beside = reference(expert)
    first, second = beside.evaluate(climbing), beside.evaluate(trained([]))
    assert first.at_random is second.at_random
    assert {each.seed for each in first.at_random} == {each.seed for each in first.played}
    assert first.returns.paired_with_random is not None
    assert first.returns.paired_with_random.starts == 2
    assert {len(each) for each in first.played} == {3}  # the environment's own argument: it ends 3 above the start


def test_noise_that_the_expert_was_recorded_with_is_known_from_the_file(expert: Demonstrations) -> None:
    noisy = Demonstrations(tuple(expert.trajectories), *SPACES, provenance={"noise": "0.2"})
    assert reference(noisy).evaluate(climbing).actions.action_by_expert == pytest.approx(1 - 0.2 / 2)
    assert reference(expert).evaluate(climbing).actions.action_by_expert is None


def test_of_very_many_episodes_the_counts_are_those_of_the_compared_ones(
    expert: Demonstrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gailkit.evaluation.evaluate.MOST_EPISODES", 4)
    found = reference(expert).evaluate(climbing)
    assert (found.compared_episodes, len(found.shown), found.expert_episodes) == (4, 4, 6)
