"""Whatever Gymnasium can sample is recorded, stored, imitated, evaluated and gone on with: spaces nested at random."""

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
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple
from torch import Tensor, nn

from gailkit.demonstrations import Demonstrations
from gailkit.errors import InputError, UnsupportedSpaceError
from gailkit.evaluation.evaluate import evaluate
from gailkit.experts.function import as_policy
from gailkit.experts.random import random_policy
from gailkit.generator import TrainedPolicy
from gailkit.recording.recorder import Recording
from gailkit.recording.shard_folder import Shards
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import run_episodes
from gailkit.rollouts.stepping import Stepping
from gailkit.training.build_policy import GENERATORS
from gailkit.training.config import TrainConfig
from gailkit.training.parts import Parts
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder, load_policy
from gailkit.training.train import train

ANYTHING = "Anything-v0"
NUMBERS = (0, 1, 2, 4, 10, 15, 19, 38, 107)  # with and without pictures, of choices, bits and numbers


class Stopped(Exception):
    """Raised by a test in the middle of a run."""


def a_leaf(random: np.random.Generator, seen: bool) -> Space[Any]:
    kinds: list[Space[Any]] = [
        Discrete(int(random.integers(2, 5)), start=int(random.integers(-2, 3))),
        MultiDiscrete(random.integers(2, 4, int(random.integers(1, 4))), start=None),
        MultiDiscrete([[2, 3], [3, 2]]),
        MultiBinary(3),
        Box(-2, 2, (2,), np.float32),
        Box(-np.inf, np.inf, (1, 2), np.float64),
    ]
    if seen:
        kinds += [Box(0, 255, (16, 17, 3), np.uint8), Box(0, 9, (2,), np.int64), Box(0, 255, (3,), np.uint8)]
    return kinds[int(random.integers(len(kinds)))]


def a_space(random: np.random.Generator, seen: bool, depth: int = 0) -> Space[Any]:
    """A leaf, or a Dict or Tuple of up to three spaces."""
    kind = int(random.integers(3 if depth < 2 else 1))
    if kind == 0:
        return a_leaf(random, seen)
    parts = [a_space(random, seen, depth + 1) for _ in range(int(random.integers(1, 4)))]
    names = ["z", "a", "Ärmel 2"]
    return Tuple(parts) if kind == 1 else Dict(list(zip(names, parts, strict=False)))


class Anything(gymnasium.Env[Any, Any]):
    """Random observations of spaces by their number; whoever acts is checked and paid for nothing in particular."""

    def __init__(self, number: int) -> None:
        random = np.random.default_rng(number)
        self.observation_space, self.action_space = a_space(random, True), a_space(random, False)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        return (
            self.observation_space.sample(),
            float(self.np_random.random()),
            self.np_random.random() < 0.05,
            False,
            {},
        )


class Text3(Anything):
    """An observation that no network reads."""

    def __init__(self) -> None:
        super().__init__(0)
        self.observation_space = Dict({"note": Tuple([Text(3)])})


@pytest.fixture(autouse=True, scope="module")
def anything() -> Iterator[None]:
    gymnasium.register(ANYTHING, entry_point=Anything, max_episode_steps=12)
    gymnasium.register("Text3-v0", entry_point=Text3)
    yield
    for name in (ANYTHING, "Text3-v0"):
        gymnasium.registry.pop(name)


def tiny_eyes(channels: int, height: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 2, 8, 4), nn.ReLU(), nn.Flatten())


def recorded(number: int, path: Path) -> Demonstrations:
    """Episodes of random actions, as ``gailkit record`` stores them."""
    kwargs = {"number": number}
    with closing(make_env(ANYTHING, kwargs)) as env, closing(Shards(path)) as shards:
        recording = Recording(shards, env, ANYTHING, kwargs, {"source": "random"})
        policy = random_policy(env.action_space, 0)
        for index, trajectory in run_episodes(policy, lambda: make_env(ANYTHING, kwargs), range(4)):
            recording.add(index, trajectory)
        recording.finish()
    return Demonstrations.load(path)


def config_of(tiny: TrainConfig) -> TrainConfig:
    return dataclasses.replace(tiny, steps=160, rollout_size=32)


