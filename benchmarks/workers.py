"""``python -m benchmarks workers``: environments in worker processes beside the same in one, in one run, in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from itertools import cycle
from statistics import median

import click
import numpy as np

from benchmarks.sleeping import Sleeping
from benchmarks.tasks import REPOSITORY
from gailkit.experts.random import random_policy
from gailkit.rollouts.environments import EnvMaker
from gailkit.rollouts.in_process import InProcess
from gailkit.rollouts.machine import usable_processors
from gailkit.rollouts.protocol import Environments
from gailkit.rollouts.stepping import Stepping
from gailkit.rollouts.vector import make_vector_env
from gailkit.rollouts.workers.pool import InWorkers

ENV_IDS = ("HalfCheetah-v5", "Hopper-v5")
NUM_ENVS = 32
DRAWN = 50  # random actions of all of them
SLEEPS, SLEEPERS = (0.01, 0.05), 64  # seconds
COUNTS = (2, 4, 8, 16, 32, 64)
TIMEOUT = 60.0
RESULTS = REPOSITORY / "benchmarks" / "results" / "workers.txt"


@click.command()
@click.option("--rounds", default=15, show_default=True, help="Of each kind, in turn; medians count.")
@click.option("--steps", default=100, show_default=True, help="Of all environments together, in a round.")
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def workers(rounds: int, steps: int, keep: bool) -> None:
    """Environments in worker processes, beside the same in one process."""
    lines = measured(rounds, steps)
    click.echo("\n".join(lines))
    if keep:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def measured(rounds: int, steps: int) -> list[str]:
    """What there is to say of so many ``rounds`` of so many ``steps`` of all environments together."""
    import torch

    torch.set_num_threads(1)
    processors = usable_processors()
    lines = [f"{NUM_ENVS} environments, medians of {rounds} rounds in turn, {processors} processors:"]
    for env_id in ENV_IDS:
        here, elsewhere = _raw(env_id, rounds, steps)
        ratio = median(two / one for one, two in zip(here, elsewhere, strict=True))
        rates = f"{median(here):,.0f} steps/s in one process, {median(elsewhere):,.0f} in 2 workers"
        lines.append(f"  {env_id}: raw stepping {rates}: {ratio:.2f} times")
        alone, share = _training(env_id, max(1, rounds // 3))
        lines.append(
            f"  {env_id}: training in {processors} workers {share:.2f} of {processors} times raw stepping in one "
            f"process, in one process {alone:.2f} of raw stepping"
        )
    for sleep in SLEEPS:
        lines.append(f"{SLEEPERS} environments that sleep {sleep * 1e3:g} ms in a step, times one process and share:")
        for count, times in _sleeping(sleep, max(2, rounds // 5)):
            lines.append(f"  {count:3d} workers: {times:6.2f} times, {times / count:.3f}   (at least 0.9)")
    return lines


def _raw(env_id: str, rounds: int, steps: int) -> tuple[list[float], list[float]]:
    """Steps a second in one process and in two workers, in turn, by the same random actions."""
    with ExitStack() as opened:
        both = [
            opened.enter_context(closing(made))
            for made in (InProcess(EnvMaker(env_id), NUM_ENVS), InWorkers(EnvMaker(env_id), NUM_ENVS, 2, TIMEOUT))
        ]
        takers = [_stepper(envs) for envs in both]
        rates = [[_rate(take, steps) for take in takers] for _ in range(rounds + 1)][1:]
    return [one for one, _ in rates], [two for _, two in rates]


def _stepper(envs: Environments) -> Callable[[], int]:
    act, rows = random_policy(envs.single_action_space, 0), np.zeros((envs.num_envs, 1))
    actions = cycle([act(rows) for _ in range(DRAWN)])  # drawn beforehand: drawing takes a third as long as a step
    envs.reset(seed=0)

    def step() -> int:
        _, _, terminated, truncated, _ = envs.step(next(actions))
        if (over := terminated | truncated).any():
            envs.reset(seed=[1] * envs.num_envs, options={"reset_mask": over})
        return envs.num_envs

    return step


def _rate(take_steps: Callable[[], int], times: int) -> float:
    started = time.perf_counter()
    taken = sum(take_steps() for _ in range(times))
    return taken / (time.perf_counter() - started)


def _training(env_id: str, rounds: int) -> tuple[float, float]:
    """Rate of whole training as a share of raw stepping in one process: in one, and in a worker a processor, of what
    as many times raw stepping would be."""
    from gailkit.training.build import build_expert_trainer
    from gailkit.training.config import ExpertConfig

    config, processors = ExpertConfig(num_envs=NUM_ENVS), usable_processors()
    with ExitStack() as opened:
        make = partial(make_vector_env, env_id, NUM_ENVS)
        raw, alone, shared = (
            opened.enter_context(closing(make(stepping=Stepping(count)))) for count in (1, 1, processors)
        )
        trainers = [build_expert_trainer(config, envs) for envs in (alone, shared)]
        step = _stepper(raw)
        found = []
        for _ in range(rounds + 1):
            bare = _rate(step, config.rollout_steps)
            found.append([trainer.iterate()["steps_per_second"] / bare for trainer in trainers])
    one, several = (median(column) for column in zip(*found[1:], strict=True))
    return one, several / processors


def _sleeping(sleep: float, rounds: int) -> list[tuple[int, float]]:
    """How many times as fast so many workers are, of environments that sleep so many seconds."""
    maker = partial(Sleeping, sleep)
    with closing(InProcess(maker, SLEEPERS)) as envs:
        alone = _rate(_stepper(envs), rounds)
    found = []
    for count in COUNTS:
        with closing(InWorkers(maker, SLEEPERS, count, TIMEOUT)) as shared:
            step = _stepper(shared)
            step()
            found.append((count, _rate(step, 10 * rounds) / alone))
    return found
