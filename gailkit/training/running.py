"""A training from its first iteration to what it leaves behind, whoever rewards it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gailkit.errors import DivergenceError, EnvironmentFailure
from gailkit.generator import TrainedPolicy
from gailkit.training.loop import Trainer
from gailkit.training.metrics import MetricsWriter
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


def run_to_the_end(
    trainer: Trainer, policy: TrainedPolicy, folder: RunFolder | None, on_iteration: OnIteration | None
) -> TrainingResult:
    """Iterate until the steps are done; ``policy`` is the one that ``trainer`` trains. Nothing is written without a
    ``folder``.

    Raises:
        EnvironmentFailure: from outside.
        DivergenceError: if a number becomes NaN; the last checkpoint was written before that.
    """
    result = TrainingResult(policy, trainer, [], None if folder is None else folder.path)
    observers = [result.metrics.append, *([] if on_iteration is None else [on_iteration])]
    if folder is None:
        _iterate(trainer, observers)
    else:
        _train_into(folder, result, observers)
    return result


def _train_into(folder: RunFolder, result: TrainingResult, observers: list[OnIteration]) -> None:
    """Iterate with checkpoints every half minute and at the end, however it comes, of what is whole and finite."""
    keeper = _Keeper(folder, result.trainer)
    keeper.save()
    with closing(MetricsWriter(folder.path)) as writer:
        try:
            _iterate(result.trainer, [writer.write, keeper, *observers])
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
