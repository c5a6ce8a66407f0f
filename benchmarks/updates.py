"""What one update of the policy costs with each optimiser, as a share of ppo-clip's, measured in one run."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

import click

from benchmarks.tasks import REPOSITORY
from gailkit import TrainConfig

if TYPE_CHECKING:
    from torch import Tensor

    from gailkit.generator import Generator
    from gailkit.types import Reward, Rollout

OBSERVATIONS, ACTIONS = 11, 3  # Hopper's
HIDDEN = ((64, 64), (256, 256))
ROUNDS = 30
ENDS = 0.01  # the share of steps that end an episode
REFERENCE = "ppo-clip"
RESULTS = REPOSITORY / "benchmarks" / "results" / "updates.txt"

Seconds = Mapping[str, Sequence[float]]


@click.command()
@click.option("--keep", is_flag=True, help="Also write what is printed to benchmarks/results/.")
def updates(keep: bool) -> None:
    """One update with each optimiser, every setting its default, for a small and a large policy."""
    rounds = [_update_times(hidden) for hidden in HIDDEN]
    config = TrainConfig()
    lines = (
        f"One update on a rollout of {config.rollout_steps} x {config.num_envs} steps in Hopper's spaces "
        f"({OBSERVATIONS} observations, {ACTIONS} actions),",
        f"medians of {ROUNDS} rounds in turn, one thread, {os.cpu_count()} cores; ratios to {REFERENCE}:",
        "",
        f"{'':14}" + "".join(f"{'policy of ' + ' x '.join(map(str, hidden)):>22}" for hidden in HIDDEN),
        *(f"  {name:12}" + "".join(_entry(times, name) for times in rounds) for name in rounds[0]),
    )
    click.echo("\n".join(lines))
    if keep:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _entry(times: Seconds, name: str) -> str:
    """The median time, and the median over rounds of its ratio to the reference's in the same round."""
    ratio = median(own / reference for own, reference in zip(times[name], times[REFERENCE], strict=True))
    return f"{1000 * median(times[name]):10.1f} ms {ratio:8.2f}"


def _update_times(hidden: tuple[int, ...]) -> Seconds:
    """Seconds of ``update`` in each round by optimiser, which take turns; a first round warms up and does not count."""
    import torch

    from gailkit.training.build_policy import GENERATORS

    torch.set_num_threads(1)
    generators = {name: _generator(name, hidden) for name in GENERATORS}
    times: dict[str, list[float]] = {name: [] for name in generators}
    for _ in range(ROUNDS + 1):
        for name, generator in generators.items():
            rollout, rewards = _experience(generator)
            started = time.perf_counter()
            generator.update(rollout, _always(rewards))
            times[name].append(time.perf_counter() - started)
    return {name: seconds[1:] for name, seconds in times.items()}


def _always(rewards: Tensor) -> Reward:
    return lambda steps: rewards


def _generator(name: str, hidden: tuple[int, ...]) -> Generator:
    """Untrained, with its default settings."""
    import numpy as np
    import torch
    from gymnasium.spaces import Box

    from gailkit.networks.encoders import ObservationEncoder
    from gailkit.training.build_policy import build_actor_critic, generator_factory
    from gailkit.training.policy_config import PolicyConfig

    torch.manual_seed(0)
    config = TrainConfig(generator=name, policy=PolicyConfig(hidden=hidden))
    encoder = ObservationEncoder(Box(-np.inf, np.inf, (OBSERVATIONS,)))
    encoder.update(torch.randn(1000, OBSERVATIONS))
    return generator_factory(config)(build_actor_critic(config.policy, encoder, Box(-1, 1, (ACTIONS,))))


def _experience(generator: Generator) -> tuple[Rollout, Tensor]:
    """A rollout of the present policy in a world of noise, and rewards (T, N) that there is something to learn from."""
    import torch

    from gailkit.types import Rollout

    lead = (TrainConfig().rollout_steps, TrainConfig().num_envs)
    obs, next_obs = torch.randn(2, *lead, OBSERVATIONS)
    act = generator.act(obs.flatten(0, 1))
    act = act.reshape(*lead, ACTIONS)
    rewards = -(act - obs[..., :ACTIONS]).square().mean(-1)
    terminated = torch.rand(lead) < ENDS
    return Rollout(obs, act, next_obs, terminated, torch.zeros_like(terminated)), rewards
