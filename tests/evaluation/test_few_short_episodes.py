"""A short way to a goal that is another one each time: starts and goals are most of what differs between episodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation import classifier, occupancy
from gailkit.evaluation.evaluate import Reference
from gailkit.evaluation.evaluation import Evaluation
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Batched

ENV_ID = "Errand-v0"


class Errand(gymnasium.Env[np.ndarray, np.ndarray]):
    """Place, velocity and goal of a point that goes half a unit a step at most, for 15 steps."""

    observation_space = Box(-10, 10, (6,), np.float32)
    action_space = Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.place, self.goal = self.np_random.uniform(-5, 5, (2, 2))
        self.velocity = np.zeros(2)
        return self._seen(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.velocity = 0.5 * np.clip(action, -1, 1).astype(np.float64)
        self.place = np.clip(self.place + self.velocity, -10, 10)
        return self._seen(), -float(np.linalg.norm(self.goal - self.place)), False, False, {}

    def _seen(self) -> np.ndarray:
        return np.concatenate([self.place, self.velocity, self.goal]).astype(np.float32)


def straight(observations: np.ndarray) -> np.ndarray:
    """To the goal."""
    return np.clip((observations[:, 4:] - observations[:, :2]) / 0.5, -1, 1)


@pytest.fixture(autouse=True, scope="module")
def registered() -> Iterator[None]:
    gymnasium.register(ENV_ID, entry_point=Errand, max_episode_steps=15)
    yield
    del gymnasium.registry[ENV_ID]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer resamples and labellings than a user gets."""
    monkeypatch.setattr(occupancy, "RESAMPLES", 40)
    for name, number in {"WAVES": 100, "PERMUTATIONS": 60, "KERNEL_ROWS": 300}.items():
        monkeypatch.setattr(classifier, name, number)


@pytest.fixture(scope="module")
def shown(registered: None) -> Demonstrations:
    trajectories = collect_episodes(straight, lambda: make_env(ENV_ID), range(1000, 1050))
    return Demonstrations(tuple(trajectories), Errand.observation_space, Errand.action_space, ENV_ID)


def evaluated(policy: Any, demonstrations: Demonstrations, compared: int = 10) -> Evaluation:
    """Beside the last demonstrations, where some policy has learned from the others."""
    learned = demonstrations.digests()[: len(demonstrations.trajectories) - compared]
    return Reference(demonstrations, ENV_ID, trained_on=learned).evaluate(policy)


def test_eight_of_them_give_no_scale_and_it_is_said_how_many_would(shown: Demonstrations) -> None:
    """Random actions earn two times less: what hides them is that four goals lie so far from four others."""
    eight = evaluated(random_policy(Errand.action_space, 9), shown.pick(range(8, 16)), compared=8)
    found = eight.closeness.occupancy
    assert eight.random_return_mean < 2 * (eight.expert_return_mean or 0) < 0
    assert (found.episodes, found.closeness) == (4, None)
    assert found.floor is not None and found.scale is not None
    assert found.floor > 0.75 * found.random_distance
    assert found.scale.low < 0 < found.scale.value
    needed = found.demonstrations_for_scale
    assert needed is not None and 15 < needed < 100
    said = f"these demonstrations are too few to give a scale for a closeness; about {needed} in all would."
    assert said in eight.statement()


def test_the_others_that_were_learned_from_give_it(shown: Demonstrations) -> None:
    """The floor is then between ten and ten others: no policy is compared with what some has learned from."""
    random, expert = (evaluated(policy, shown) for policy in (random_policy(Errand.action_space, 9), Batched(straight)))
    for found in (random, expert):
        assert (len(found.shown), len(found.further), found.closeness.occupancy.episodes) == (10, 40, 10)
        assert len(found.closeness.steps.expert) == 10
        assert found.closeness.occupancy.demonstrations_for_scale is None
    far, near = (found.closeness.occupancy.closeness for found in (random, expert))
    assert far is not None and near is not None
    assert far.low < 0 < far.high < near.value
    assert near.low < 1 < near.high
    assert random.closeness.verdict.verdict == "different"
    assert expert.closeness.verdict.verdict == "indistinguishable"
