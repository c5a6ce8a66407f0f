"""A policy beside the expert: in the expert's states, against hand computation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation import actions
from gailkit.evaluation.actions import ActionMatch, match_actions, recorded_noise
from gailkit.experts.noise import noisy
from gailkit.generator import TrainedPolicy
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.spaces import Flat, flatten_values, flattened_space
from gailkit.types import Trajectory

MakeDemonstrations = Callable[..., Demonstrations]


def indifferent(observation_space: Space[Any], action_space: Space[Any]) -> TrainedPolicy:
    """A policy whose network gives 0 everywhere: equal probabilities, or a Gaussian in the middle of the Box."""
    actor_critic = ActorCritic(ObservationEncoder(observation_space), action_space, (4,))
    for parameter in actor_critic.policy.parameters():
        torch.nn.init.zeros_(parameter)
    return TrainedPolicy(actor_critic, observation_space, action_space, "Any-v0")


def box_episodes(*episodes: list[list[float]]) -> list[Trajectory]:
    """Episodes of these actions in states that do not matter."""
    return [
        Trajectory(np.zeros((len(acts) + 1, 1), np.float32), np.array(acts, np.float32), None, terminated=False)
        for acts in episodes
    ]


def alternating(make: MakeDemonstrations, *lengths: int) -> Sequence[Trajectory]:
    """Episodes in which the action is the time's last bit, and the time is observed."""
    return make(list(lengths)).trajectories


def test_a_gaussian_of_known_parameters_against_hand_computation() -> None:
    """Box [-1, 3] x [0, 10]: mean (1, 5), deviations (2, 5). An expert's 9 counts as the 3 that was done."""
    space = Box(np.array([-1, 0], np.float32), np.array([3, 10], np.float32))
    episodes = box_episodes([[1.0, 5.0], [9.0, 10.0]], [[0.0, 5.0]])
    match = match_actions(indifferent(Box(-1, 1, (1,)), space), episodes, space, held_out=True, noise=None)
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
    match = match_actions(policy, demonstrations.trajectories, Discrete(2), held_out=False, noise=None)
    assert match.action_log_likelihood == pytest.approx(-math.log(2))
    assert match.action_mse is None


@pytest.mark.parametrize(
    ("offset", "agreement", "percent"), [(0, 1.0, "100.0%"), (1, 0.0, "0.0%")], ids=["expert", "opposite"]
)
def test_agreement_is_complete_for_the_expert_and_none_for_its_opposite(
    make_demonstrations: MakeDemonstrations, offset: int, agreement: float, percent: str
) -> None:
    episodes = alternating(make_demonstrations, 5, 4, 1)
    match = match_actions(lambda obs: (obs[:, 1].astype(np.int64) + offset) % 2, episodes, Discrete(2), None, None)
    assert match.action_agreement == agreement
    assert match.action_log_likelihood is None  # a function has no probabilities
    assert (match.action_episodes, match.action_by_expert) == (3, None)
    assert f"the expert's action in {percent} of the states." in match.sentence()


@pytest.mark.parametrize(
    ("held_out", "said"), [(True, " it has not seen "), (False, " it was trained on "), (None, " ")], ids=str
)
def test_what_is_known_of_the_episodes_is_said(held_out: bool | None, said: str) -> None:
    episodes = [Trajectory(np.zeros((3, 1), np.float32), np.array([0, 1]), None, False)] * 2
    match = match_actions(lambda obs: np.zeros(len(obs)), episodes, Discrete(2), held_out, None)
    assert match.action_held_out is held_out
    assert match.sentence().startswith(f"On 2 expert episodes{said}it takes")


def test_one_episode_is_said_to_be_one() -> None:
    match = match_actions(lambda obs: obs, box_episodes([[1.0]]), Box(-9, 9, (1,)), None, None)
    assert match.sentence() == "On 1 expert episode its action differs from the expert's by a mean square of 1."


def test_every_state_counts_once_and_the_last_observation_not_at_all(make_demonstrations: MakeDemonstrations) -> None:
    seen: list[np.ndarray] = []

    def policy(obs: np.ndarray) -> np.ndarray:
        seen.append(obs)
        return np.zeros(len(obs), dtype=np.int64)

    match = match_actions(policy, alternating(make_demonstrations, 5, 2), Discrete(2), None, None)
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

    episodes = alternating(make_demonstrations, 5, 2)
    whole = match_actions(policy, episodes, Discrete(2), None, None)
    monkeypatch.setattr(actions, "BATCH", 3)
    assert match_actions(policy, episodes, Discrete(2), None, None) == whole
    assert sizes == [7, 3, 3, 1]


def test_of_what_does_not_fit_into_memory_the_first_episodes_are_compared(
    make_demonstrations: MakeDemonstrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    episodes = alternating(make_demonstrations, 5, 2, 9)
    monkeypatch.setattr(actions, "MOST_BYTES", episodes[0].observations.nbytes + 1)
    match = match_actions(lambda obs: np.zeros(len(obs), np.int64), episodes, Discrete(2), None, None)
    assert match.action_episodes == 2
    assert match.action_agreement == pytest.approx(4 / 7)


def strayed(noise: float, action_space: Space[Any], steps: int = 20_000) -> tuple[ActionMatch, float]:
    """A noisy expert's own policy beside its episode, and its agreement or error as it was."""

    def own(obs: np.ndarray) -> np.ndarray:
        if isinstance(action_space, Flat):
            return flatten_values(action_space, np.zeros((len(obs), *(action_space.stated.shape or ())), np.int64))
        return np.full((len(obs), *(action_space.shape or ())), 1, action_space.dtype)

    observations = np.zeros((steps + 1, 1), np.float32)
    done = noisy(own, action_space, noise, seed=0)(observations[:-1])
    match = match_actions(own, [Trajectory(observations, done, None, False)], action_space, None, noise)
    measured = match.action_mse if match.action_agreement is None else match.action_agreement
    assert measured is not None
    return match, measured


@pytest.mark.parametrize(
    ("noise", "action_space"),
    [
        (0.0, Discrete(4)),
        (0.3, Discrete(4)),
        (1.0, Discrete(2)),
        (0.0, Box(-9, 9, (1,))),
        (0.1, Box(np.array([-9, 0], np.float32), np.array([9, 2], np.float32))),
        (0.2, Box(-np.inf, np.inf, (2,))),
        (0.3, flattened_space(MultiDiscrete([2, 4]))),
        (0.4, flattened_space(MultiBinary(3))),
    ],
    ids=str,
)
def test_what_the_experts_noise_costs_is_what_its_own_policy_would_lack(noise: float, action_space: Space[Any]) -> None:
    match, measured = strayed(noise, action_space)
    assert match.action_by_expert == pytest.approx(measured, rel=0.03, abs=1e-9)


def test_of_choices_and_numbers_both_are_compared() -> None:
    space = flattened_space(Dict({"go": MultiDiscrete([2, 2]), "push": Box(-1, 1, (1,), np.float32)}))
    expert = np.array([[1, 0, 1, 0, 0.5], [0, 1, 1, 0, 0.5]], np.float32)  # two choices of two, and a number
    other = np.array([[1, 0, 1, 0, 0.7], [0, 1, 0, 1, 0.1]], np.float32)  # the second choice is another in one state
    episode = Trajectory(np.zeros((3, 1), np.float32), expert, None, False)
    match = match_actions(lambda observations: other, [episode], space, None, None)
    assert match.action_agreement == 0.5
    assert match.action_mse == pytest.approx((0.2**2 + 0.4**2) / 2)
    assert match.sentence().endswith("choices in 50.0% of the states, and its numbers differ by a mean square of 0.1.")


def test_the_cost_of_the_noise_is_said() -> None:
    assert (
        strayed(0.5, Discrete(2), 4)[0]
        .sentence()
        .endswith("of the states; without its noise the expert would in 75.0%.")
    )
    assert strayed(0.5, Box(-3, 3, (1,)), 4)[0].sentence().endswith("; the expert's noise alone makes up 2.25 at most.")


@pytest.mark.parametrize(
    ("provenance", "noise"),
    [
        ({"noise": "0.1"}, 0.1),
        ({"noise": "0"}, 0.0),
        ({}, None),
        ({"source": "0.1"}, None),
        ({"noise": "0.1", "addition_1": "more of it"}, None),
        ({"noise": "much"}, None),
        ({"noise": "nan"}, None),
        ({"noise": "inf"}, None),
        ({"noise": "-0.1"}, None),
        ({"noise": "1.5"}, None),
    ],
    ids=str,
)
def test_noise_is_believed_where_it_can_be_a_probability(provenance: dict[str, str], noise: float | None) -> None:
    assert recorded_noise(provenance, Discrete(2)) == noise


def test_noise_in_a_box_may_be_more_than_its_half_width() -> None:
    assert recorded_noise({"noise": "1.5"}, Box(-1, 1, (1,))) == 1.5
    for words in ("inf", "1e30", "-1"):
        assert recorded_noise({"noise": words}, Box(-1, 1, (1,))) is None
