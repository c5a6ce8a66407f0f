"""Endings: judged by the density ratio of last observations, rewarded where an episode terminates and nowhere else."""

from __future__ import annotations

import math
from copy import deepcopy
from functools import partial

import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.discriminator import (
    AdversarialLoss,
    BoxActionDiscriminator,
    CrossEntropyLoss,
    DiscriminatorLearner,
    DiscriminatorLoss,
    EndingJudge,
    StateDiscriminator,
    with_gradient_penalty,
)
from gailkit.discriminator.endings import REMEMBERED, arrivals
from gailkit.functional.rewards import log_d, log_odds
from gailkit.networks.encoders import ObservationEncoder
from gailkit.networks.mlp import mlp
from gailkit.types import Rollout, Transitions

KAPPA, WORTH = 0.5, 8.0


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def arriving(places: list[int]) -> Transitions:
    """Steps of the expert's that terminated in these places, out of place 0."""
    there = torch.tensor(places)
    return Transitions(there * 0, there * 0, there, torch.ones(len(places), dtype=torch.bool))


def rollout(places: list[int], terminated: list[bool] | bool = True) -> Rollout:
    """Steps of one environment that led to these places."""
    there = torch.tensor(places).unsqueeze(-1)
    ended = torch.as_tensor(terminated).expand(len(places)).unsqueeze(-1)
    return Rollout(there * 0, there * 0, there, ended, torch.zeros_like(ended))


def judge_of(expert: list[int], loss: DiscriminatorLoss | None = None, updates: int = 300) -> EndingJudge:
    """A judge of endings in one of three places."""
    places = StateDiscriminator(ObservationEncoder(Discrete(3)), Discrete(2), partial(mlp, hidden=(32,)))
    return EndingJudge(places, loss or AdversarialLoss(KAPPA), arriving(expert), updates=updates, worth=WORTH)


def logits(judge: EndingJudge) -> Tensor:
    """Of the three places, (3,)."""
    with torch.no_grad():
        found: Tensor = judge.discriminator(arrivals(arriving([0, 1, 2])))
    return found


def learned(judge: EndingJudge, endings: list[int], expert_mass: float, policy_mass: float) -> EndingJudge:
    for group in judge.optimizer.param_groups:
        group["lr"] = 3e-3
    for _ in range(3):
        judge.update(rollout(endings), expert_mass, policy_mass)
    return judge


@pytest.mark.parametrize(("expert_mass", "policy_mass"), [(0.4, 0.4), (0.6, 0.2), (0.1, 0.5)])
def test_it_recovers_the_experts_share_of_the_occupancy_of_every_last_state(
    expert_mass: float, policy_mass: float
) -> None:
    # the expert ends in place 1 three times out of four, the policy once out of four
    judge = learned(judge_of([1, 1, 1, 2]), [1, 2, 2, 2], expert_mass, policy_mass)
    z = logits(judge)[1:]
    ours, theirs = (m * torch.tensor(p) for m, p in ((expert_mass, [0.75, 0.25]), (policy_mass, [0.25, 0.75])))
    torch.testing.assert_close(KAPPA * z + torch.sigmoid(-z), ours / (ours + theirs), rtol=0, atol=0.05)


def test_the_judgement_is_that_of_its_loss() -> None:
    judge = learned(judge_of([1, 1, 1, 2], CrossEntropyLoss()), [1, 2, 2, 2], 0.3, 0.3)
    torch.testing.assert_close(logits(judge)[1:].sigmoid(), torch.tensor([0.75, 0.25]), rtol=0, atol=0.05)


@pytest.mark.parametrize("loss", [AdversarialLoss(KAPPA), with_gradient_penalty(AdversarialLoss(KAPPA), 1.0)])
def test_where_the_last_observation_says_nothing_an_ending_is_worth_nothing(loss: DiscriminatorLoss) -> None:
    expert_mass, policy_mass = 0.6, 0.2
    judge = learned(judge_of([1, 1], loss), [1, 1, 1], expert_mass, policy_mass)
    absorbing = loss.optimal_logit(expert_mass / (expert_mass + policy_mass))
    added = judge.rewards(rollout([1, 1]).transitions(), log_odds, absorbing)
    torch.testing.assert_close(added / WORTH, torch.zeros(2), rtol=0, atol=0.02)


def test_the_experts_ending_is_rewarded_and_another_one_is_punished() -> None:
    judge = learned(judge_of([1, 1]), [2, 2], 0.4, 0.4)
    added = judge.rewards(rollout([1, 2]).transitions(), log_odds, 0.0)
    assert added[0] > WORTH * 0.5
    assert added[1] < -WORTH * 0.5


