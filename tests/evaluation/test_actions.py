"""A policy beside the expert: in the expert's states, on episodes it has not seen, against hand computation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation import actions
from gailkit.evaluation.actions import match_actions
from gailkit.generator import TrainedPolicy
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Trajectory

MakeDemonstrations = Callable[..., Demonstrations]


def indifferent(
    observation_space: Space[Any], action_space: Space[Any], trained_on: frozenset[str] = frozenset()
) -> TrainedPolicy:
    """A policy whose network gives 0 everywhere: equal probabilities, or a Gaussian in the middle of the Box."""
    actor_critic = ActorCritic(ObservationEncoder(observation_space), action_space, (4,))
    for parameter in actor_critic.policy.parameters():
        torch.nn.init.zeros_(parameter)
    return TrainedPolicy(actor_critic, observation_space, action_space, "Any-v0", trained_on=trained_on)


def box_demonstrations(*episodes: list[list[float]]) -> Demonstrations:
    """Episodes of these actions in states that do not matter."""
    return Demonstrations(
        tuple(
            Trajectory(np.zeros((len(acts) + 1, 1), np.float32), np.array(acts, np.float32), None, terminated=False)
            for acts in episodes
        )
    )


def test_a_gaussian_of_known_parameters_against_hand_computation() -> None:
    """Box [-1, 3] x [0, 10]: mean (1, 5), deviations (2, 5). An expert's 9 counts as the 3 that was done."""
    space = Box(np.array([-1, 0], np.float32), np.array([3, 10], np.float32))
    demonstrations = box_demonstrations([[1.0, 5.0], [9.0, 10.0]], [[0.0, 5.0]])
    match = match_actions(indifferent(Box(-1, 1, (1,)), space), demonstrations, space)
    assert match.action_mse == pytest.approx((0 + 0 + 2**2 + 5**2 + 1**2 + 0) / 6)
    at_mean = -math.log(2) - math.log(5) - math.log(2 * math.pi)
    below = (0 + (1**2 + 1**2) / 2 + 0.5**2 / 2) / 3  # half the squares of (a - mean) / deviation, mean of three steps
    assert match.action_log_likelihood == pytest.approx(at_mean - below, rel=1e-5)
    assert match.action_agreement is None
    assert match.sentence() == (
        "On 2 expert episodes it has not seen its action differs from the expert's by a mean square of 5."
    )


def test_equal_probabilities_have_the_likelihood_of_chance(make_demonstrations: MakeDemonstrations) -> None:
    demonstrations = make_demonstrations([5, 3])
    assert demonstrations.observation_space is not None
    policy = indifferent(demonstrations.observation_space, Discrete(2))
    match = match_actions(policy, demonstrations, Discrete(2))
    assert match.action_log_likelihood == pytest.approx(-math.log(2))
    assert match.action_mse is None


@pytest.mark.parametrize(
    ("offset", "agreement", "percent"), [(0, 1.0, "100.0%"), (1, 0.0, "0.0%")], ids=["expert", "opposite"]
)
def test_agreement_is_complete_for_the_expert_and_none_for_its_opposite(
    make_demonstrations: MakeDemonstrations, offset: int, agreement: float, percent: str
) -> None:
    """In these demonstrations the action is the time's last bit, and the time is observed."""
    match = match_actions(
        lambda obs: (obs[:, 1].astype(np.int64) + offset) % 2, make_demonstrations([5, 4, 1]), Discrete(2)
    )
    assert match.action_agreement == agreement
    assert match.action_log_likelihood is None  # a function has no probabilities
    assert (match.action_episodes, match.action_held_out) == (3, None)  # nobody knows what it has seen
    assert f"the expert's action in {percent} of the states." in match.sentence()


def test_every_state_counts_once_and_the_last_observation_not_at_all(make_demonstrations: MakeDemonstrations) -> None:
    seen: list[np.ndarray] = []

    def policy(obs: np.ndarray) -> np.ndarray:
        seen.append(obs)
        return np.zeros(len(obs), dtype=np.int64)

    match = match_actions(policy, make_demonstrations([5, 2]), Discrete(2))
    states = np.concatenate(seen).tolist()
    assert states == [[0, 0], [0, 1], [0, 2], [0, 3], [0, 4], [1, 0], [1, 1]]
    assert match.action_agreement == pytest.approx(4 / 7)  # the expert does 0, 1, 0, 1, 0 and 0, 1


def test_large_files_are_compared_in_batches_with_the_same_result(
    make_demonstrations: MakeDemonstrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def policy(obs: np.ndarray) -> np.ndarray:
        sizes.append(len(obs))
        return (obs[:, 1] > 1).astype(np.int64)

    whole = match_actions(policy, make_demonstrations([5, 2]), Discrete(2))
    monkeypatch.setattr(actions, "BATCH", 3)
    assert match_actions(policy, make_demonstrations([5, 2]), Discrete(2)) == whole
    assert sizes == [7, 3, 3, 1]


@pytest.mark.parametrize(("shown", "compared", "held_out"), [(0, 4, True), (1, 3, True), (3, 1, True), (4, 4, False)])
def test_a_policy_is_compared_on_the_episodes_it_has_not_seen_if_there_are_any(
    make_demonstrations: MakeDemonstrations, shown: int, compared: int, held_out: bool
) -> None:
    demonstrations = make_demonstrations([5, 3, 2, 6])
    assert demonstrations.observation_space is not None
    digests = frozenset(demonstrations.digests()[:shown])
    policy = indifferent(demonstrations.observation_space, Discrete(2), trained_on=digests)
    match = match_actions(policy, demonstrations, Discrete(2))
    assert (match.action_episodes, match.action_held_out) == (compared, held_out)
    assert ("has not seen" in match.sentence()) == held_out
    assert ("was trained on" in match.sentence()) != held_out


def test_what_a_policy_has_seen_is_known_by_content_not_by_place(make_demonstrations: MakeDemonstrations) -> None:
    demonstrations = make_demonstrations([5, 3, 2])
    assert demonstrations.observation_space is not None
    shown = Demonstrations(demonstrations.trajectories[2:])  # another file, another position
    policy = indifferent(demonstrations.observation_space, Discrete(2), trained_on=frozenset(shown.digests()))
    seen: list[np.ndarray] = []
    original = TrainedPolicy.__call__

    def recorded(self: TrainedPolicy, obs: np.ndarray) -> np.ndarray:
        seen.append(obs)
        return original(self, obs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TrainedPolicy, "__call__", recorded)
        match_actions(policy, demonstrations, Discrete(2))
    assert set(np.concatenate(seen)[:, 0]) == {0, 1}
