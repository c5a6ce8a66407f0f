"""A run that is made to fail in each way raises exactly its alarm, and one that is not raises none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import Space
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.spaces import Box, Discrete

from gailkit.demonstrations import Demonstrations
from gailkit.health.alarms import ALARMS
from gailkit.health.curves import curves_of
from gailkit.health.plan import Plan
from gailkit.health.watch import PREFIX
from gailkit.report.diagnosis import diagnose
from gailkit.training.config import DiscriminatorConfig, TrainConfig
from gailkit.training.parts import Parts
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.train import train
from gailkit.types import Trajectory

SMALL = TrainConfig(
    steps=20 * 270, num_envs=4, rollout_size=256,
    discriminator=DiscriminatorConfig(hidden=(16,), batch_size=128, updates=4),
    policy=PolicyConfig(hidden=(16,), epochs=2, batch_size=128),
)  # fmt: skip
SLOW = PolicyConfig(hidden=(16,), epochs=2, batch_size=128, learning_rate=1e-7)
QUICK = dataclasses.replace(SMALL.discriminator, updates=16, learning_rate=3e-3)
EAGER = DiscriminatorConfig(hidden=(32,), batch_size=128, updates=48, learning_rate=3e-3, gradient_penalty=0.0)


class Enough(Exception):
    """Raised to end a run, which would go on to choose among its policies."""


class Endless(CartPoleEnv):
    """A cart whose pole is put up again where it falls."""

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, reward, fallen, _, info = super().step(action)
        if fallen:
            observation, info = super().reset()
        return observation, float(reward), False, False, info


@pytest.fixture(autouse=True, scope="module")
def endless() -> Iterator[None]:
    gymnasium.register("Endless-v0", entry_point=Endless)
    yield
    gymnasium.registry.pop("Endless-v0")


def elsewhere(size: int, action_space: Space[Any], shift: float) -> Demonstrations:
    """Episodes of random actions around a place where no policy gets to, ``shift`` from 0: nothing to be cloned."""
    random = np.random.default_rng(0)
    action_space.seed(0)

    def episode() -> Trajectory:
        observations = random.normal(shift, 0.3, (41, size)).astype(np.float32)
        return Trajectory(observations, np.stack([action_space.sample() for _ in range(40)]), None, False)

    return Demonstrations(tuple(episode() for _ in range(6)))


def with_policy(**changes: Any) -> TrainConfig:
    return dataclasses.replace(SMALL, policy=dataclasses.replace(SMALL.policy, **changes))


def nothing(logits: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(logits)


CART, TORQUE = Discrete(2), Box(-2.0, 2.0, (1,), np.float32)
RUNS: dict[str, tuple[str, Callable[[], Demonstrations], TrainConfig, Parts]] = {
    "discriminator_blind": (
        "CartPole-v1",
        lambda: elsewhere(4, CART, 0.0),
        dataclasses.replace(SMALL, discriminator=dataclasses.replace(SMALL.discriminator, learning_rate=1e-12)),
        Parts(),
    ),
    "discriminator_saturated": (
        "CartPole-v1",
        lambda: elsewhere(4, CART, 3.0),
        dataclasses.replace(SMALL, discriminator=EAGER, policy=SLOW),
        Parts(),
    ),
    "policy_one_action": (
        "CartPole-v1",
        lambda: elsewhere(4, CART, 1.0),
        with_policy(learning_rate=1.0),
        Parts(),
    ),
    "policy_entropy_gone": (
        "Pendulum-v1",
        lambda: elsewhere(3, TORQUE, 3.0),
        dataclasses.replace(
            SMALL,
            discriminator=QUICK,
            policy=dataclasses.replace(SLOW, initial_log_std=-5.0),
        ),
        Parts(),
    ),
    "rewards_alike": ("CartPole-v1", lambda: elsewhere(4, CART, 1.0), SMALL, Parts(reward=nothing)),
    "updates_far": (
        "Pendulum-v1",
        lambda: elsewhere(3, TORQUE, 1.0),
        dataclasses.replace(
            SMALL, generator="trpo", discriminator=QUICK, policy=PolicyConfig(hidden=(16,), max_kl=5.0)
        ),
        Parts(),
    ),
    "no_episode_ends": ("Endless-v0", lambda: elsewhere(4, CART, 1.0), SMALL, Parts()),
    "": ("CartPole-v1", lambda: elsewhere(4, CART, 1.0), SMALL, Parts()),
}


@pytest.mark.parametrize("alarm", RUNS)
def test_a_run_that_fails_raises_exactly_its_alarm_while_it_trains_and_in_the_report(alarm: str) -> None:
    env_id, shown, config, parts = RUNS[alarm]
    rows: list[dict[str, float]] = []

    def watch(row: dict[str, float]) -> None:
        rows.append(row)
        if len(rows) == 18:
            raise Enough

    with pytest.raises(Enough):
        train(env_id, shown(), config, parts=parts, on_iteration=watch)
    assert all(set(row) >= {PREFIX + name for name in ALARMS} for row in rows)
    raised = {name for name in ALARMS if any(row[PREFIX + name] for row in rows)}
    assert raised == ({alarm} if alarm else set())
    components = 1 if env_id == "Pendulum-v1" else 0
    told = {note.title for note in diagnose(curves_of(rows), Plan(None, components, 1.69, None, 4))}
    if alarm and rows[-1][PREFIX + alarm]:
        assert ALARMS[alarm].title in told


def test_every_alarm_is_made_to_be_raised() -> None:
    assert set(ALARMS) == set(RUNS) - {""}
