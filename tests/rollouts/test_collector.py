"""Rollouts of an environment whose every number is known: successors, endings, seeds, and what it was told."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from gailkit.errors import DivergenceError, EnvironmentFailure
from gailkit.generator import Generator
from gailkit.networks.actor_critic import ActorCritic
from gailkit.networks.encoders import ObservationEncoder
from gailkit.rollouts.collector import Collector
from gailkit.rollouts.environments import SeedStream
from gailkit.rollouts.vector import make_vector_env
from gailkit.types import Reward, Rollout

COUNTER, STAIRS = "gailkit-test/Counter-v0", "gailkit-test/Stairs-v0"
TIME_LIMIT = 4
NAME, TIME, ACTION = 0, 1, 2  # what the three numbers of an observation of Counter are


def name_of(seed: int) -> int:
    """What an episode of Counter calls itself; float32 holds it exactly."""
    return seed % 1_000_003


class Counter(gymnasium.Env[np.ndarray, np.ndarray]):
    """Observes its name, the steps so far and the action it was given; the reward is the number of the step.

    It terminates after 3, 4 or 5 steps, as its name modulo 3 says; the time limit is 4. A ``fault`` happens at step 2.
    """

    observation_space = Box(-np.inf, np.inf, (3,))
    action_space = Box(-1, 1, (1,))

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        if fault == "beyond float32":
            self.observation_space = Box(-np.inf, np.inf, (3,), np.float64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        assert seed is not None, "every episode has a seed of its own"
        if self.fault == "raises when reset":
            raise RuntimeError("the door is locked\nand a second line")
        self.name, self.time = name_of(seed), 0
        first = np.nan if self.fault == "NaN at reset" else 0
        return np.array([self.name, first, 0], np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.time += 1
        observation, reward = np.array([self.name, self.time, action[0]], np.float32), float(self.time)
        if self.time == 2 and self.fault == "raises":
            raise ZeroDivisionError("the floor is gone")
        if self.time == 2 and self.fault == "NaN observation":
            observation[TIME] = np.nan
        if self.time == 2 and self.fault == "beyond float32":
            observation = np.array([1e300, 2, 0])
        if self.time == 2 and self.fault == "infinite reward":
            reward = float("inf")
        return observation, reward, self.time == 3 + self.name % 3, False, {}


class Stairs(gymnasium.Env[int, int]):
    """Discrete throughout: observes the step it is on, and takes the actions 5 and 6, which do nothing."""

    observation_space = Discrete(3, start=1)
    action_space = Discrete(2, start=5)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        self.at = 1
        return self.at, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.at += 1
        return self.at, 0.0, self.at == 3, False, {}


class Untaught(Generator):
    """Acts and does not learn."""

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        return {}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """The two environments, without Gymnasium's own checks: what they do wrong is for gailkit to find."""
    gymnasium.register(COUNTER, entry_point=Counter, max_episode_steps=TIME_LIMIT, disable_env_checker=True)
    gymnasium.register(STAIRS, entry_point=Stairs, disable_env_checker=True)
    torch.manual_seed(0)
    yield
    for name in (COUNTER, STAIRS):
        gymnasium.registry.pop(name)


def collector(steps: int = 20, environments: int = 3, seed: int = 7, env_id: str = COUNTER, **kwargs: str) -> Collector:
    return Collector(make_vector_env(env_id, environments, kwargs), steps, SeedStream(seed, "training"))


def generator(env_id: str = COUNTER) -> Generator:
    """One that acts at random; a third of its actions on Counter lie outside the Box."""
    kind = Counter if env_id == COUNTER else Stairs
    encoder = ObservationEncoder(kind.observation_space)
    torch.manual_seed(0)
    if env_id == COUNTER:
        encoder.update(torch.rand(50, 3) * torch.tensor([1e6, 5.0, 1.0]))
    return Untaught(ActorCritic(encoder, kind.action_space, (8,)))


def names_of_episodes(*rollouts: Rollout) -> list[int]:
    """Of the episodes that begin in these rollouts, in the order in which they do."""
    obs = torch.cat([rollout.obs for rollout in rollouts])
    return [int(first[NAME]) for first in obs.flatten(0, 1) if first[TIME] == 0]


def test_every_successor_is_the_true_one_also_where_the_episode_ends() -> None:
    rollout = collector().collect(generator())
    assert torch.equal(rollout.next_obs[..., NAME], rollout.obs[..., NAME])
    assert torch.equal(rollout.next_obs[..., TIME], rollout.obs[..., TIME] + 1)
    assert rollout.obs.shape == (20, 3, 3) and rollout.act.shape == (20, 3, 1)


def test_an_episode_goes_on_until_it_is_done_and_then_another_begins() -> None:
    rollout = collector().collect(generator())
    done = (rollout.terminated | rollout.truncated)[:-1]
    following = rollout.obs[1:]
    assert torch.equal(following[~done], rollout.next_obs[:-1][~done])
    assert (following[done][:, TIME] == 0).all()
    assert done.any() and not done.all()


