"""What a tracker is, and what it is told of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run when that begins, and again whenever it goes on."""

    folder: Path  # the run folder, where a tracker may keep files under its own name
    id: str  # letters and digits, the same whenever the run goes on
    settings: Mapping[str, Any]  # plain JSON values: environment and every setting
    steps: int = 0  # that it has behind it; what was told of later ones comes again


class Tracker(Protocol):
    """Where the numbers of a run are shown beside ``metrics.jsonl``. Whatever it raises ends it, and never the run."""

    def write(self, metrics: Mapping[str, float]) -> None:
        """Take the row of an iteration; ``metrics["steps"]`` is its place. Rows come in the order of their steps."""

    def film(self, path: Path, steps: int) -> None:
        """Take a film of the policy at ``steps``, a GIF that stays where it is."""

    def close(self) -> None:
        """Keep what was told: there is no more to tell, or not for now."""


TrackerFactory = Callable[[TrackedRun], Tracker]
"""Makes the tracker of a run that begins or goes on."""
