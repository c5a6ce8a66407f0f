"""How fast `gailkit record` records a network's policy, crash-safe files included, beside bare stepping."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from benchmarks.tasks import REPOSITORY
from gailkit.rollouts.stepping import Stepping

if TYPE_CHECKING:
    from gailkit.types import Policy, Trajectory

ENV_ID = "HalfCheetah-v5"
STEPS_OF_EPISODE = 1000
RESULTS = REPOSITORY / "benchmarks" / "results" / "recording.txt"


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often both are measured, in turn.")
@click.option("--episodes", default=100, show_default=True, help=f"In each round, of {STEPS_OF_EPISODE} steps.")
@click.option("--num-envs", default=(8, 16, 32), multiple=True, show_default=True, help="Episodes run side by side.")
@click.option("--workers", default=(1, 2), multiple=True, show_default=True, help="Processes that step; 1 is this one.")
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def recording(rounds: int, episodes: int, num_envs: Sequence[int], workers: Sequence[int], keep: bool) -> None:
    """Steps a second of a recording, as a share of `env.step` with the same actions in one process."""
    import torch

    torch.set_num_threads(1)
    policy = _policy()
    lines = [
        f"{ENV_ID}, {episodes * STEPS_OF_EPISODE:,} steps of a 2 x 64 tanh network, medians of {rounds} rounds,",
        f"{os.cpu_count()} cores; making the environments, shards and the final file included:",
    ]
    for side_by_side, processes in product(num_envs, workers):
        both = [_round(policy, episodes, side_by_side, Stepping(processes), seed) for seed in range(rounds)]
        recorded, bare = (median(rates) for rates in zip(*both, strict=True))
        ratio = median(own / raw for own, raw in both)
        lines.append(
            f"  --num-envs {side_by_side:<3} --workers {processes} raw stepping in one process {bare:7,.0f} steps/s, "
            f"recording {recorded:7,.0f} steps/s, recording / raw {ratio:.2f}"
        )
    click.echo("\n".join(lines))
    if keep:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _round(policy: Policy, episodes: int, num_envs: int, stepping: Stepping, seed: int) -> tuple[float, float]:
    """Steps a second of recording, and of bare stepping of what was recorded."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        recorded = _record(policy, Path(folder) / "a.hdf5", episodes, num_envs, stepping, seed)
        took = time.perf_counter() - started
    steps = sum(map(len, recorded))
    return steps / took, steps / _seconds_of_stepping(recorded)


def _record(
    policy: Policy, path: Path, episodes: int, num_envs: int, stepping: Stepping, seed: int
) -> list[Trajectory]:
    """As the command does."""
    from gailkit.recording.recorder import Recording
    from gailkit.recording.shard_folder import Shards
    from gailkit.rollouts.environments import EnvMaker, make_env
    from gailkit.rollouts.episodes import run_episodes

    with closing(Shards(path)) as shards, closing(make_env(ENV_ID)) as env:
        kept = Recording(shards, env, ENV_ID, {}, {"source": "benchmark"})
        seeds = kept.seeds(seed, episodes)

        def on_steps(count: int) -> None:
            kept.commit_if_due()

        maker = EnvMaker(ENV_ID)
        for index, trajectory in run_episodes(policy, maker, seeds, num_envs, on_steps=on_steps, stepping=stepping):
            kept.add(index, trajectory)
        kept.finish()
    return list(kept.finished.values())


def _seconds_of_stepping(recorded: Sequence[Trajectory]) -> float:
    from gailkit.rollouts.environments import make_env

    with closing(make_env(ENV_ID)) as env:
        started = time.perf_counter()
        for trajectory in recorded:
            env.reset(seed=trajectory.seed)
            for action in trajectory.actions:
                env.step(action)
        return time.perf_counter() - started


def _policy() -> Policy:
    """An actor of gailkit's own with default settings; that nobody has trained it changes no cost."""
    import torch

    from gailkit.generator import TrainedPolicy
    from gailkit.networks.encoders import ObservationEncoder
    from gailkit.rollouts.environments import make_env
    from gailkit.training.build_policy import build_actor_critic
    from gailkit.training.policy_config import PolicyConfig

    torch.manual_seed(0)
    with closing(make_env(ENV_ID)) as env:
        spaces = env.observation_space, env.action_space
    actor_critic = build_actor_critic(PolicyConfig(), ObservationEncoder(spaces[0]), spaces[1])
    return TrainedPolicy(actor_critic, *spaces, ENV_ID)
