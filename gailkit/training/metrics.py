"""Where the numbers of a run go, one row an iteration: ``metrics.jsonl`` and TensorBoard events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

METRICS_FILE = "metrics.jsonl"
EVENTS_FOLDER = "tensorboard"


class MetricsWriter:
    """Appends rows to ``metrics.jsonl`` and to TensorBoard events in a run folder; every row is flushed."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._file = (folder / METRICS_FILE).open("a", encoding="utf-8")
        self._events = SummaryWriter(str(folder / EVENTS_FOLDER))

    def write(self, metrics: Mapping[str, float]) -> None:
        """One row; ``metrics["steps"]`` is the position on TensorBoard's axis."""
        self._file.write(json.dumps(dict(metrics)) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._events.add_scalar(name, value, int(metrics["steps"]))

    def close(self) -> None:
        """Flush and close the files."""
        self._file.close()
        self._events.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run, oldest first; a last line cut off by a crash is left out."""
    rows = []
    for line in (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows
