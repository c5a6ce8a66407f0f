"""What it costs a training that it can be gone on with exactly."""

from __future__ import annotations

import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple
from unittest.mock import patch

import torch

from benchmarks.tasks import EXPERTS, REPOSITORY
from gailkit.demonstrations import Demonstrations
from gailkit.errors import GailkitError
from gailkit.rollouts.in_progress import EpisodesInProgress
from gailkit.rollouts.vector import make_vector_env
from gailkit.training.build import build_trainer
from gailkit.training.config import TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder
from gailkit.training.train import train

ITERATIONS = 20
ROUNDS = 10


class Task(NamedTuple):
    """Where training is timed."""

    env_id: str
    demos: Path
    trajectories: int
    subsample: int


TASKS = (
    Task("CartPole-v1", REPOSITORY / "datasets" / "cartpole-v1.hdf5", 2, 20),
    Task("Hopper-v5", EXPERTS / "paper" / "Hopper-v5.hdf5", 4, 20),
)


class _Stop(GailkitError):
    """Ends a training on purpose."""


def costs() -> list[str]:
    """A line for each task: time of checkpoints, of what is noted down to go on, and to be back at work."""
    torch.set_num_threads(1)
    return [_cost(task) for task in TASKS if task.demos.is_file()]


def _cost(task: Task) -> str:
    shown = Demonstrations.load(task.demos).choose(task.trajectories).subsample(task.subsample)
    config = TrainConfig()
    with closing(make_vector_env(task.env_id, config.num_envs)) as envs:
        trainer = build_trainer(config, envs, shown.fitted_to(envs.single_observation_space, envs.single_action_space))
        noted = _ratio(trainer)
    with tempfile.TemporaryDirectory() as folder:
        saving, back = _stopped_and_back(task, shown, Path(folder))
    share = saving / config.checkpoint_every
    return (
        f"  {task.env_id}: checkpoints {share:.2%} of the time (below 2 %), noting episodes down {noted - 1:+.1%} of a "
        f"rollout (below 3 %), back at work after {back:.1f} s (below 10)"
    )


def _ratio(trainer: Trainer) -> float:
    """Time of a rollout as it is, beside that of one of which nothing is noted or kept; medians of rounds in turn."""
    pairs = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        trainer._roll_out()
        between = time.perf_counter()
        with patch.object(EpisodesInProgress, "note_actions"):
            trainer.collector.collect(trainer.generator)
        pairs.append((between - started) / (time.perf_counter() - between))
    return median(pairs)


def _stopped_and_back(task: Task, shown: Demonstrations, folder: Path) -> tuple[float, float]:
    """Seconds of a checkpoint, and seconds from the call to the first iteration of a run that is gone on with."""
    saving: list[float] = []

    def stop(metrics: dict[str, float]) -> None:
        if metrics["steps"] >= ITERATIONS * 2048:
            raise _Stop

    own = RunFolder.save_last

    def timed(self: RunFolder, state: dict[str, object]) -> None:
        started = time.perf_counter()
        own(self, state)
        saving.append(time.perf_counter() - started)

    with suppress(_Stop), patch.object(RunFolder, "save_last", timed):
        train(task.env_id, shown, TrainConfig(checkpoint_every=0.0), out=folder / "run", on_iteration=stop)
    started = time.perf_counter()
    back: list[float] = []

    def first(metrics: dict[str, float]) -> None:
        back.append(time.perf_counter() - started - metrics["seconds"] / (ITERATIONS + 1))
        raise _Stop

    with suppress(_Stop):
        resume(folder / "run", shown, on_iteration=first, tell=lambda text: None)
    return median(saving), back[0]
