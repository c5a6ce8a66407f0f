"""How fast gailkit is, as ratios and sizes that were measured in one run."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from benchmarks.resuming_costs import costs
from benchmarks.tasks import REPOSITORY
from benchmarks.workers import measured

if TYPE_CHECKING:
    from gailkit import Demonstrations

ENV_ID = "HalfCheetah-v5"
ROUNDS = 30
STEPS = 4_096
HELP_RUNS = 11
RESULTS = REPOSITORY / "benchmarks" / "results" / "speed.txt"


@click.command()
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def speed(keep: bool) -> None:
    """Training against raw stepping, peak memory, how soon help answers, and what worker processes bring."""
    raw, training = _stepping_rates()
    ratio = median(trained / stepped for stepped, trained in zip(raw, training, strict=True))
    lines = (
        f"{ENV_ID}, default settings, medians of {ROUNDS} rounds in turn, {os.cpu_count()} cores:",
        f"  raw stepping {median(raw):,.0f} steps/s, training {median(training):,.0f} steps/s",
        f"  training / raw stepping   {ratio:6.2f}         (at least 0.5)",
        f"  peak memory of a run      {_peak_memory_mb():6.0f} MB      (below 1000)",
        f"  gailkit --help            {_help_seconds():6.2f} s       (below 0.3)",
        "what it costs that a training can be gone on with:",
        *costs(),
        "environments in worker processes:",
        *measured(rounds=9, steps=50),
    )
    click.echo("\n".join(lines))
    if keep:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _stepping_rates() -> tuple[list[float], list[float]]:
    """Steps a second of the bare vector environment, given the policy's actions, and of training in it, in turn."""
    import torch

    from gailkit import TrainConfig
    from gailkit.rollouts.vector import make_vector_env
    from gailkit.spaces import clip_to_space
    from gailkit.training.build import build_trainer

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = TrainConfig()
    bare, trained = (make_vector_env(ENV_ID, config.num_envs) for _ in range(2))
    demonstrations = _demonstrations().fitted_to(trained.single_observation_space, trained.single_action_space)
    trainer = build_trainer(config, trained, demonstrations)
    bare.reset(seed=0)
    taken = trainer.collector.collect(trainer.generator).act.numpy()  # what an action is changes what a step costs
    actions = cycle(clip_to_space(bare.single_action_space, taken))

    def step() -> int:
        _, _, terminated, truncated, _ = bare.step(next(actions))
        if (terminated | truncated).any():
            bare.reset(options={"reset_mask": terminated | truncated})
        return config.num_envs

    def iterate() -> int:
        trainer.iterate()
        return config.num_envs * config.rollout_steps

    rates: list[tuple[float, float]] = [(_rate(step), _rate(iterate)) for _ in range(ROUNDS + 1)][1:]
    return [raw for raw, _ in rates], [training for _, training in rates]


def _rate(take_steps: Callable[[], int]) -> float:
    """Steps a second over at least STEPS of them."""
    started, taken = time.perf_counter(), 0
    while taken < STEPS:
        taken += take_steps()
    return taken / (time.perf_counter() - started)


def _demonstrations() -> Demonstrations:
    """Random episodes: what is imitated makes no difference to how long it takes."""
    from gailkit import Demonstrations
    from gailkit.experts.random import random_policy
    from gailkit.rollouts.environments import make_env
    from gailkit.rollouts.episodes import collect_episodes

    env = make_env(ENV_ID)
    space = env.action_space
    env.close()
    return Demonstrations(tuple(collect_episodes(random_policy(space, 0), lambda: make_env(ENV_ID), [0, 1])))


def _peak_memory_mb() -> float:
    """Peak resident memory of the command ``gailkit train``, run for 100,000 steps."""
    with tempfile.TemporaryDirectory() as folder:
        demos = Path(folder) / "demos.hdf5"
        _demonstrations().save(demos)
        words = ["train", ENV_ID, "--demos", demos, "--steps", 100_000, "--out", Path(folder) / "run"]
        _quietly([sys.executable, "-m", "gailkit", *map(str, words)])
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit


def _help_seconds() -> float:
    """Median wall time of ``gailkit --help``."""
    times = []
    for _ in range(HELP_RUNS):
        started = time.perf_counter()
        _quietly([sys.executable, "-m", "gailkit", "--help"])
        times.append(time.perf_counter() - started)
    return median(times)


def _quietly(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
