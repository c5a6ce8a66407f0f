"""Whole episodes: each that was asked for is run, from its own seed, and recorded as it was."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from gailkit.errors import EnvironmentFailure, InputError
from gailkit.rollouts.environments import SeedStream, make_env
from gailkit.rollouts.episodes import collect_episodes, run_episodes
from gailkit.rollouts.running_episode import RunningEpisode
from gailkit.types import Trajectory


class Countdown(gymnasium.Env[np.ndarray, np.ndarray]):
    """An episode of ``seed`` steps that counts them down; even ones terminate, odd ones are truncated."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Box(-1.0, 1.0, (3,), np.float32)
    closed = 0

    def __init__(self) -> None:
        self.shared = np.zeros(2, np.float32)  # the same array every time, as some environments do

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        assert seed is not None
        self.shared[:] = (seed, seed)
        return self.shared, {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.shared[1] -= 1
        ended, even = bool(self.shared[1] == 0), self.shared[0] % 2 == 0
        return self.shared, float(self.shared[1]), bool(ended and even), bool(ended and not even), {}

    def close(self) -> None:
        Countdown.closed += 1


class Faulty(Countdown):
    """After its second step something is wrong."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        if self.shared[0] - self.shared[1] < 2:
            return observation, reward, terminated, truncated, info
        match self.fault:
            case "raises":
                raise RuntimeError("the arm broke")
            case "nan observation":
                return np.array([0.0, np.nan]), reward, False, False, info
            case "nan reward":
                return observation, float("nan"), False, False, info
            case "shape":
                return np.zeros(5), reward, False, False, info
        return observation, reward, False, False, info


def idle(observations: np.ndarray) -> np.ndarray:
    return np.zeros((len(observations), 3))


def leaning(observations: np.ndarray) -> np.ndarray:
    """A poor CartPole player that looks at each row alone and lasts for some 40 steps."""
    return (observations[:, 2] > 0).astype(np.int64)


def test_exactly_the_episodes_that_were_asked_for_are_run_whatever_their_length() -> None:
    lengths = [50, 1, 2, 40, 1, 3, 60, 2, 1, 5]
    for num_envs in (1, 3, 64):
        found = dict(run_episodes(idle, Countdown, lengths, num_envs))
        assert [len(found[index]) for index in range(len(lengths))] == lengths


def test_an_episode_is_yielded_as_soon_as_it_ends() -> None:
    order = [index for index, _ in run_episodes(idle, Countdown, [50, 1, 2, 40], num_envs=2)]
    assert order == [1, 2, 3, 0]  # 1 + 2 + 40 steps in one environment end before 50 in the other


def test_a_batch_shrinks_when_no_seed_is_left() -> None:
    sizes: list[int] = []

    def policy(observations: np.ndarray) -> np.ndarray:
        sizes.append(len(observations))
        return idle(observations)

    steps: list[int] = []
    collect_episodes(policy, Countdown, [4, 1, 2], num_envs=8, on_steps=steps.append)
    assert sizes == steps == [3, 2, 1, 1]


def test_a_trajectory_is_what_happened() -> None:
    (trajectory,) = collect_episodes(idle, Countdown, [3])
    np.testing.assert_array_equal(trajectory.observations, np.array([[3, 3], [3, 2], [3, 1], [3, 0]], np.float32))
    assert trajectory.observations.dtype == np.float32
    np.testing.assert_array_equal(trajectory.rewards, [2.0, 1.0, 0.0])
    assert (trajectory.terminated, trajectory.seed) == (False, 3)
    assert collect_episodes(idle, Countdown, [4])[0].terminated


@pytest.mark.parametrize(
    ("info", "success"),
    [
        ({"is_success": np.float32(1.0)}, True),  # as gymnasium-robotics says it
        ({"success": np.bool_(False)}, False),
        ({"success": np.array([1])}, True),
        ({"success": np.array([True, False])}, None),  # of several goals: not for us to decide
        ({"success": {"left": True}}, None),
        ({"success": [[1], [2, 3]]}, None),
        (None, None),
        ({"success": True, "is_success": 0.0}, False),
        ({"progress": 1.0}, None),
    ],
)
def test_success_is_what_the_last_info_says(info: dict[str, Any], success: bool | None) -> None:
    class Told(Countdown):
        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            *answer, _ = super().step(action)
            over = answer[2] or answer[3]
            return *answer, info if over else {"is_success": not success}

    for length in (1, 3, 4):
        assert collect_episodes(idle, Told, [length])[0].success is success
    running = RunningEpisode(Told(), 10)
    running.begin((0, 1))
    assert running.step(np.zeros(3, np.float32))
    assert running.so_far.trajectory().success is success


def test_a_seed_may_be_asked_for_twice() -> None:
    twice = collect_episodes(idle, Countdown, [3, 3], num_envs=1)
    np.testing.assert_array_equal(twice[0].observations, twice[1].observations)


def test_actions_are_stored_as_the_environment_saw_them() -> None:
    (trajectory,) = collect_episodes(lambda obs: np.array([[-7.0, 0.5, 7.0]] * len(obs)), Countdown, [2])
    np.testing.assert_array_equal(trajectory.actions, np.array([[-1.0, 0.5, 1.0]] * 2, np.float32))
    assert trajectory.actions.dtype == np.float32


def test_the_same_seeds_give_the_same_episodes_however_many_run_side_by_side() -> None:
    cartpole = partial(make_env, "CartPole-v1", {"sutton_barto_reward": True})
    seeds = SeedStream(0, "evaluation").take(12)
    alone, together = (collect_episodes(leaning, cartpole, seeds, num_envs) for num_envs in (1, 5))  # chaotic enough
    assert len({len(trajectory) for trajectory in alone}) > 1
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.observations, other.observations)
        np.testing.assert_array_equal(one.actions, other.actions)
        assert one.actions.dtype == np.int64
        assert (one.seed, one.terminated) == (other.seed, other.terminated)


def test_the_recorded_seed_reproduces_the_first_observation() -> None:
    cartpole = partial(make_env, "CartPole-v1")
    for trajectory in collect_episodes(leaning, cartpole, SeedStream(1, "recording").take(5), num_envs=2):
        first, _ = cartpole().reset(seed=trajectory.seed)
        np.testing.assert_array_equal(trajectory.observations[0], first)


def test_environments_are_closed_also_where_a_later_one_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Countdown, "closed", 0)
    made: list[Countdown] = []

    def factory() -> Countdown:
        if len(made) == 2:
            raise EnvironmentFailure("no third one")
        made.append(Countdown())
        return made[-1]

    with pytest.raises(EnvironmentFailure, match="no third one"):
        collect_episodes(idle, factory, [1, 2, 3])
    assert Countdown.closed == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raises", "step 2 of the episode with seed 9 .*: RuntimeError: the arm broke"),
        ("nan observation", "an observation that is not finite"),
        ("nan reward", "a reward that is not finite"),
        ("shape", r"shape \(5,\), where its space has \(2,\), at step"),
        ("never ends", "not ended after 100 steps.*time limit"),
    ],
)
def test_a_faulty_environment_is_a_failure_with_a_sentence(fault: str, said: str) -> None:
    with pytest.raises(EnvironmentFailure, match=said):
        list(run_episodes(idle, lambda: Faulty(fault), [9], max_episode_steps=100))


def test_what_has_ended_before_a_failure_is_not_lost() -> None:
    made = iter([Countdown(), Faulty("raises")])
    finished: list[Trajectory] = []
    with pytest.raises(EnvironmentFailure):
        finished.extend(trajectory for _, trajectory in run_episodes(idle, lambda: next(made), [2, 9], num_envs=2))
    assert [trajectory.seed for trajectory in finished] == [2]


def test_environments_are_closed_whatever_happens() -> None:
    Countdown.closed = 0
    collect_episodes(idle, Countdown, [1, 2, 3], num_envs=2)
    assert Countdown.closed == 2
    unfinished = run_episodes(idle, Countdown, [1, 9], num_envs=2)
    next(unfinished)
    unfinished.close()
    assert Countdown.closed == 4


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (lambda obs: np.zeros((len(obs), 2)), r"shape \(1, 2\).*expected.*\(1, 3\)"),
        (lambda obs: np.full((len(obs), 3), np.nan), "not finite"),
        (lambda obs: np.full((len(obs), 3), "left"), "real numbers"),
    ],
)
def test_what_is_no_action_is_refused(actions: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        collect_episodes(actions, Countdown, [3])


def test_a_discrete_action_is_an_integer() -> None:
    with pytest.raises(InputError, match=r"float64; expected are integers of shape \(1,\)"):
        collect_episodes(lambda obs: np.zeros(len(obs)), partial(make_env, "CartPole-v1"), [0])


def test_discrete_observations_keep_their_type() -> None:
    lake = partial(make_env, "FrozenLake-v1")
    assert isinstance(lake().observation_space, Discrete)
    (trajectory,) = collect_episodes(lambda obs: np.ones(len(obs), np.int64), lake, [0])
    assert trajectory.observations.dtype == np.int64
    assert trajectory.observations.shape == (len(trajectory) + 1,)


def test_no_seeds_are_no_episodes_and_no_environments_are_too_few() -> None:
    assert collect_episodes(idle, Countdown, []) == []
    with pytest.raises(InputError, match="at least 1; found 0"):
        collect_episodes(idle, Countdown, [1], num_envs=0)


def test_the_callbacks_see_every_episode_and_every_step() -> None:
    episodes: list[int] = []
    steps: list[int] = []
    lengths = [3, 1, 4, 1, 5]
    collect_episodes(
        idle, Countdown, lengths, num_envs=2, on_episode=lambda t: episodes.append(len(t)), on_steps=steps.append
    )
    assert sorted(episodes) == sorted(lengths)
    assert sum(steps) == sum(lengths)
