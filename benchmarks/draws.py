"""Evaluations whose truth is known: an expert beside itself, with noise of a known size, and random actions.

Every draw plays episodes of its own, so that draws are independent.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.tasks import EXPERTS

if TYPE_CHECKING:
    from gymnasium import Space

    from gailkit.evaluation.closeness import Closeness
    from gailkit.evaluation.steps_as_points import Points
    from gailkit.types import Policy, Trajectory

EPISODES = 20  # of policy, expert and random actions each
HELD_OUT, FURTHER = 10, 40  # of fifty demonstrations, for 50 episodes of the policy
BY_STEPS = 50  # draws in which steps also take the place of episodes

Row = dict[str, Any]


@dataclass(frozen=True)
class Null:
    """An expert that any other draw of its own episodes must pass for."""

    env_id: str
    expert: str  # a file under EXPERTS
    noise: float  # that makes this expert what it is


@dataclass(frozen=True)
class Setting:
    """Draws of the same kind; results are kept under ``name``."""

    name: str
    null: Null
    noise: float  # by which the policy strays from the expert; 0 where it is the expert
    draws: int
    episodes: int = EPISODES
    shown: int | None = None  # of the expert to compare with, where not as many as of the policy
    further: int = 0  # of the expert, which the policy is not compared with


PENDULUM = Null("Pendulum-v1", "zoo/tqc/Pendulum-v1.zip", 0.0)  # 200 steps always
CARTPOLE = Null("CartPole-v1", "zoo/ppo/CartPole-v1.zip", 0.4)  # falls after 15 to 500 steps, or is truncated at 500
NOISES = (0.05, 0.1, 0.2, 0.4)
REFERENCE = Setting("many episodes at noise 0.2", PENDULUM, 0.2, 5, 200)
SETTINGS = (
    Setting("expert, Pendulum", PENDULUM, 0.0, 200),
    *(Setting(f"noise {noise:g}", PENDULUM, noise, 50) for noise in NOISES),
    Setting("expert, CartPole", CARTPOLE, 0.0, 200),
    *(
        Setting(f"expert, {name}, held out", null, 0.0, 60, 50, HELD_OUT, FURTHER)
        for name, null in (("Pendulum", PENDULUM), ("CartPole", CARTPOLE))
    ),
    REFERENCE,
)


def drawn(setting: Setting, number: int) -> Row:
    """What the evaluation says of draw ``number``."""
    from gailkit.evaluation.closeness import closeness
    from gailkit.rollouts.environments import make_env

    env = make_env(setting.null.env_id)
    spaces = env.observation_space, env.action_space
    env.close()
    played, known, acted = episodes(setting, number, spaces)
    shown, further = known[setting.further :], known[: setting.further]
    found = closeness(played, shown, acted, *spaces, env_id=setting.null.env_id, seed=number, further=further)
    row = {"setting": setting.name, "number": number, **_said(found)}
    return row if setting.noise or setting.further or number >= BY_STEPS else row | _by_steps(found, number)


def episodes(setting: Setting, number: int, spaces: tuple[Space[Any], Space[Any]]) -> Sequence[list[Trajectory]]:
    """Of policy, expert and random actions, from different starts."""
    import torch

    from gailkit.experts.noise import noisy
    from gailkit.experts.random import random_policy
    from gailkit.experts.resolve import expert_policy
    from gailkit.rollouts.environments import SeedStream, make_env
    from gailkit.rollouts.episodes import collect_episodes

    torch.set_num_threads(1)
    seeds = SeedStream(number, f"calibration, {setting.name}")
    network = expert_policy(str(EXPERTS / setting.null.expert), *spaces, 0)
    policies: list[Policy] = [
        noisy(noisy(network, spaces[1], setting.null.noise, next(seeds)), spaces[1], setting.noise, next(seeds)),
        noisy(network, spaces[1], setting.null.noise, next(seeds)),
        random_policy(spaces[1], next(seeds)),
    ]
    play = partial(collect_episodes, env_factory=partial(make_env, setting.null.env_id), num_envs=EPISODES)
    experts = setting.episodes if setting.shown is None else setting.shown + setting.further
    counts = (setting.episodes, experts, setting.episodes)
    return [play(policy, seeds=seeds.take(count)) for policy, count in zip(policies, counts, strict=True)]


def _said(found: Closeness) -> Row:
    test, occupancy, covered = found.two_sample, found.occupancy, found.coverage
    assert test is not None and occupancy.excess is not None and covered is not None  # there are episodes enough
    return {
        "auc": test.auc,
        "auc_ci95": test.auc_ci95,
        "p": test.p,
        "mmd_p": test.mmd_p,
        "distance": occupancy.distance,
        "floor": occupancy.floor,
        "excess": occupancy.excess,
        "closeness": occupancy.closeness,
        "detectable": occupancy.detectable,
        "recall": covered.recall,
        "expert_recall": covered.expert_recall,
        "verdict": found.verdict.verdict,
    }


def _by_steps(found: Closeness, number: int) -> Row:
    """The same classifier where folds and permutations are of steps: they are dealt anew to as many episodes."""
    from gailkit.evaluation.classifier import tell_apart

    random = np.random.default_rng(number)
    steps = found.steps
    policy, expert = (dealt(steps.scale.apply(side), random) for side in (steps.policy, steps.expert))
    test = tell_apart(policy, expert, (), number)
    assert test is not None
    return {"auc_by_steps": test.auc, "p_by_steps": test.p}


def dealt(points: Points, random: np.random.Generator) -> Points:
    """The steps of all episodes, shuffled, in as many parts."""
    return np.array_split(random.permutation(np.concatenate(points)), len(points))


def work_alone() -> None:
    """Keep numerical libraries of processes that start from now on to one thread each: many run side by side."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