def test_terminations_and_truncations_are_told_apart() -> None:
    # with the time limit of 4: those meant to last 3 terminate, those of 4 do both at once, those of 5 are truncated
    rollout = collector(steps=60).collect(generator())
    lasts = 3 + rollout.obs[..., NAME].long() % 3
    time = rollout.next_obs[..., TIME]
    assert torch.equal(rollout.terminated, time == lasts)
    assert torch.equal(rollout.truncated, time == TIME_LIMIT)
    cut_off = rollout.truncated & ~rollout.terminated
    assert cut_off.any() and (rollout.truncated & rollout.terminated).any()
    assert (rollout.terminated & ~rollout.truncated).any()


def test_episodes_begin_with_new_seeds_in_the_order_of_the_stream() -> None:
    runner = collector()
    names = names_of_episodes(*[runner.collect(generator()) for _ in range(3)])
    expected = [name_of(seed) for seed in SeedStream(7, "training").take(len(names) + 3)]
    assert len(names) >= 40
    assert names == expected[: len(names)]
    assert len(set(names)) == len(names)


def test_episodes_continue_in_the_next_rollout() -> None:
    runner, model = collector(steps=7, environments=8), generator()
    first, second = runner.collect(model), runner.collect(model)
    done = (first.terminated | first.truncated)[-1]
    assert torch.equal(second.obs[0][~done], first.next_obs[-1][~done])
    assert (second.obs[0][done][:, TIME] == 0).all()
    assert 0 < int(done.sum()) < 8


def test_finished_tells_length_return_and_end_of_the_episodes_that_ended_in_this_rollout() -> None:
    runner, model = collector(steps=7), generator()
    for _ in range(4):
        rollout = runner.collect(model)
        expected = []
        for t, i in (rollout.terminated | rollout.truncated).nonzero().tolist():
            length = int(rollout.next_obs[t, i, TIME])
            expected.append((length, length * (length + 1) / 2, bool(rollout.terminated[t, i])))  # 1 + 2 + ... + L
        assert runner.finished == expected
        assert expected


def test_actions_reach_the_environment_clipped_and_are_kept_as_they_were_sampled() -> None:
    rollout = collector(steps=60).collect(generator())
    outside = rollout.act.abs() > 1
    assert 0.1 < outside.float().mean() < 0.6
    assert torch.equal(rollout.next_obs[..., ACTION], rollout.act[..., 0].clamp(-1, 1))


def test_steps_are_numbered_through_the_run_in_the_order_of_time_and_of_environments() -> None:
    runner, model = collector(steps=7, environments=8), generator()
    numbers = torch.cat([runner.collect(model).numbers for _ in range(3)])
    assert torch.equal(numbers, torch.arange(3 * 7 * 8).reshape(21, 8))


def test_a_rollout_holds_no_reward() -> None:
    assert not [field.name for field in fields(Rollout) if "reward" in field.name or "return" in field.name]


def test_whoever_asks_sees_the_rewards_of_every_step_and_the_rollout_is_the_same() -> None:
    seen: list[np.ndarray] = []
    asked, silent, model = collector(), collector(), generator()
    asked.on_rewards = lambda rewards: seen.append(rewards.copy())
    torch.manual_seed(0)
    rollouts = [asked.collect(model) for _ in range(2)]
    torch.manual_seed(0)
    again = [silent.collect(model) for _ in range(2)]
    expected = torch.cat([rollout.next_obs[..., TIME] for rollout in rollouts])  # the reward is the number of the step
    assert np.array_equal(np.stack(seen), expected.numpy())
    assert silent.on_rewards is None
    assert all(map(same, rollouts, again))


def test_a_reward_that_is_not_finite_reaches_nobody() -> None:
    seen: list[np.ndarray] = []
    runner = collector(fault="infinite reward")
    runner.on_rewards = seen.append
    with pytest.raises(EnvironmentFailure, match="a reward that is not finite"):
        runner.collect(generator())
    assert len(seen) == 1  # of the step before


def same(one: Rollout, other: Rollout) -> bool:
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(Rollout)]
    return all(mine is its or torch.equal(torch.as_tensor(mine), torch.as_tensor(its)) for mine, its in pairs)


def test_the_same_seeds_give_the_same_rollouts_and_others_do_not() -> None:
    def two_rollouts(seed: int) -> list[Rollout]:
        model, runner = generator(), collector(seed=seed)
        return [runner.collect(model), runner.collect(model)]

    first, again, other = two_rollouts(7), two_rollouts(7), two_rollouts(8)
    assert all(map(same, first, again))
    assert not same(first[0], first[1])
    assert not same(first[0], other[0])


