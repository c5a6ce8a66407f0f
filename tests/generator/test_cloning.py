"""Behaviour cloning: it recovers the expert's actions, and knows when to stop."""

from __future__ import annotations

import math

import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.generator import clone_behaviour
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.types import Transitions

OBSERVATIONS = Box(-1, 1, (3,))
WEIGHTS = torch.tensor([[0.5, -0.4, 0.1], [-0.2, 0.3, 0.6]])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def states(count: int) -> Tensor:
    return torch.rand(count, 3) * 2 - 1


def pairs(obs: Tensor, act: Tensor) -> Transitions:
    return Transitions(obs, act, obs, torch.zeros(len(obs), dtype=torch.bool))


def novice(action_space: Box | Discrete, obs: Tensor) -> ActorCritic:
    encoder = ObservationEncoder(OBSERVATIONS)
    encoder.update(obs)
    return ActorCritic(encoder, action_space, (32,))


def negative_log_likelihood(policy: ActorCritic, expert: Transitions) -> float:
    with torch.no_grad():
        return -float(policy(expert.obs).log_prob(expert.act).mean())


def test_a_linear_expert_is_recovered_in_states_it_never_showed() -> None:
    obs, unseen = states(1000), states(1000)
    policy = novice(Box(-1, 1, (2,)), obs)
    before = (policy(unseen).mode() - unseen @ WEIGHTS.T).square().mean()
    result = clone_behaviour(policy, pairs(obs, obs @ WEIGHTS.T), learning_rate=0.01, patience=10, max_epochs=60)
    error = (policy(unseen).mode() - unseen @ WEIGHTS.T).square().mean()
    assert before > 0.1
    assert error < 1e-3
    assert result.validation_loss < 0  # densities far above 1


def test_a_discrete_expert_is_recovered_also_where_actions_do_not_start_at_0() -> None:
    obs, unseen = states(1000), states(1000)

    def expert(obs: Tensor) -> Tensor:
        return 5 + (obs[:, 0] > obs[:, 1]).long()

    policy = novice(Discrete(2, start=5), obs)
    clone_behaviour(policy, pairs(obs, expert(obs)), patience=10, max_epochs=40)
    assert (policy(unseen).mode() == expert(unseen)).float().mean() > 0.97


def test_noise_is_not_learned_by_heart() -> None:
    obs, unseen = states(60), states(2000)
    policy = novice(Discrete(2), obs)
    result = clone_behaviour(policy, pairs(obs, torch.randint(2, (60,))), learning_rate=0.05, patience=40)
    chance = negative_log_likelihood(policy, pairs(unseen, torch.randint(2, (2000,))))
    assert result.epochs < 2000
    assert result.training_loss < result.validation_loss < math.log(2) + 0.1
    assert result.validation_loss < 1.1 * math.log(2)
    assert chance < 1.2 * math.log(2)  # but what it keeps is from before


def test_a_single_pair_is_shown_and_held_out_alike() -> None:
    expert = pairs(states(1), torch.tensor([1]))
    policy = novice(Discrete(2), states(10))
    result = clone_behaviour(policy, expert, max_epochs=20)
    assert result.epochs == 20
    assert result.validation_loss == pytest.approx(negative_log_likelihood(policy, expert), rel=1e-5)
    assert result.training_loss == result.validation_loss
    assert result.validation_loss < math.log(2)


def test_without_a_pass_nothing_changes_and_the_critic_never_does() -> None:
    obs = states(50)
    policy = novice(Discrete(2), obs)
    before = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    expert = pairs(obs, torch.ones(50, dtype=torch.int64))
    assert clone_behaviour(policy, expert, max_epochs=0).epochs == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in policy.state_dict().items())
    assert clone_behaviour(policy, expert, max_epochs=3).epochs == 3
    changed = {name for name, tensor in policy.state_dict().items() if not torch.equal(before[name], tensor)}
    assert changed
    assert {name.split(".")[0] for name in changed} == {"policy"}
