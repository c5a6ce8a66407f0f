"""Our own tasks keep their promises: what ends an episode and how, seeds, experts that succeed where chance fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from benchmarks import own_tasks
from benchmarks.own_tasks import Crossing, Docking, crossing_expert, docking_expert

DOCKING, CROSSING = "benchmarks.own_tasks:Docking-v0", "benchmarks.own_tasks:Crossing-v0"
EXPERTS = {DOCKING: docking_expert, CROSSING: crossing_expert}
NO_THRUST = np.zeros(2, np.float32)

ACT = Callable[[np.ndarray], Any]


class Played(NamedTuple):
    """One episode."""

    observations: np.ndarray  # (L + 1, *obs)
    rewards: np.ndarray  # (L,)
    terminated: bool
    success: bool


def play(env: gymnasium.Env[Any, Any], act: ACT, seed: int) -> Played:
    observation, _ = env.reset(seed=seed)
    observations, rewards = [observation], []
    while True:
        observation, reward, terminated, truncated, info = env.step(act(observation))
        observations.append(observation)
        rewards.append(float(reward))
        if terminated or truncated:
            return Played(np.array(observations), np.array(rewards), terminated, info["success"])


@pytest.fixture(params=[DOCKING, CROSSING])
def env(request: pytest.FixtureRequest) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(request.param, disable_env_checker=True)


def expert_of(env: gymnasium.Env[Any, Any]) -> ACT:
    assert env.spec is not None
    return EXPERTS[f"benchmarks.own_tasks:{env.spec.id}"]


def test_gymnasium_finds_no_fault(env: gymnasium.Env[Any, Any]) -> None:
    check_env(env.unwrapped)


def test_the_expert_succeeds_and_ends_its_episodes_itself(env: gymnasium.Env[Any, Any]) -> None:
    episodes = [play(env, expert_of(env), seed) for seed in range(40)]
    assert np.mean([episode.success for episode in episodes]) >= 0.95
    assert all(episode.terminated for episode in episodes)


def test_random_actions_hardly_ever_succeed_and_often_fail(env: gymnasium.Env[Any, Any]) -> None:
    env.action_space.seed(0)
    episodes = [play(env, lambda _: env.action_space.sample(), seed) for seed in range(40)]
    assert np.mean([episode.success for episode in episodes]) < 0.1
    assert np.mean([episode.terminated and not episode.success for episode in episodes]) > 0.5


def test_the_same_seed_gives_the_same_episode_and_another_seed_another(env: gymnasium.Env[Any, Any]) -> None:
    first, again, other = (play(env, expert_of(env), seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.observations, again.observations)
    np.testing.assert_array_equal(first.rewards, again.rewards)
    assert not np.array_equal(first.observations[0], other.observations[0])


def test_episodes_lie_in_the_observation_space(env: gymnasium.Env[Any, Any]) -> None:
    env.action_space.seed(1)
    for act in (expert_of(env), lambda _: env.action_space.sample()):
        assert all(observation in env.observation_space for observation in play(env, act, 5).observations)


@pytest.mark.parametrize(
    ("state", "success"),
    [
        ((0.001, 0.0, -0.10, 0.0), True),
        ((0.001, 0.04, -0.10, 0.0), True),
        ((0.001, 0.0, -0.15, 0.0), False),  # too fast
        ((0.001, 0.0, -0.10, 0.09), False),  # too fast sideways: the speed is 0.135
        ((0.001, 0.10, -0.10, 0.0), False),  # the wall beside the port
        ((1.999, 0.0, 0.30, 0.0), False),  # out of the arena
        ((1.0, -0.999, 0.0, -0.30), False),
    ],
)
def test_docking_ends_well_only_in_the_port_and_slowly(state: tuple[float, float, float, float], success: bool) -> None:
    ship = Docking()
    ship.reset(seed=0)
    ship.state, ship.wind = state, (0.0, 0.0)
    _, reward, terminated, truncated, info = ship.step(NO_THRUST)
    assert (terminated, truncated, info["success"]) == (True, False, success)
    assert reward == pytest.approx(5.0 if success else -5.0, abs=0.03)


def test_a_ship_left_alone_moves_as_its_equation_says() -> None:
    ship = Docking()
    ship.reset(seed=0)
    ship.state, ship.wind = (1.0, 0.0, 0.2, 0.0), (0.0, 0.1)
    observation, reward, terminated, _, _ = ship.step(NO_THRUST)
    # vx = 0.2 - 0.05 * 0.5 * 0.2 = 0.195, x = 1 + 0.05 * 0.195; vy = 0.05 * 0.1 = 0.005, y = 0.05 * 0.005
    np.testing.assert_allclose(observation, (1.00975, 0.00025, 0.195, 0.005, 0.0, 0.1), rtol=1e-6)
    assert reward == pytest.approx(-0.00975 - 0.005, abs=1e-6)
    assert not terminated


def crossing_at(x: float, y: float, cars: list[float]) -> Crossing:
    walker = Crossing()
    walker.reset(seed=0)
    walker.x, walker.y, walker.cars = x, y, cars
    return walker


@pytest.mark.parametrize(
    ("x", "y", "cars", "action", "terminated", "success"),
    [
        (0.0, 0.95, [0.0, 0.0], own_tasks.UP, True, True),  # through the gate
        (0.5, 0.95, [0.0, 0.0], own_tasks.UP, True, False),  # the far bank beside it
        (0.0, 0.20, [0.0, 0.0], own_tasks.UP, True, False),  # under the car
        (0.0, 0.20, [1.0, 0.0], own_tasks.UP, False, False),  # the car is half the ring away
        (0.9, 0.20, [-0.9, 0.0], own_tasks.UP, True, False),  # the car is 0.25 away, around the ring
        (0.0, 0.20, [0.0, 0.0], own_tasks.STAY, False, False),  # beside the lane
        (-0.98, 0.0, [0.0, 0.0], own_tasks.LEFT, True, False),  # off the road
    ],
)
def test_crossing_ends_at_the_bank_under_a_car_and_off_the_road(
    x: float, y: float, cars: list[float], action: int, terminated: bool, success: bool
) -> None:
    _, reward, ended, truncated, info = crossing_at(x, y, cars).step(np.int64(action))
    assert (ended, truncated, info["success"]) == (terminated, False, success)
    assert reward == pytest.approx((5.0 if success else -5.0) if terminated else 0.0, abs=0.06)


def test_nobody_walks_back_beyond_the_near_bank() -> None:
    observation, *_ = crossing_at(0.0, 0.0, [0.0, 0.0]).step(np.int64(own_tasks.DOWN))
    np.testing.assert_allclose(observation, (0.0, 0.0, 0.05, -0.06), rtol=1e-6)  # the cars have moved on


def test_the_expert_waits_for_a_car_that_would_hit_it() -> None:
    beside = np.array((0.0, 0.2, -0.55, 1.0), np.float32)  # the car comes at 0.05 a step: 0.4 away after 3
    assert crossing_expert(beside) == own_tasks.STAY
    passed = np.array((0.0, 0.2, 0.55, 1.0), np.float32)
    assert crossing_expert(passed) == own_tasks.UP


@pytest.mark.parametrize(("env_id", "limit"), [(DOCKING, 400), (CROSSING, 200)])
def test_a_time_limit_truncates(env_id: str, limit: int) -> None:
    env = gymnasium.make(env_id, disable_env_checker=True)
    stay: ACT = hover if env_id == DOCKING else lambda _: own_tasks.STAY
    episode = play(env, stay, 0)
    assert (len(episode.rewards), episode.terminated, episode.success) == (limit, False, False)


def hover(observation: np.ndarray) -> np.ndarray:
    """Thrust against the velocity and the wind."""
    return np.clip(-5.0 * observation[2:4] - observation[4:6] / own_tasks.THRUST, -1.0, 1.0).astype(np.float32)
