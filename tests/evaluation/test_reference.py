"""What policies are compared with: episodes that none of them was trained on, and one set of random actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError
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
    others = set(digests) - set(Demonstrations(tuple(found.shown)).digests())
    assert {each for episode in found.further for each in Demonstrations((episode,)).digests()} == others


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
    monkeypatch.setattr("gailkit.evaluation.held_out.MOST_EPISODES", 4)
    found = reference(expert).evaluate(climbing)
    assert (found.compared_episodes, len(found.shown), found.expert_episodes) == (4, 4, 6)


def test_returns_lengths_and_ends_of_the_expert_are_of_one_set(expert: Demonstrations) -> None:
    found = reference(expert).evaluate(trained(expert.digests()[:4]))
    assert found.compared_episodes == 2
    assert found.closeness.returns.expert is not None
    assert found.closeness.returns.expert.mean.value == found.closeness.endings.expert_length.value == 5.5  # 1 a step
    assert found.closeness.endings.expert_terminated.value == found.expert_terminated_fraction


def told(expert: Demonstrations, **provenance: str) -> Demonstrations:
    return Demonstrations(tuple(expert.trajectories), *SPACES, "Stairs-v0", provenance=provenance)


@pytest.mark.parametrize("kind", ["likeliest", "sampled"])
def test_a_policy_acts_as_the_expert_did_unless_it_is_told_otherwise(expert: Demonstrations, kind: str) -> None:
    beside = reference(told(expert, acted=kind))
    found = beside.evaluate(trained([]))
    assert (found.acting.policy_actions, found.acting.expert_actions, found.acting.other_actions) == (kind, kind, None)
    assert found.acting.sentence.endswith("actions, as the expert did.")
    for asked in ("likeliest", "sampled"):
        chosen = beside.evaluate(trained([]), actions=asked)
        assert (chosen.acting.policy_actions, chosen.acting.other_actions) == (asked, None)
        assert chosen.to_dict()["policy_actions"] == asked
    assert beside.evaluate(trained([]).sampling(3)).acting.policy_actions == "sampled"  # it was told before
    assert beside.evaluate(trained([]).sampling(3), actions="likeliest").acting.policy_actions == "likeliest"


def test_where_nothing_says_which_the_expert_took_both_are_run_and_the_verdict_is_on_the_likeliest(
    expert: Demonstrations,
) -> None:
    """A policy that prefers neither action climbs by the likeliest, the first, never: 20 steps, not about 6."""
    undecided = trained([])
    with torch.no_grad():
        for parameter in undecided.actor_critic.parameters():
            parameter.zero_()
    steps: list[int] = []
    beside = Reference(
        expert, "Stairs-v0", episodes=30, env_kwargs={"top": 3}, on_steps=lambda count: steps.append(count)
    )
    beside.at_random()
    steps.clear()
    seen: list[Trajectory] = []
    found = beside.evaluate(undecided, seen.append)
    other = found.acting.other_actions
    assert other is not None
    assert (found.acting.policy_actions, other.actions, other.episodes) == ("likeliest", "sampled", 20)
    assert (found.return_mean, len(seen)) == (20, 30)  # those that the verdict is on
    assert 4 < other.return_mean < 8
    assert sum(steps) == 30 * 20 + round(other.return_mean * 20)
    assert other.difference is not None
    assert other.difference.starts == 20
    assert other.difference.difference.value == pytest.approx(other.return_mean - 20)
    said = found.acting.sentence
    assert said.startswith("It acted by its likeliest actions; which kind of actions the expert took is not recorded. ")
    assert f"By sampled ones it returns {other.return_mean:.1f} in 20 episodes" in said
    assert said.endswith("The verdict is on its likeliest actions.")
    assert said in found.statement()
    again = beside.evaluate(undecided)
    assert again.acting == found.acting


def test_a_policy_of_somebody_elses_acts_as_it_does(expert: Demonstrations) -> None:
    beside = reference(expert)
    found = beside.evaluate(climbing, actions="likeliest")
    assert (found.acting.policy_actions, found.acting.other_actions) == (None, None)
    with pytest.raises(InputError, match="only a policy of gailkit's own samples"):
        beside.evaluate(climbing, actions="sampled")
    with pytest.raises(InputError, match="likeliest or sampled, or None for the expert's kind; found 'greedy'"):
        beside.evaluate(trained([]), actions="greedy")
