"""Imitation from demonstrations to a trained policy, in one call."""

from __future__ import annotations

import copy
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import SyncVectorEnv

from gailkit import __version__
from gailkit.demonstrations import Demonstrations
from gailkit.errors import DivergenceError, EnvironmentFailure, InputError
from gailkit.generator import TrainedPolicy
from gailkit.rollouts.envs import make_vector_env
from gailkit.spaces import space_to_json
from gailkit.training.build import build_trainer
from gailkit.training.config import TrainConfig
from gailkit.training.loop import Trainer
from gailkit.training.metrics import MetricsWriter
from gailkit.training.parts import Parts
from gailkit.training.picture import draw_learning
from gailkit.training.run import PICTURE_FILE, RunFolder

OnIteration = Callable[[dict[str, float]], None]
CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves behind."""

    policy: TrainedPolicy
    trainer: Trainer
    metrics: list[dict[str, float]]  # one row an iteration
    folder: Path | None


def train(
    env_id: str,
    demonstrations: Demonstrations,
    config: TrainConfig | None = None,
    *,
    parts: Parts | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    env_kwargs: Mapping[str, Any] | None = None,
    on_iteration: OnIteration | None = None,
    command: str | None = None,
) -> TrainingResult:
    """Train a policy that imitates ``demonstrations`` in the environment ``env_id``.

    Args:
        config: every setting; the defaults serve all tasks.
        parts: objects that take the place of those that ``config`` names.
        out: the run folder; nothing is written when None.
        overwrite: replace a run that ``out`` already holds, or use it although something else lies there.
        on_iteration: sees the metrics of every iteration. What it raises ends the training, after a checkpoint.
        command: the command line that asked for the run, for the record.

    Raises:
        InputError: if the environment does not exist, the demonstrations do not fit it, a name is not known, or
            ``out`` is not empty.
        EnvironmentFailure, StorageError: from outside.
        DivergenceError: if a number becomes NaN; the last checkpoint was written before that.
    """
    if not isinstance(env_id, str) or not isinstance(demonstrations, Demonstrations):
        raise InputError(
            "train takes the id of a registered environment and Demonstrations (Demonstrations.load reads a file); "
            f"found {type(env_id).__name__} and {type(demonstrations).__name__}"
        )
    config = config or TrainConfig()
    envs = make_vector_env(env_id, config.num_envs, env_kwargs)
    try:
        fitted = demonstrations.fitted_to(envs.single_observation_space, envs.single_action_space)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            trainer = build_trainer(config, envs, fitted, parts)
            result = TrainingResult(_policy(trainer, env_id, env_kwargs or {}), trainer, [], None)
            if out is None:
                _iterate(trainer, [result.metrics.append, *_some(on_iteration)])
                return result
            description = describe_run(env_id, env_kwargs or {}, envs, fitted, config, parts or Parts(), command)
            folder = RunFolder.create(Path(out), description, overwrite)
            _train_into(folder, result, on_iteration)
            return replace(result, folder=folder.path)
    finally:
        envs.close()


def _train_into(folder: RunFolder, result: TrainingResult, on_iteration: OnIteration | None) -> None:
    """Iterate with checkpoints every half minute and at the end, however it comes, of what is whole and finite."""
    keeper = _Keeper(folder, result.trainer)
    keeper.save()
    with closing(MetricsWriter(folder.path)) as writer:
        try:
            _iterate(result.trainer, [result.metrics.append, writer.write, keeper, *_some(on_iteration)])
        except DivergenceError as error:
            keeper.save_best()
            raise DivergenceError(f"{error}; the last good checkpoint is {folder.checkpoint_path('last')}") from error
        except EnvironmentFailure as error:
            raise EnvironmentFailure(
                f"{error}, after {result.trainer.steps} steps; what was learned is kept"
            ) from error
        finally:
            if result.trainer.whole:
                keeper.save()
            draw_learning(result.metrics, folder.path / PICTURE_FILE)


def _iterate(trainer: Trainer, observers: list[OnIteration]) -> None:
    while trainer.iteration < trainer.config.total_iterations:
        metrics = trainer.iterate()
        for observe in observers:
            observe(metrics)


class _Keeper:
    """Keeps the last state, and the policy as it was when the mean true return of the last episodes was highest."""

    def __init__(self, folder: RunFolder, trainer: Trainer) -> None:
        self.folder, self.trainer = folder, trainer
        self.saved_at = time.monotonic()
        self.best_return = -np.inf
        self.best_state: dict[str, Any] | None = None

    def __call__(self, metrics: Mapping[str, float]) -> None:
        full = len(self.trainer.recent) == self.trainer.recent.maxlen
        if full and metrics["episode/true_return"] > self.best_return:
            self.best_return = metrics["episode/true_return"]
            self.best_state = copy.deepcopy(self.trainer.generator.state_dict())
        if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the last state, and the best if there is a better one than was written."""
        self.folder.save("last", self.trainer.state_dict())
        self.save_best()
        self.saved_at = time.monotonic()

    def save_best(self) -> None:
        """Write the best policy if it is better than the one that was written."""
        if self.best_state is not None:
            self.folder.save("best", {"generator": self.best_state, "true_return": self.best_return})
            self.best_state = None


def describe_run(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    envs: SyncVectorEnv,
    demonstrations: Demonstrations,
    config: TrainConfig,
    parts: Parts,
    command: str | None,
) -> dict[str, Any]:
    """What ``config.json`` says of a run; ``parts`` are those that took the place of what ``config`` names."""
    return {
        "env_id": env_id,
        "env_kwargs": dict(env_kwargs),
        "observation_space": space_to_json(envs.single_observation_space),
        "action_space": space_to_json(envs.single_action_space),
        "config": config.to_dict(),
        "demonstrations": {
            "episodes": len(demonstrations.trajectories),
            "transitions": demonstrations.num_kept,
            "stride": demonstrations.stride,
            "digests": demonstrations.digests(),
            "provenance": dict(demonstrations.provenance),
        },
        "versions": {
            "gailkit": __version__,
            "torch": torch.__version__,
            "gymnasium": gymnasium.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "parts": {field.name: _named(getattr(parts, field.name)) for field in fields(parts)},
        "command": command,
    }


def _policy(trainer: Trainer, env_id: str, env_kwargs: Mapping[str, Any]) -> TrainedPolicy:
    envs = trainer.collector.envs
    return TrainedPolicy(
        trainer.generator.actor_critic,
        envs.single_observation_space,
        envs.single_action_space,
        env_id,
        env_kwargs,
        frozenset(trainer.demonstrations.digests()),
    )


def _named(part: object) -> str | None:
    """Where a part was defined, or None for none."""
    if part is None:
        return None
    named = part if hasattr(part, "__qualname__") else type(part)
    return f"{named.__module__}:{named.__qualname__}"


def _some(observer: OnIteration | None) -> list[OnIteration]:
    return [] if observer is None else [observer]
