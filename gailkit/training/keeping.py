"""What a run keeps while it goes on: its metrics, its last state, its best policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gailkit.errors import RankError, StorageError
from gailkit.ranks.group import agreed, size, together
from gailkit.ranks.merging import total
from gailkit.tracking import Tracking
from gailkit.training.all_ranks import Collecting
from gailkit.training.loop import EPISODES_REMEMBERED, Trainer
from gailkit.training.metrics import MetricsWriter
from gailkit.training.picture import draw_learning
from gailkit.training.run import PICTURE_FILE, RunFolder


class Keeper:
    """Keeps the metrics, the last state, and the policy as it was when the mean true return of the last episodes was
    highest. Of several ranks the first writes, and the others hand it what they have of their own."""

    def __init__(
        self,
        folder: RunFolder,
        trainer: Trainer,
        writer: MetricsWriter | None,
        tracking: Tracking | None,
        best_return: float,
    ) -> None:
        """``writer`` and ``tracking`` are those of the first rank; the others have none."""
        self.folder, self.trainer, self.writer, self.tracking = folder, trainer, writer, tracking
        self.collecting = Collecting(trainer)
        self.saved_at = time.monotonic()
        self.best_return = best_return
        self.best_state: dict[str, Any] | None = None
        self.best_steps = 0

    def take(self, metrics: Mapping[str, float], film: Path | None = None) -> None:
        """Write the metrics of an iteration, tell the trackers, and remember its policy if it is the best."""
        with together():
            if self.writer is not None:
                self.writer.write(metrics)
            if self.tracking is not None:
                self.tracking.write(metrics)
                if film is not None:
                    self.tracking.film(film, self.trainer.steps)
        full = total(len(self.trainer.recent))[0] == size() * EPISODES_REMEMBERED
        if full and metrics["episode/true_return"] > self.best_return:
            self.best_return = metrics["episode/true_return"]
            networks = self.trainer.generator.actor_critic.state_dict()
            self.best_state = {f"actor_critic.{name}": tensor.clone() for name, tensor in networks.items()}
            self.best_steps = self.trainer.steps

    def save_in_time(self, asked: bool) -> None:
        """Save if that was asked for, or the last time was long enough ago."""
        if agreed(asked or time.monotonic() - self.saved_at >= self.trainer.config.checkpoint_every):
            self.save()

    def save(self) -> None:
        """Write the best policy if there is a better one than was written, and the last state, which is ahead of
        nothing: it goes last."""
        others = self.collecting.collect()
        with together():
            if self.writer is not None:
                self.writer.secure()
                self.save_best()
                self.folder.save_last({**self.trainer.state_dict(), **others, "best_return": self.best_return})
        self.collecting.kept()
        self.saved_at = time.monotonic()

    def leave(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Save, unless an iteration was left half done, and draw the curves."""
        if self.trainer.whole:
            self.save()
        if self.writer is not None:
            draw_learning(rows, self.folder.path / PICTURE_FILE)

    def save_best(self) -> None:
        """Write the best policy if it is better than the one that was written."""
        if self.best_state is not None and self.writer is not None:
            best = {"generator": self.best_state, "true_return": self.best_return, "steps": self.best_steps}
            self.folder.save("best", best)
            self.best_state = None


@contextmanager
def leaving(leave: Callable[[], None]) -> Iterator[None]:
    """After the block, however it ends, ``leave`` what is to be kept; where both fail, the block's reason is told."""
    try:
        yield
    except BaseException:
        with suppress(StorageError, RankError):
            leave()
        raise
    leave()
