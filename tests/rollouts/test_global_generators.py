"""The generators that everybody draws from begin where a seed says, and stand afterwards where they stood."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation.evaluate import evaluate
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import SeedStream, make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.rollouts.global_generators import global_state, seeded_globally, set_global_state
from gailkit.training.config import DiscriminatorConfig, ExpertConfig, TrainConfig
from gailkit.training.control import Method, run_control
from gailkit.training.expert import train_expert
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.train import train
from gailkit.types import Trajectory


def draw() -> list[float]:
    """A number of each global generator, of NumPy's also one that is drawn in pairs of which it keeps the second."""
    return [random.random(), np.random.random(), np.random.normal(), float(torch.rand(()))]


class Dice(gymnasium.Env[np.ndarray, int]):
    """Three steps at which everything comes from global generators, also when it is made; the seed is ignored."""

    observation_space = Box(-10, 10, (5,), np.float32)
    action_space = Discrete(2)

    def __init__(self) -> None:
        self.bias = np.random.random()

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        self.steps = 0
        return self._seen(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self._seen(), random.random(), False, self.steps == 3, {}

    def _seen(self) -> np.ndarray:
        return np.array([*draw(), self.bias], np.float32)


@pytest.fixture(autouse=True)
def dice() -> Iterator[None]:
    gymnasium.register("Dice-v0", entry_point=Dice)
    yield
    del gymnasium.registry["Dice-v0"]


def standing() -> list[Any]:
    """All that decides what is drawn next."""
    numpy_state: Any = np.random.get_state(legacy=False)
    key = numpy_state["state"]["key"].tolist()
    rest = (numpy_state["state"]["pos"], numpy_state["has_gauss"], numpy_state["gauss"])
    return [random.getstate(), key, rest, torch.get_rng_state().tolist()]


def test_inside_the_seed_decides_and_afterwards_all_is_as_it_was() -> None:
    np.random.normal()  # a second one is kept now
    before = standing()
    drawn = []
    for seed in (0, 0, 1, [0, 1], [0, 1]):
        with seeded_globally(seed):
            drawn.append(draw())
    assert standing() == before
    assert drawn[0] == drawn[1]
    assert drawn[3] == drawn[4]
    for one, other in ((0, 2), (0, 3), (2, 3)):
        assert not set(drawn[one]) & set(drawn[other])


def test_a_block_in_a_block_takes_nothing_from_the_outer_one() -> None:
    with seeded_globally(0):
        expected = [draw(), draw()]
    with seeded_globally(0):
        found = [draw()]
        with seeded_globally(0):
            assert draw() == expected[0]
        found.append(draw())
    assert found == expected


def test_whatever_ends_a_block_all_is_as_it_was() -> None:
    before = standing()
    with pytest.raises(KeyboardInterrupt), seeded_globally(0):
        draw()
        raise KeyboardInterrupt
    assert standing() == before


def test_another_kind_of_generator_is_put_back() -> None:
    own, mine = np.random.mtrand.get_bit_generator(), np.random.PCG64(5)
    np.random.mtrand.set_bit_generator(mine)
    try:
        with seeded_globally(0):
            inside = np.random.random(3)
        assert np.random.mtrand.get_bit_generator() is mine
        np.testing.assert_array_equal(np.random.random(3), np.random.Generator(np.random.PCG64(5)).random(3))
    finally:
        np.random.mtrand.set_bit_generator(own)
    with seeded_globally(0):
        np.testing.assert_array_equal(np.random.random(3), inside)


def rows(trajectories: list[Trajectory]) -> list[Any]:
    return [(each.observations.tolist(), each.rewards.tolist()) for each in trajectories if each.rewards is not None]


def played(seeds: list[int], num_envs: int = 2) -> list[Any]:
    policy = random_policy(Discrete(2), 0)
    return rows(collect_episodes(policy, lambda: make_env("Dice-v0"), seeds, num_envs))


def test_the_same_seeds_give_the_same_episodes() -> None:
    before = standing()
    first = played([3, 4, 5])
    assert standing() == before
    draw()
    assert played([3, 4, 5]) == first
    assert played([3, 4, 6]) != first


def demonstrations() -> Demonstrations:
    env = make_env("Dice-v0")
    seeds = SeedStream(0, "recording").take(4)
    episodes = collect_episodes(random_policy(env.action_space, 0), lambda: make_env("Dice-v0"), seeds)
    return Demonstrations(tuple(episodes), env.observation_space, env.action_space, "Dice-v0")


SMALL = PolicyConfig(hidden=(4,))
CONFIG = TrainConfig(
    steps=24, num_envs=2, rollout_size=12, policy=SMALL, discriminator=DiscriminatorConfig(hidden=(4,), updates=1)
)
TIMES = {"seconds", "steps_per_second"}


def numbers(metrics: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name not in TIMES} for row in metrics]


def test_a_training_is_decided_by_its_seed_whoever_draws_in_between() -> None:
    expert = demonstrations()
    before = standing()

    def meddle(metrics: dict[str, float]) -> None:
        collect_episodes(random_policy(Discrete(2), 0), lambda: make_env("Dice-v0"), [0, 1])

    results = [train("Dice-v0", expert, CONFIG, on_iteration=watching) for watching in (None, meddle)]
    assert standing() == before
    alone, watched = ((numbers(each.metrics), each.choice and each.choice.record) for each in results)
    assert alone == watched
    assert len({row["episode/true_return"] for row in alone[0]}) > 1


def test_an_expert_an_evaluation_and_a_control_are_too() -> None:
    expert = demonstrations()
    config = ExpertConfig(steps=24, num_envs=2, rollout_size=12, policy=SMALL)

    def all_of_it() -> list[Any]:
        before = standing()
        learned = train_expert("Dice-v0", config)
        found = evaluate(learned.policy, expert, "Dice-v0", episodes=3)
        control = run_control(Method("Dice-v0", CONFIG, 2), expert, episodes=2)
        assert standing() == before
        returns = [each.episode_return for each in (*found.played, *found.at_random)]
        return [numbers(learned.metrics), returns, control.to_dict()]

    first = all_of_it()
    draw()
    assert all_of_it() == first


def test_a_state_that_is_set_again_gives_the_same_numbers() -> None:
    def drawn() -> tuple[float, ...]:
        return random.random(), random.gauss(0, 1), float(np.random.normal()), float(torch.rand(()))

    with seeded_globally(3):
        drawn()
        state = global_state()
        first = drawn(), drawn()
        drawn()
        set_global_state(state)
        assert (drawn(), drawn()) == first
