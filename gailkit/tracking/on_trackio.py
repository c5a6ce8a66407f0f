"""A run in Trackio's local dashboard."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import trackio

from gailkit.tracking.protocol import TrackedRun


class OnTrackio:
    """A run of Trackio, kept where TRACKIO_DIR says; `trackio show` shows it. What is resumed here goes on there.

    The project is that of TRACKIO_PROJECT, gailkit where it says nothing.
    """

    def __init__(self, run: TrackedRun) -> None:
        with _silent():
            self._run = trackio.init(
                project=os.environ.get("TRACKIO_PROJECT", "gailkit"),
                name=f"{run.folder.name}-{run.id}",
                config=dict(run.settings),
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    def write(self, metrics: Mapping[str, float]) -> None:
        """One row at its step."""
        with _silent():
            self._run.log(dict(metrics), step=int(metrics["steps"]))

    def film(self, path: Path, steps: int) -> None:
        """The film at its step."""
        with _silent():
            self._run.log({"eval/film": trackio.Video(str(path), format="gif")}, step=steps)

    def close(self) -> None:
        """Have everything in Trackio's database."""
        with _silent():
            trackio.finish()


@contextmanager
def _silent() -> Iterator[None]:
    """Without what Trackio prints on stdout, which is for what commands answer."""
    with redirect_stdout(io.StringIO()):
        yield
