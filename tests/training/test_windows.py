"""Runs whose discriminator judges several steps together: gone on with exactly, refused where they cannot be, and what
they learn that single steps do not tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from gailkit.demonstrations import Demonstrations
from gailkit.discriminator import Discriminator
from gailkit.errors import InputError
from gailkit.generator import Generator
from gailkit.rollouts.vector import make_vector_env
from gailkit.training import looking_back
from gailkit.training.build import build_trainer
from gailkit.training.config import TrainConfig
from gailkit.training.control import method_of
from gailkit.training.parts import Parts
from gailkit.training.policy_config import PolicyConfig
from gailkit.training.resuming import resume
from gailkit.training.settings import config_from_dict
from gailkit.training.train import train
from gailkit.types import Reward, Rollout, Trajectory, Transitions
from tests.pretended_card import CARD, pretended_card
from tests.training.conftest import demonstrations_of
from tests.training.test_device import begun, config_of, waits_of_an_update
from tests.training.test_resuming import check_resumed, timeless

SWITCH, STEPS = "Switch-v0", 20


def in_windows(config: TrainConfig, window: int, **changes: Any) -> TrainConfig:
    judge = dataclasses.replace(config.discriminator, window=window)
    return dataclasses.replace(config, discriminator=judge, **changes)


class Switch(gymnasium.Env[np.int64, np.int64]):
    """Shows 0 or 1, at first by the toss of a coin and then what was done last; the reward is to change it."""

    observation_space = Discrete(2)
    action_space = Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = self.np_random.integers(2)
        return self.at, {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        changed, self.at = action != self.at, np.int64(action)
        return self.at, float(changed), False, False, {}


@pytest.fixture(autouse=True, scope="module")
def switch(environments: None) -> Iterator[None]:
    gymnasium.register(SWITCH, entry_point=Switch, max_episode_steps=STEPS)
    yield
    gymnasium.registry.pop(SWITCH)


@pytest.mark.parametrize(("window", "least", "most"), [(1, 0.0, 0.75), (2, 0.95, 1.0)])
def test_what_steps_do_not_tell_is_learned_by_windows_alone(window: int, least: float, most: float) -> None:
    """The expert goes to and fro; who tosses a coin is in both places as often. Nobody knows what the expert did, so
    that there is no clone, and D sees where one is, not where to."""
    way = np.arange(STEPS + 1) % 2
    episodes = tuple(Trajectory(seen, np.zeros((STEPS, 0)), None, False) for seen in (way, 1 - way))
    shown = Demonstrations(episodes, Discrete(2), Discrete(2))
    values = {
        **{"steps": 8000, "num_envs": 8, "rollout_size": 512, "seed": 1, "least_deviation": 0.1},
        "discriminator": {"kind": "state", "hidden": [16], "window": window, "learning_rate": 3e-3},
        "policy": {"hidden": [16], "learning_rate": 1e-2},
    }
    result = train(SWITCH, shown, config_from_dict(values, TrainConfig))
    share = result.metrics[-1]["episode/true_return"] / STEPS
    assert least <= share <= most


@pytest.mark.parametrize(
    ("env_id", "generator", "memory", "frames", "kind"),
    [
        ("CartPole-v1", "ppo-clip", "none", 1, "state-action"),
        ("Pendulum-v1", "ppo-clip", "lstm", 2, "next-state"),
        ("CartPole-v1", "dqn", None, 1, "state-action"),
    ],
)
def test_a_resumed_run_is_the_one_that_was_never_stopped(
    tiny: TrainConfig, tmp_path: Path, env_id: str, generator: str, memory: str | None, frames: int, kind: str
) -> None:
    """What was before the rollout in which it goes on is part of a checkpoint."""
    own = {"memory": memory} if memory else {"warm_up": 32, "replay_size": 128}
    policy = PolicyConfig(hidden=(8,), batch_size=32, **own)  # of 192 steps the replay forgets a third
    config = in_windows(tiny, 5, generator=generator, frame_stack=frames, policy=policy)
    judge = dataclasses.replace(config.discriminator, kind=kind)
    check_resumed(env_id, demonstrations_of(env_id), dataclasses.replace(config, discriminator=judge), tmp_path, [1])


class Stopped(Exception):
    """Raised by a test in the middle of a run."""


def test_a_run_in_a_simulator_of_tensors_goes_on_too(tmp_path: Path) -> None:
    env_id, shown = "gailkit.simulators:CartPole", demonstrations_of("CartPole-v1")
    config = in_windows(config_of("ppo-clip"), 4)
    whole = train(env_id, shown, config, other_environment=True)

    def stop(metrics: dict[str, float]) -> None:
        if metrics["steps"] >= 64:
            raise Stopped

    with pytest.raises(Stopped):
        train(env_id, shown, config, out=tmp_path / "run", on_iteration=stop, other_environment=True)
    again = resume(tmp_path / "run", shown)
    lead = whole.trainer.collector.collect(whole.trainer.generator).lead
    assert lead is not None and lead.obs.shape == (3, 2, 4)
    assert timeless(again.metrics) == timeless(whole.metrics)
    assert method_of(tmp_path / "run").config.discriminator.window == 4  # what a control will be taught by


@pytest.mark.parametrize("generator", ["ppo-clip", "sac"])
def test_on_a_card_nobody_waits_longer_for_windows(generator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, found = demonstrations_of("CartPole-v1", 1), []
    with pretended_card(monkeypatch) as card:
        for window in (1, 4):
            envs = make_vector_env("CartPole-v1", 2)
            fitted = shown.fitted_to(envs.single_observation_space, envs.single_action_space)
            config = in_windows(config_of(generator), window)
            trainer = build_trainer(config, envs, fitted, began=begun(used=False), device=CARD)
            found.append(sum(waits_of_an_update(card, trainer).values()))
    assert found[0] == found[1]


class Judge(Discriminator):
    """Judges what was seen in windows, as one's own discriminators may."""

    looks_ahead = False

    def __init__(self, encoder: Any, action_space: Any, window: int = 1) -> None:
        super().__init__(encoder, action_space, window)
        self.network = torch.nn.Linear(self.obs_size + self.action_encoder.size, 1)

    def logits(self, encoded: Transitions) -> Tensor:
        z: Tensor = self.network(torch.cat([encoded.obs, encoded.act], 1))
        return z.squeeze(-1)