@pytest.mark.parametrize("number", NUMBERS)
def test_its_states_are_imitated_evaluated_and_gone_on_with(tiny: TrainConfig, tmp_path: Path, number: int) -> None:
    recorded(number, tmp_path / "a.hdf5").without_actions().save(tmp_path / "s.hdf5")
    shown = Demonstrations.load(tmp_path / "s.hdf5")
    kwargs, parts = {"number": number}, Parts(image_encoder=tiny_eyes)
    for kind in ("state", "next-state"):
        config = config_of(tiny)
        config = dataclasses.replace(config, discriminator=dataclasses.replace(config.discriminator, kind=kind))
        result = train(ANYTHING, shown, config, parts=parts, env_kwargs=kwargs, out=tmp_path / kind)
        again = resume(tmp_path / kind, shown, parts=parts, steps=200, tell=lambda said: None)
        assert len(again.metrics) > len(result.metrics) and not again.trainer.teacher.learner.discriminator.sees_actions
    found = evaluate(again.policy, shown, ANYTHING, episodes=2, env_kwargs=kwargs)
    names = [each.name for each in found.closeness.steps.features]
    assert len(names) % 2 == 0 and len(set(names)) == len(names)
    assert all(name.startswith(("next ", "change of ")) for name in names[len(names) // 2 :])


@pytest.mark.parametrize("number", NUMBERS)
def test_it_is_recorded_imitated_evaluated_and_gone_on_with(tiny: TrainConfig, tmp_path: Path, number: int) -> None:
    plain = Anything(number)
    shown = recorded(number, tmp_path / "a.hdf5")
    assert (shown.observation_space, shown.action_space) == (plain.observation_space, plain.action_space)
    kwargs, parts, config = {"number": number}, Parts(image_encoder=tiny_eyes), config_of(tiny)
    seen = 0

    def stop(metrics: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == 2:
            raise Stopped

    whole = train(ANYTHING, shown, config, parts=parts, env_kwargs=kwargs, out=tmp_path / "whole")
    with pytest.raises(Stopped):
        train(ANYTHING, shown, config, parts=parts, env_kwargs=kwargs, out=tmp_path / "part", on_iteration=stop)
    resume(tmp_path / "part", shown, parts=parts)
    one, other = (RunFolder(tmp_path / name).load("last")["generator"] for name in ("whole", "part"))
    assert all(torch.equal(one[name], other[name]) for name in one if isinstance(one[name], Tensor))
    policy = load_policy(tmp_path / "part", parts=parts)
    told = evaluate(policy, shown, ANYTHING, episodes=2, env_kwargs=kwargs)
    assert np.isfinite(told.return_mean) and told.statement()
    for acting in (policy, whole.policy.sampling(1)):
        acts_as_the_environment_asks(acting, plain)


def acts_as_the_environment_asks(policy: TrainedPolicy, env: Anything) -> None:
    """On elements of its own spaces: one, and some at a time."""
    seen, _ = env.reset(seed=3)
    action, _ = policy.predict(seen)
    assert env.action_space.contains(action)
    assert np.isfinite(policy.log_likelihood(seen, action))


@pytest.mark.parametrize("number", [1, 4])
def test_workers_step_it_as_this_process_does(tiny: TrainConfig, tmp_path: Path, number: int) -> None:
    shown = recorded(number, tmp_path / "a.hdf5")
    parts, config = Parts(image_encoder=tiny_eyes), dataclasses.replace(config_of(tiny), steps=40)
    runs = [
        train(ANYTHING, shown, config, parts=parts, env_kwargs={"number": number}, stepping=Stepping(workers=workers))
        for workers in (1, 2)
    ]
    states = [run.trainer.generator.actor_critic.state_dict() for run in runs]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("generator", ["ppo-penalty", "trpo", "acktr", "pg", "sac", "dqn"])
def test_every_optimiser_takes_actions_of_several_parts_or_says_who_does(
    tiny: TrainConfig, tmp_path: Path, generator: str
) -> None:
    number = next(n for n in range(100) if isinstance(Anything(n).action_space, Dict) and not sees(Anything(n)))
    shown = recorded(number, tmp_path / "a.hdf5")
    policy = dataclasses.replace(tiny.policy, epochs=None, batch_size=None)
    config = dataclasses.replace(config_of(tiny), generator=generator, policy=policy, steps=40)
    if GENERATORS[generator].can_act_in(make_env(ANYTHING, {"number": number}).action_space):
        train(ANYTHING, shown, config, env_kwargs={"number": number})
        return
    said = (
        rf"the generator {generator} cannot act in Dict.*; those that can are ppo-clip, ppo-penalty, trpo, acktr, pg$"
    )
    with pytest.raises(InputError, match=said):
        train(ANYTHING, shown, config, env_kwargs={"number": number})


def sees(env: Anything) -> bool:
    return "uint8" in str(env.observation_space)


def test_what_nobody_reads_is_refused_by_its_kind() -> None:
    with pytest.raises(UnsupportedSpaceError, match=r"the space Text.* is not supported; supported are Box, Discrete"):
        make_env("Text3-v0")


def test_an_action_that_is_none_is_refused_by_its_part() -> None:
    space = Dict({"go": Discrete(2), "aim": Tuple([Box(-1, 1, (2,), np.float32)])})
    for action, said in (
        ({"go": 2, "aim": ([0, 0],)}, r"'go' ranges from 2 to 2, where Discrete\(2\) allows 0 to 1"),
        ({"go": 1, "aim": ([0, 3],)}, r"'aim/0' ranges from 3.0 to 3.0 in dimension 1"),
        ({"go": 1}, r"an element must be a dict of aim, go; found \{'go': 1\}"),
    ):
        policy = as_policy(lambda observation, action=action: action, Box(-1, 1, (1,)), space, "mine")
        with pytest.raises(InputError, match=rf"^mine returned .*; an action must be in Dict.*; {said}"):
            policy(np.zeros((1, 1), np.float32))
