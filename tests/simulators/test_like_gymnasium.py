"""CartPole and Pendulum of tensors are Gymnasium's, step by step, to their ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

from gailkit.errors import InputError
from gailkit.simulators import CartPole, Pendulum, Simulation, Simulator
from gailkit.simulators.simulation import uniform

N = 64
BOTH = pytest.mark.parametrize(("make", "env_id"), [(CartPole, "CartPole-v1"), (Pendulum, "Pendulum-v1")])
Make = Callable[..., Simulation]


def all_of(simulator: Simulator) -> torch.Tensor:
    return torch.ones(simulator.num_envs, dtype=torch.bool)


def put(env: gymnasium.Env[Any, Any], state: torch.Tensor) -> None:
    inner: Any = env.unwrapped
    inner.state = state.numpy().copy()


def some_actions(simulator: Simulation, random: np.random.Generator) -> np.ndarray:
    """Random ones, and in the first half of the environments ones that make episodes long."""
    space = simulator.single_action_space
    if isinstance(space, gymnasium.spaces.Discrete):
        upright = (simulator.states @ torch.tensor([0.02, 0.05, 1.0, 0.3]).double() > 0).long().numpy()
        return np.where(np.arange(N) < N // 2, upright, random.integers(2, size=N))
    return random.uniform(-2, 2, (N, 1)).astype(np.float32)


@BOTH
def test_every_step_is_that_of_gymnasium_from_the_same_state_with_ends_and_time_limits(make: Make, env_id: str) -> None:
    """40,000 steps; whoever ends begins again, in the state that the other has drawn."""
    simulator, random = make(N), np.random.default_rng(0)
    envs = [gymnasium.make(env_id) for _ in range(N)]
    simulator.reset(all_of(simulator), torch.arange(N))
    for env, state in zip(envs, simulator.states, strict=True):
        env.reset(seed=0)
        put(env, state)
    ends = np.zeros(2, int)
    for t in range(640):
        actions = some_actions(simulator, random)
        found = simulator.step(torch.from_numpy(actions))
        wanted = [env.step(action) for env, action in zip(envs, actions, strict=True)]
        observations, rewards, terminated, truncated, _ = zip(*wanted, strict=True)
        np.testing.assert_allclose(found.observations, np.stack(observations), atol=1e-5)
        np.testing.assert_allclose(found.rewards, np.array(rewards), atol=1e-5)
        np.testing.assert_array_equal(found.terminated, np.array(terminated))
        np.testing.assert_array_equal(found.truncated, np.array(truncated))
        ends += [sum(terminated), sum(truncated)]
        over = found.terminated | found.truncated
        simulator.reset(over, torch.arange(N) + 100 * t)
        for i in np.flatnonzero(over):
            envs[i].reset(seed=0)
            put(envs[i], simulator.states[i])
    assert ends[1] > 0 and (ends[0] > 100 or make is Pendulum)


@BOTH
def test_the_spaces_and_the_time_limit_are_those_of_gymnasium(make: Make, env_id: str) -> None:
    simulator, env = make(2), gymnasium.make(env_id)
    assert isinstance(simulator, Simulator)
    assert simulator.single_observation_space == env.observation_space
    assert simulator.single_action_space == env.action_space
    assert env.spec is not None and simulator.max_episode_steps == env.spec.max_episode_steps


@BOTH
def test_episodes_begin_where_those_of_gymnasium_do(make: Make, env_id: str) -> None:
    """In the mean and the range of every component, over 4000 seeds."""
    simulator, env = make(4000), gymnasium.make(env_id)
    simulator.reset(all_of(simulator), torch.arange(4000))
    theirs = []
    for seed in range(400):
        env.reset(seed=seed)
        inner: Any = env.unwrapped
        theirs.append(np.array(inner.state))
    high = np.abs(np.stack(theirs)).max(0)
    ours = simulator.states.numpy()
    np.testing.assert_allclose(np.abs(ours).max(0), high, rtol=0.02)
    np.testing.assert_allclose(ours.mean(0), 0.0, atol=0.06 * high.max())
    np.testing.assert_allclose(ours.std(0), high / 3**0.5, rtol=0.05)


@BOTH
def test_a_seed_and_its_actions_make_an_episode_whichever_environment_it_is_in(make: Make, env_id: str) -> None:
    one, other = make(3), make(2)
    one.reset(all_of(one), torch.tensor([5, 6, 7]))
    seen = other.reset(all_of(other), torch.tensor([7, 5]))
    action = torch.ones(3, *(one.single_action_space.shape or ()), dtype=torch.int64)
    for _ in range(5):
        found, again = one.step(action), other.step(action[:2])
    assert torch.equal(found.observations[[2, 0]], again.observations)
    assert not torch.equal(found.observations[0], found.observations[1])
    assert seen.dtype == torch.float32 and not torch.equal(seen, again.observations)


@BOTH
def test_only_those_of_the_mask_begin_anew_and_what_was_returned_stays(make: Make, env_id: str) -> None:
    simulator = make(3)
    simulator.reset(all_of(simulator), torch.arange(3))
    action = torch.zeros(3, *(simulator.single_action_space.shape or ()), dtype=torch.int64)
    step = simulator.step(action)
    kept, seen = step.observations.clone(), simulator.reset(torch.tensor([False, True, False]), torch.full((3,), 9))
    assert torch.equal(step.observations, kept)
    assert torch.equal(seen[[0, 2]], kept[[0, 2]]) and not torch.equal(seen[1], kept[1])
    assert simulator.steps.tolist() == [1, 0, 1]


@BOTH
def test_a_simulator_goes_on_from_its_state(make: Make, env_id: str) -> None:
    simulator, other = make(3), make(3)
    simulator.reset(all_of(simulator), torch.arange(3))
    action = torch.ones(3, *(simulator.single_action_space.shape or ()), dtype=torch.int64)
    simulator.step(action)
    state = simulator.state_dict()
    wanted = simulator.step(action)
    other.load_state_dict(state)
    assert all(map(torch.equal, other.step(action), wanted))
    with pytest.raises(InputError, match=r"are \(4, .\); found \(3, .\)"):
        make(4).load_state_dict(state)


def test_numbers_from_seeds_are_uniform_and_independent_of_one_another() -> None:
    """Of 20,000 neighbouring seeds: mean 1/2 and variance 1/12 to 4 standard errors, and no correlation of columns or
    of neighbours."""
    found = uniform(torch.arange(20_000), 3)
    assert 0.0 <= float(found.min()) < 1e-3 and 1.0 - 1e-3 < float(found.max()) < 1.0
    np.testing.assert_allclose(found.mean(0), 0.5, atol=4 * (1 / 12 / 20_000) ** 0.5)
    np.testing.assert_allclose(found.var(0), 1 / 12, rtol=4 * (0.8 / 20_000) ** 0.5)
    beside = torch.cat((found[1:], found[:-1]), 1).T
    correlation = torch.corrcoef(beside) - torch.eye(6, dtype=torch.float64)
    assert float(correlation.abs().max()) < 5 / 20_000**0.5
    assert len(found.unique()) == found.numel()


def test_by_hand_the_first_number_of_splitmix64() -> None:
    """Seed 0 leaves the state at the constant gamma, whose first output is known: 0xe220a8397b1dcdaf."""
    assert float(uniform(torch.tensor([0]), 1)) == (0xE220A8397B1DCDAF >> 11) * 2.0**-53


def test_a_number_of_environments_below_1_is_refused() -> None:
    with pytest.raises(InputError, match="num_envs must be a whole number, 1 or more; found 0"):
        CartPole(0)
    with pytest.raises(InputError, match="max_episode_steps must be a whole number, 1 or more; found -3"):
        Pendulum(1, max_episode_steps=-3)
    with pytest.raises(InputError, match="max_episode_steps must be a whole number, 1 or more; found 0"):
        Pendulum(1, max_episode_steps=0)


class Single(Pendulum):
    """In the numbers that networks have."""

    def begin(self, seeds: Tensor) -> Tensor:
        return super().begin(seeds).float()


def test_states_keep_the_numbers_they_are_of_when_they_are_gone_on_from() -> None:
    simulator, other = Single(2), Single(2)
    simulator.reset(torch.ones(2, dtype=torch.bool), torch.arange(2))
    state = simulator.state_dict()
    other.load_state_dict(state)
    assert other.states.dtype == state["states"].dtype == torch.float32
    with pytest.raises(InputError, match=r"the steps of the environments are \(2,\); found \(3,\)"):
        other.load_state_dict({**state, "steps": torch.zeros(3)})


def test_states_without_a_row_for_each_environment_are_refused() -> None:
    """A vector of one number each would be made a square by the mask of those that begin."""

    class Flattened(Pendulum):
        def begin(self, seeds: Tensor) -> Tensor:
            return super().begin(seeds)[:, 0]

    with pytest.raises(InputError, match=r"begin must return states \(3, S\), a row for each .*; found shape \(3,\)"):
        Flattened(3)
