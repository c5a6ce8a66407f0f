"""It learns to do several things at once, from an expert and from the reward, by default settings, to the optimum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation.evaluate import evaluate
from gailkit.experts.function import as_policy
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.training.config import ExpertConfig, TrainConfig
from gailkit.training.expert import train_expert
from gailkit.training.train import train

PANEL = "Panel-v0"
STEPS = 20
SPACES: dict[str, Space[Any]] = {
    "levers": MultiDiscrete([3, 2, 3], start=[-1, 4, 0]),
    "switches": MultiBinary(3),
    "console": Dict({"switch": MultiBinary(2), "lever": Discrete(3, start=1), "dial": Box(-1, 1, (1,), np.float32)}),
}


class Panel(gymnasium.Env[Any, Any]):
    """Shows at every step what is to be done in it; the reward is the share of what is done so, of a dial up to 0.05.

    The optimum is to do what is shown, and earns 1 a step.
    """

    def __init__(self, kind: str) -> None:
        self.action_space = SPACES[kind]
        self.observation_space = self.action_space

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        self.shown = self.observation_space.sample()
        return self.shown, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        shown, done = (each if isinstance(each, dict) else {"": each} for each in (self.shown, action))
        apart = np.concatenate([np.abs(np.ravel(done[name]).astype(float) - np.ravel(shown[name])) for name in shown])
        self.shown = self.observation_space.sample()
        return self.shown, float((apart < 0.05).mean()), False, False, {}


@pytest.fixture(autouse=True, scope="module")
def panel() -> Iterator[None]:
    gymnasium.register(PANEL, entry_point=Panel, max_episode_steps=STEPS)
    yield
    gymnasium.registry.pop(PANEL)


def experts_own(kind: str, episodes: int) -> Demonstrations:
    env = make_env(PANEL, {"kind": kind})
    policy = as_policy(lambda shown: shown, env.observation_space, env.action_space)
    shown = collect_episodes(policy, lambda: make_env(PANEL, {"kind": kind}), range(episodes))
    assert all(trajectory.episode_return == STEPS for trajectory in shown)
    return Demonstrations(tuple(shown), env.observation_space, env.action_space, PANEL, {"kind": kind})


@pytest.mark.parametrize("kind", ["levers", "switches"])
def test_an_expert_who_chooses_several_things_at_once_is_imitated(kind: str) -> None:
    shown = experts_own(kind, 20)
    result = train(PANEL, shown, TrainConfig(steps=8192), env_kwargs={"kind": kind})
    assert evaluate(result.policy, shown, PANEL, episodes=20, env_kwargs={"kind": kind}).normalised_score >= 0.98


@pytest.mark.parametrize(("kind", "least"), [("levers", 0.98), ("switches", 0.98), ("console", 0.75)])
def test_the_reward_alone_teaches_it_too(kind: str, least: float) -> None:
    """Without the dial, which deviates, the console's choices earn 0.75."""
    result = train_expert(PANEL, ExpertConfig(steps=24_576), env_kwargs={"kind": kind})
    shown = experts_own(kind, 2)
    assert evaluate(result.policy, shown, PANEL, episodes=20, env_kwargs={"kind": kind}).return_mean >= least * STEPS
