"""A trained policy as a function: likeliest actions or reproducible samples, and how likely actions are."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete

from gailkit.errors import InputError
from gailkit.generator import TrainedPolicy
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.spaces import clip_to_space

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


@SPACES
def test_one_observation_gives_one_action_that_of_a_batch_of_one(action_space: Space[object]) -> None:
    trained = policy(action_space)
    obs = observations(3)
    for each, expected in zip(obs, trained(obs), strict=True):
        action = trained(each)
        np.testing.assert_allclose(action, expected, rtol=1e-6)
        assert action.shape == action_space.shape
        likelihood = trained.log_likelihood(each, action)
        assert likelihood.shape == ()
        np.testing.assert_allclose(likelihood, trained.log_likelihood(each[np.newaxis], action[np.newaxis])[0])
    np.testing.assert_array_equal(trained.sampling(4)(obs[0]), trained.sampling(4)(obs[:1])[0])


def test_a_discrete_action_alone_is_a_number_that_environments_look_things_up_by() -> None:
    action = policy(Discrete(4, start=2)).predict(observations(1)[0])[0]
    assert {int(action): "found"}[action] == "found"


@SPACES
@pytest.mark.parametrize("given", [np.zeros(4), np.zeros((2, 4)), np.zeros((2, 1, 3)), 0.0, {"place": np.zeros(3)}])
def test_observations_of_another_shape_are_answered_with_both_shapes(action_space: Space[object], given: Any) -> None:
    trained = policy(action_space)
    for ask in (trained, trained.predict, lambda obs: trained.log_likelihood(obs, trained(observations(1)))):
        with pytest.raises(InputError, match=r"shape \(3,\), and a batch of N has shape \(N, 3\); found "):
            ask(given)


@SPACES
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_no_policy_acts_on_what_is_not_finite(action_space: Space[object], number: float) -> None:
    trained = policy(action_space)
    obs = observations(5)
    obs[3, 1] = number
    for ask in (trained, trained.predict, trained.sampling(0), lambda obs: trained.log_likelihood(obs, 0)):
        with pytest.raises(InputError, match=rf"^element 1 of observation 3 of 5 is {number}; every number must be"):
            ask(obs)
        with pytest.raises(InputError, match=rf"^element 1 of the observation is {number}; "):
            ask(obs[3])


def test_each_action_of_a_likelihood_has_its_observation() -> None:
    trained = policy(Discrete(4, start=2))
    with pytest.raises(InputError, match=r"^there must be one action for each observation; found 2 for 30$"):
        trained.log_likelihood(observations(), np.array([2, 3]))
    with pytest.raises(InputError, match=r"^action 0 of 1 is 9; Discrete\(4, start=2\) has no such element$"):
        trained.log_likelihood(observations(1), np.array([9]))


@SPACES
def test_predict_gives_actions_as_the_environment_takes_them(action_space: Space[object]) -> None:
    trained = policy(action_space)
    if isinstance(action_space, Box):
        trained.actor_critic.log_std.data += 3  # samples far outside the Box
    obs = observations()
    sampled, state = trained.sampling(5).predict(obs)
    assert state is None
    assert all(action_space.contains(action) for action in sampled)
    raw = trained.sampling(5)(obs)
    assert isinstance(action_space, Discrete) or not all(action_space.contains(action) for action in raw)
    np.testing.assert_array_equal(sampled, clip_to_space(action_space, raw))


@SPACES
def test_whoever_predicts_may_say_whether_the_likeliest_actions_are_wanted(action_space: Space[object]) -> None:
    likeliest, sampling = policy(action_space), policy(action_space).sampling(5)
    obs = observations()
    expected = likeliest.predict(obs)[0]
    for trained in (likeliest, sampling):
        np.testing.assert_array_equal(trained.predict(obs, deterministic=True)[0], expected)
    np.testing.assert_array_equal(sampling.predict(obs)[0], policy(action_space).sampling(5).predict(obs)[0])
    first, second = (likeliest.predict(obs, deterministic=False)[0] for _ in range(2))
    assert not np.array_equal(first, expected)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, policy(action_space).sampling(0).predict(obs)[0])


def test_a_loop_written_for_models_of_stable_baselines_runs_it() -> None:
    """The way ``evaluate_policy`` of that library goes: N environments together, states and beginnings handed on."""
    envs = gymnasium.make_vec("Pendulum-v1", num_envs=2)
    torch.manual_seed(0)
    actor_critic = ActorCritic(
        ObservationEncoder(envs.single_observation_space), envs.single_action_space, (8,), initial_log_std=2
    )
    model = TrainedPolicy(actor_critic, envs.single_observation_space, envs.single_action_space, "Pendulum-v1")
    seen, _ = envs.reset(seed=0)
    states, starts, earned = None, np.ones(2, dtype=bool), np.zeros(2)
    for _ in range(20):
        actions, states = model.predict(seen, state=states, episode_start=starts, deterministic=False)
        seen, rewards, terminated, truncated, _ = envs.step(actions)
        starts = terminated | truncated
        earned += rewards
    envs.close()
    assert states is None
    assert (earned < 0).all()
    handed_on = ("anything", 3)
    assert model.predict(seen, handed_on)[1] is handed_on


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_in_a_plain_loop_it_does_what_it_does_in_our_episodes(env_id: str) -> None:
    env = make_env(env_id)
    torch.manual_seed(0)
    actor_critic = ActorCritic(ObservationEncoder(env.observation_space), env.action_space, (8,))
    model = TrainedPolicy(actor_critic, env.observation_space, env.action_space, env_id)
    (episode,) = collect_episodes(model, lambda: make_env(env_id), [7])
    observation, _ = env.reset(seed=7)
    seen, acted, done, state = [observation], [], False, None
    while not done:
        action, state = model.predict(observation, state)
        assert env.action_space.contains(action)
        observation, _, terminated, truncated, _ = env.step(action)
        done = terminated or truncated
        seen.append(observation)
        acted.append(action)
    np.testing.assert_array_equal(np.stack(seen), episode.observations)
    np.testing.assert_array_equal(np.stack(acted), episode.actions)
