"""CartPole imitated from pictures alone: ``python -m benchmarks pictures --help``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.seen_tasks import SeenCartPole
from gailkit import Demonstrations, Reference, TrainConfig, Trajectory, make_vector_env, train
from gailkit.rollouts.protocol import Environments
from gailkit.training.build import build_trainer
from gailkit.training.resuming import resume

ENV_ID = "benchmarks.seen_tasks:SeenCartPole-v0"
EXPERT = "datasets/cartpole-v1.hdf5"


@click.command()
@click.option("--steps", type=click.IntRange(1), default=200_000, show_default=True, help="Of the run.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the run.")
@click.option("--trajectories", type=click.IntRange(1), default=10, show_default=True, help="Of the expert.")
@click.option("--episodes", type=click.IntRange(1), default=50, show_default=True, help="To evaluate by.")
@click.option("--image-encoder", default="nature", show_default=True, help="How pictures are seen.")
@click.option("--profile", "only_profile", is_flag=True, help="Only say where the time of an iteration goes.")
@click.option("--out", type=click.Path(path_type=Path), help="Gets the run.")
@click.option("--resume", "goes_on", is_flag=True, help="Go on with the run in --out, for as many --steps in all.")
def pictures(
    steps: int,
    seed: int,
    trajectories: int,
    episodes: int,
    image_encoder: str,
    only_profile: bool,
    out: Path | None,
    goes_on: bool,
) -> None:
    """Imitate CartPole from the last four grey pictures of 64 x 64 pixels, by default settings."""
    torch.set_num_threads(1)
    demonstrations = seen_demonstrations(trajectories)
    config = TrainConfig(steps=steps, seed=seed, image_encoder=image_encoder)
    if only_profile:
        for line in profiled(config, demonstrations):
            click.echo(line)
        return
    began = time.monotonic()

    def tell(metrics: dict[str, float]) -> None:
        earned, passed = metrics.get("episode/true_return", float("nan")), time.monotonic() - began
        click.echo(
            f"step {metrics['steps']:,.0f}, {passed:,.0f} s, {time.process_time():,.0f} s of a CPU: "
            f"true return {earned:.1f}, accuracy of D {_sides(metrics, 'accuracy')}, logits {_sides(metrics, 'logit')}"
        )

    if goes_on and out is not None:
        result = resume(out, demonstrations, steps=steps, on_iteration=tell)
    else:
        result = train(ENV_ID, demonstrations, config, on_iteration=tell, out=out, overwrite=True)
    told = Reference(demonstrations, ENV_ID, episodes=episodes, seed=seed).evaluate(result.policy)
    click.echo(f"{trajectories} trajectories, {steps:,} steps, seed {seed}, {time.monotonic() - began:,.0f} s")
    click.echo(told.statement())


def _sides(metrics: dict[str, float], name: str) -> str:
    return " | ".join(f"{metrics[f'discriminator/{name}_{side}']:.2f}" for side in ("expert", "policy"))


def seen_demonstrations(count: int) -> Demonstrations:
    """The first ``count`` episodes of the expert's, gone through once more before the camera."""
    states = Demonstrations.load(EXPERT)
    shown = tuple(_seen(trajectory) for trajectory in states.trajectories[:count])
    env = SeenCartPole()
    return Demonstrations(shown, env.observation_space, env.action_space, ENV_ID, {}, {"source": EXPERT})


def _seen(trajectory: Trajectory) -> Trajectory:
    with closing(SeenCartPole()) as env:
        seen = [env.reset(seed=trajectory.seed)[0]]
        seen += [env.step(int(action))[0] for action in trajectory.actions]
        arrived = np.asarray(env.get_wrapper_attr("state"), np.float32)
    if not np.allclose(arrived, trajectory.observations[-1], atol=1e-4):
        raise click.ClickException(f"the episode with seed {trajectory.seed} of {EXPERT} leads elsewhere here")
    return replace(trajectory, observations=np.stack(seen))


def profiled(config: TrainConfig, demonstrations: Demonstrations) -> list[str]:
    """Where the time of the second iteration goes, a line each."""
    with closing(make_vector_env(ENV_ID, config.num_envs)) as envs:
        timed = _Timed(envs)
        fitted = demonstrations.fitted_to(envs.single_observation_space, envs.single_action_space)
        trainer = build_trainer(config, cast(Environments, timed), fitted)
        trainer.iterate()
        timed.seconds = 0.0
        began = time.perf_counter()
        with profile(activities=[ProfilerActivity.CPU]) as recorded:
            trainer.iterate()
        seconds = time.perf_counter() - began
    spent = {"stepping and drawing": timed.seconds}
    for event in recorded.key_averages():
        spent[_kind(event.key)] = spent.get(_kind(event.key), 0.0) + event.self_cpu_time_total / 1e6
    spent["all the rest, Python most of all"] = seconds - sum(spent.values())
    ordered = sorted(spent.items(), key=lambda item: -item[1])
    return [f"an iteration takes {seconds:.1f} s", *(f"{share / seconds:6.1%} {name}" for name, share in ordered)]


class _Timed:
    """Environments, and how many seconds their steps have taken."""

    def __init__(self, envs: Environments) -> None:
        self.envs, self.seconds = envs, 0.0
        self.about, self.num_envs = envs.about, envs.num_envs
        self.single_observation_space = envs.single_observation_space
        self.single_action_space = envs.single_action_space
        self.replay, self.close = envs.replay, envs.close

    def reset(self, **settings: Any) -> Any:
        """As that of the environments."""
        with self._clock():
            return self.envs.reset(**settings)

    def step(self, actions: np.ndarray, which: np.ndarray | None = None) -> Any:
        """As that of the environments."""
        with self._clock():
            return self.envs.step(actions, which)

    @contextmanager
    def _clock(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - began


def _kind(operation: str) -> str:
    if "conv" in operation:
        return "convolutions"
    return "layers of units" if operation in ("aten::addmm", "aten::mm") else "other operations of torch's"