def test_rewards_are_added_where_an_episode_terminated_and_nowhere_else() -> None:
    judge = learned(judge_of([1, 1, 2]), [2, 0], 0.4, 0.3)
    added = judge.rewards(rollout([0, 1, 2, 1], [False, True, True, False]).transitions(), log_d, -0.25)
    expected = WORTH * (log_d(logits(judge)) + 0.25)
    torch.testing.assert_close(added, torch.stack([torch.tensor(0.0), expected[1], expected[2], torch.tensor(0.0)]))
    assert not added.requires_grad


def test_nothing_happens_while_the_policy_never_terminates() -> None:
    judge = judge_of([1, 2])
    before, drawn = deepcopy(judge.state_dict()), torch.get_rng_state()
    judge.update(rollout([0, 1, 2], terminated=False), 0.5, 0.0)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(
        torch.equal(before["discriminator"][name], now) for name, now in judge.discriminator.state_dict().items()
    )
    for terminated in (False, True):  # it has learned nothing yet
        steps = rollout([0, 1, 2], terminated).transitions()
        assert torch.equal(judge.rewards(steps, log_d, -0.3), torch.zeros(3))


def test_it_goes_on_learning_from_endings_of_before() -> None:
    judge = judge_of([1, 1], updates=20)
    judge.update(rollout([2]), 0.4, 0.4)
    apart = float(logits(judge)[1] - logits(judge)[2])
    judge.update(rollout([0, 0], terminated=False), 0.4, 0.4)
    assert float(logits(judge)[1] - logits(judge)[2]) > apart


def test_the_latest_endings_are_remembered_and_no_more_than_so_many() -> None:
    judge = judge_of([1], updates=1)
    judge.update(rollout([0] * 7 + [2] * (REMEMBERED - 4)), 0.5, 0.5)
    assert judge.policy.obs.tolist() == [0] * 4 + [2] * (REMEMBERED - 4)
    judge.update(rollout([1, 0, 1], [True, False, True]), 0.5, 0.5)
    assert judge.policy.obs.tolist() == [0] * 2 + [2] * (REMEMBERED - 4) + [1] * 2


@pytest.mark.parametrize("before", [[], [2, 2, 1]])
def test_a_stored_judge_goes_on_as_if_it_had_never_stopped(before: list[int]) -> None:
    original, restored = judge_of([1, 2], updates=5), judge_of([1, 2], updates=5)
    assert not torch.equal(logits(original), logits(restored))
    if before:
        original.update(rollout(before), 0.3, 0.4)
    restored.load_state_dict(deepcopy(original.state_dict()))
    found = []
    for judge in (original, restored):
        torch.manual_seed(1)
        judge.update(rollout([2, 0, 1], [True, False, True]), 0.3, 0.4)
        found.append((logits(judge), judge.rewards(rollout([0, 1, 2]).transitions(), log_d, -0.1), judge.policy.obs))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_judge_sees_observations_as_the_discriminator_beside_it_does() -> None:
    encoder = ObservationEncoder(Box(-10, 10, (2,)))
    encoder.update(5 + torch.randn(50, 2))
    like = BoxActionDiscriminator(encoder, Box(-1, 1, (1,)), lambda inputs, outputs: mlp(inputs, outputs, (4,)))
    obs, act = 5 + torch.randn(6, 2), torch.randn(6, 1)
    expert = Transitions(obs, act, obs, torch.ones(6, dtype=torch.bool))
    judge = EndingJudge.of(like, CrossEntropyLoss(), expert, updates=1, worth=1.0)
    assert judge.discriminator.encoder is encoder
    other = Transitions(obs, -act, obs, ~expert.terminated)
    assert torch.equal(judge.discriminator(expert), judge.discriminator(other))  # by the observation alone


def test_a_learner_adds_what_an_ending_is_worth_to_its_rewards() -> None:
    places = StateDiscriminator(ObservationEncoder(Discrete(3)), Discrete(2), partial(mlp, hidden=(8,)))
    fixed = {"expert_mass": 0.5, "gamma": 0.9, "learning_rate": 0.0, "updates": 1}
    alone, judging = (
        DiscriminatorLearner(deepcopy(places), AdversarialLoss(KAPPA), log_d, endings=judge, **fixed)
        for judge in (None, judge_of([1, 1]))
    )
    steps = rollout([0, 1, 2, 0], [False, False, True, False])

    def draw(size: int) -> Transitions:
        return arriving([0] * size)

    for learner in (alone, judging):
        for _ in range(4):
            learner.update(draw, steps)
    assert judging.endings is not None
    added = judging.rewards(steps) - alone.rewards(steps)
    ended = judging.endings.rewards(steps.transitions(), log_d, judging.absorbing_reward())
    torch.testing.assert_close(added, ended[:, None])
    assert added[2] < -1.0
    assert math.isclose(alone.absorbing_reward(), judging.absorbing_reward())