class Plain(Judge):
    """Knows nothing of windows."""

    def __init__(self, encoder: Any, action_space: Any) -> None:
        super().__init__(encoder, action_space)


def built(config: TrainConfig, parts: Parts | None = None, env_id: str = "CartPole-v1") -> Any:
    with closing(make_vector_env(env_id, config.num_envs)) as envs:
        shown = demonstrations_of(env_id)
        fitted = shown.fitted_to(envs.single_observation_space, envs.single_action_space)
        trainer = build_trainer(config, envs, fitted, parts)
        trainer.iterate()
        return trainer


def test_a_discriminator_of_ones_own_that_takes_a_window_gets_it(tiny: TrainConfig) -> None:
    judge = built(in_windows(tiny, 3), Parts(discriminator=Judge)).teacher.learner.discriminator
    assert judge.window == 3 and judge.network.in_features == 4 + 2 * (4 + 2 + 1) + 2
    named = dataclasses.replace(tiny.discriminator, kind=f"{__name__}:Judge")
    assert built(dataclasses.replace(tiny, discriminator=named)).teacher.learner.discriminator.window == 1


def test_one_that_takes_none_is_refused(tiny: TrainConfig) -> None:
    with pytest.raises(InputError, match=r"Plain judges 1 step at a time where 3 are asked for .* take window"):
        built(in_windows(tiny, 3), Parts(discriminator=Plain))
    with pytest.raises(InputError, match="Judge judges 2 steps at a time where 1 are asked for"):
        built(tiny, Parts(discriminator=lambda encoder, space: Judge(encoder, space, window=2)))


class Forgetful(Generator):
    """Asks for rewards of steps without those before them."""

    def update(self, rollout: Rollout, reward: Reward, progress: float = 0.0) -> dict[str, float]:
        reward(dataclasses.replace(rollout, lead=None))
        return {}


def test_steps_without_what_was_before_them_are_not_judged(tiny: TrainConfig) -> None:
    with pytest.raises(InputError, match="judges windows of 3 steps; found single steps"):
        built(in_windows(tiny, 3), Parts(generator=Forgetful))


def test_demonstrations_in_their_file_are_refused(tiny: TrainConfig, tmp_path: Path) -> None:
    demonstrations_of("CartPole-v1").save(tmp_path / "d.hdf5")
    stored = Demonstrations.load(tmp_path / "d.hdf5", memory=1)
    assert not stored.in_memory
    with pytest.raises(
        InputError, match=r"a discriminator of windows \(3 steps\) learns from whole episodes in memory"
    ):
        train("CartPole-v1", stored, in_windows(tiny, 3))


def test_a_replay_that_does_not_reach_back_far_enough_is_refused(tiny: TrainConfig) -> None:
    policy = PolicyConfig(hidden=(8,), batch_size=8, warm_up=8, replay_size=16)
    config = in_windows(tiny, 9, generator="sac", policy=policy)
    with pytest.raises(InputError, match=r"16 steps holds the last 8 of each of 2 environments; windows of 9 .* at le"):
        built(config)


def test_windows_of_pictures_that_do_not_fit_into_memory_are_refused(
    tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Seen(Judge):
        def __init__(self, encoder: Any, action_space: Any, window: int = 1) -> None:
            super().__init__(encoder, action_space, window)

    from gailkit.networks.encoders import ObservationEncoder

    judge = Seen(ObservationEncoder(Box(0, 255, (16, 16, 3), np.uint8)), Discrete(2), window=3)
    looking_back.require_room(judge, in_windows(tiny, 3))
    monkeypatch.setattr(looking_back, "free_memory", lambda device: 1_000_000)
    with pytest.raises(InputError, match=r"a minibatch of 32 windows of 3 steps with pictures takes 2 MB of memory"):
        looking_back.require_room(judge, in_windows(tiny, 3))