@pytest.mark.parametrize("rollouts", [1, 2, 5])
def test_a_restored_collector_goes_on_in_the_middle_of_its_episodes(rollouts: int) -> None:
    original, restored, model = collector(), collector(seed=999), generator()
    for _ in range(rollouts):
        original.collect(model)
    restored.load_state_dict(original.state_dict())
    assert restored.not_restored == []
    for _ in range(2):
        torch.manual_seed(0)
        expected = original.collect(model)
        torch.manual_seed(0)
        assert same(restored.collect(model), expected)
        assert restored.finished == original.finished


def test_a_collector_that_was_in_use_goes_back_to_where_its_state_was_taken() -> None:
    runner, model = collector(steps=2), generator()
    runner.collect(model)  # no episode ends within two steps
    state = copy.deepcopy(runner.state_dict())
    torch.manual_seed(0)
    expected = runner.collect(model)
    runner.load_state_dict(state)
    torch.manual_seed(0)
    assert same(runner.collect(model), expected)


def test_a_collector_that_has_not_begun_has_nothing_to_go_back_to() -> None:
    original, restored, model = collector(), collector(seed=999), generator()
    restored.collect(model)
    restored.load_state_dict(original.state_dict())
    assert (restored.collect(model).obs[0][:, TIME] == 0).all()


def test_only_actions_of_episodes_in_progress_are_kept() -> None:
    runner, model = collector(), generator()
    for _ in range(50):
        runner.collect(model)
    actions = runner.state_dict()["episodes"]["actions"]
    assert actions is None or len(actions) == sum(runner.state_dict()["episodes"]["lengths"])
    kept = runner._episodes._actions
    assert sum(map(len, kept)) < TIME_LIMIT + 2 * runner.steps


def test_discrete_observations_and_actions_keep_their_numbers() -> None:
    rollout = collector(env_id=STAIRS).collect(generator(STAIRS))
    assert rollout.obs.shape == rollout.act.shape == (20, 3)
    assert rollout.obs.dtype == rollout.act.dtype == torch.int64
    assert set(rollout.act.flatten().tolist()) == {5, 6}
    assert torch.equal(rollout.next_obs, rollout.obs + 1)
    assert torch.equal(rollout.terminated, rollout.next_obs == 3)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            "NaN observation",
            r"Counter-v0 returned an observation that is not finite at step 2 of .*: element 1 is nan$",
        ),
        ("infinite reward", r"Counter-v0 returned a reward that is not finite at step 2 of the episode .*: it is inf$"),
        (
            "NaN at reset",
            r"an observation that is not finite when it was reset with seed \d+ \(number 0\): element 1 is nan$",
        ),
        ("beyond float32", r"at step 2 of .*: element 0 is 1e\+300, too large for float32$"),
        ("raises", r"failed at step 2 of .*\(number 0, action \[.*\]\): ZeroDivisionError: the floor is gone"),
        ("raises when reset", r"failed when it was reset with seed \d+ \(number 0\): RuntimeError: the door is locked"),
    ],
)
def test_whatever_the_environment_does_wrong_is_named(fault: str, said: str) -> None:
    with pytest.raises(EnvironmentFailure, match=said):
        collector(fault=fault).collect(generator())


@pytest.mark.parametrize("fault", ["NaN observation", "NaN at reset", "beyond float32"])
def test_no_policy_acts_on_what_is_not_finite(fault: str) -> None:
    acting = generator()
    act, asked = acting.act, []
    acting.act = lambda obs: asked.append(obs) or act(obs)
    with pytest.raises(EnvironmentFailure, match="not finite"):
        collector(fault=fault).collect(acting)
    assert len(asked) == (0 if fault == "NaN at reset" else 2)
    assert all(torch.isfinite(obs).all() for obs in asked)


def test_the_seed_that_is_named_is_that_of_the_episode() -> None:
    runner = collector(fault="NaN observation", environments=3)
    first = SeedStream(7, "training").take(3)[0]  # every environment fails at step 2; the first is named
    with pytest.raises(EnvironmentFailure, match=f"the episode with seed {first} "):
        runner.collect(generator())


def test_no_environment_is_given_an_action_that_is_not_finite() -> None:
    lost = generator()
    lost.act = lambda obs: torch.full((len(obs), 1), torch.nan)
    with pytest.raises(DivergenceError, match=r"^the policy chose an action that is not finite"):
        collector().collect(lost)


def test_first_episodes_are_cut_at_staggered_lengths_and_only_whole_ones_are_reported() -> None:
    # Pendulum never terminates and is truncated after 200 steps; 4 environments begin 50 steps apart.
    envs = make_vector_env("Pendulum-v1", 4)
    staggered = Collector(envs, 401, SeedStream(0, "training"), time_limit=200)
    encoder = ObservationEncoder(envs.single_observation_space)
    rollout = staggered.collect(Untaught(ActorCritic(encoder, envs.single_action_space, (8,))))
    ends = [(rollout.truncated[:, i].nonzero().flatten() + 1).tolist() for i in range(4)]
    assert ends == [[200, 400], [50, 250], [100, 300], [150, 350]]
    assert [episode.length for episode in staggered.finished] == [200] * 5
    assert not rollout.terminated.any()
