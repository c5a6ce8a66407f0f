"""A trained policy as a function: likeliest actions or reproducible samples, and how likely actions are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.generator import TrainedPolicy
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder

OBSERVATIONS = Box(-np.inf, np.inf, (3,))
SPACES = pytest.mark.parametrize("action_space", [Discrete(4, start=2), Box(-1, 3, (2,))], ids=str)


def policy(action_space: Space[object]) -> TrainedPolicy:
    torch.manual_seed(0)
    encoder = ObservationEncoder(OBSERVATIONS)
    encoder.update(torch.randn(50, 3))
    return TrainedPolicy(ActorCritic(encoder, action_space, (8,)), OBSERVATIONS, action_space, "Any-v0")


def observations(count: int = 30) -> np.ndarray:
    """In double precision, as an environment or a file may give them."""
    return np.random.default_rng(0).normal(size=(count, 3))


@SPACES
def test_by_default_it_takes_its_likeliest_actions(action_space: Space[object]) -> None:
    trained = policy(action_space)
    obs = observations()
    expected = trained.actor_critic(torch.from_numpy(obs).float()).mode().detach().numpy()
    for _ in range(2):
        assert np.array_equal(trained(obs), expected)
    assert trained(obs).shape == (30, *action_space.shape)
    assert trained(obs).dtype == (np.int64 if isinstance(action_space, Discrete) else np.float32)


@SPACES
@pytest.mark.parametrize("seed", [0, 5])
def test_samples_are_reproducible_go_on_and_depend_on_the_seed(action_space: Space[object], seed: int) -> None:
    trained = policy(action_space)
    obs = observations()

    def two_calls(seed: int) -> list[np.ndarray]:
        sampling = trained.sampling(seed)
        return [sampling(obs), sampling(obs)]

    first, again, other = two_calls(seed), two_calls(seed), two_calls(seed + 1)
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, other)


@SPACES
def test_sampling_leaves_the_policy_and_the_global_random_numbers_alone(action_space: Space[object]) -> None:
    trained = policy(action_space)
    obs = observations()
    expected, state = trained(obs), torch.get_rng_state()
    sampling = trained.sampling(3)
    sampling(obs)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(trained(obs), expected)
    assert np.array_equal(sampling.deterministic()(obs), expected)


def test_samples_are_drawn_from_the_policy() -> None:
    trained = policy(Discrete(4, start=2))
    obs = np.repeat(observations(1), 20_000, axis=0)
    counts = np.bincount(trained.sampling(0)(obs) - 2, minlength=4)
    logits = trained.actor_critic(torch.from_numpy(obs[:1]).float()).logits
    expected = 20_000 * logits.softmax(-1)[0].detach().numpy()
    assert ((counts - expected) ** 2 / expected).sum() < 16.3  # chi-square, 3 degrees of freedom: once in 1000


@SPACES
def test_the_log_likelihood_is_that_of_its_distribution(action_space: Space[object]) -> None:
    trained = policy(action_space)
    obs = observations()
    actions = trained.sampling(0)(obs)
    expected = trained.actor_critic(torch.from_numpy(obs).float()).log_prob(torch.from_numpy(actions))
    found = trained.log_likelihood(obs, actions)
    assert found.shape == (30,)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-6)
    assert (trained.log_likelihood(obs, trained(obs)) >= found - 1e-6).all()  # the mode is the likeliest


def test_likelihoods_of_discrete_actions_are_probabilities() -> None:
    trained = policy(Discrete(4, start=2))
    obs = observations()
    each = [np.exp(trained.log_likelihood(obs, np.full(30, action))) for action in range(2, 6)]
    np.testing.assert_allclose(np.sum(each, axis=0), 1.0, rtol=1e-5)
