"""Numbers of a run for TensorBoard, written when they are told and by whoever tells them.

TensorBoard's own writers write from a thread, whose failure on a full disk nobody can catch.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from gailkit.tracking.protocol import TrackedRun

EVENTS_FOLDER = "tensorboard"


class OnTensorBoard:
    """A new file of events in the run folder. Every method raises OSError where the disk refuses."""

    def __init__(self, run: TrackedRun) -> None:
        """TensorBoard is told to leave out what other files of the folder have behind the steps of the run."""
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        place = run.folder / EVENTS_FOLDER
        place.mkdir(exist_ok=True)
        named = f"{time.time():017.6f}.{socket.gethostname()}.{os.getpid()}"  # read in the order of their names
        self._file = (place / f"events.out.tfevents.{named}").open("wb")
        self._records = RecordWriter(self._file)
        try:
            self._write(0, file_version="brain.Event:2")
            if run.steps:
                self._write(run.steps + 1, session_log=SessionLog(status=SessionLog.START))
        except OSError:
            self._file.close()
            raise

    def write(self, metrics: Mapping[str, float]) -> None:
        """One row at the place ``metrics["steps"]``."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
        self._write(int(metrics["steps"]), summary=Summary(value=values))
        self._file.flush()

    def film(self, path: Path, steps: int) -> None:
        """The film as a picture that moves."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        with Image.open(path) as film:
            width, height = film.size
        picture = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=path.read_bytes())
        self._write(steps, summary=Summary(value=[Summary.Value(tag="eval/film", image=picture)]))

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()

    def _write(self, step: int, **what: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._records.write(Event(wall_time=time.time(), step=step, **what).SerializeToString())
