"""A replay on the disk: what is new since the last checkpoint in a file of its own, never all of it again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gailkit.errors import DataError
from gailkit.generator.replay import FIELDS
from gailkit.training.checkpoint import load_checkpoint, save_checkpoint

FOLDER = "replay"


def new_rows(state: Mapping[str, Any] | None, since: int) -> dict[str, Any] | None:
    """What the state of a replay holds of the rows from ``since`` on, and how many there are; None of no replay."""
    if state is None or not state["ring"]:
        return None
    rows, capacity = state["rows"], len(state["ring"]["terminated"])
    held = min(rows, capacity)
    first = max(rows - held, since)
    places = torch.arange(first, rows) % capacity
    ring = {name: values[places] for name, values in state["ring"].items()}
    return {"first": first, "ring": ring, "kept": {"rows": rows, "held": held, "capacity": capacity}}


class KeptReplay:
    """The rows of a replay, each a step in all environments, in files named by the first row and the one behind the
    last. A file is on the disk before a checkpoint speaks of its rows, and stays while one of two checkpoints does."""

    def __init__(self, checkpoints: Path, rank: int = 0) -> None:
        """``checkpoints`` is the folder of a run's checkpoints, ``rank`` says whose of several replays it is."""
        self.folder = checkpoints / FOLDER / (f"rank-{rank}" if rank else "")

    def save(self, state: Mapping[str, Any] | None) -> dict[str, int] | None:
        """Write what is new in the state of a replay, and return what finds it again; None where there is none.

        Raises:
            StorageError: if the disk refuses.
        """
        rows = 0 if state is None else state["rows"]
        return self.write(new_rows(state, max([0, *(end for _, end in self._files() if end <= rows)])))

    def write(self, new: Mapping[str, Any] | None) -> dict[str, int] | None:
        """Write what ``new_rows`` has taken out of a replay; returns and raises as ``save``."""
        if new is None:
            return None
        kept = dict(new["kept"])
        if new["first"] < kept["rows"]:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_checkpoint(self._path(new["first"], kept["rows"]), new["ring"])
        return kept

    def load(self, kept: Mapping[str, int] | None) -> dict[str, Any]:
        """The state of the replay that ``save`` returned ``kept`` for.

        Raises:
            DataError: if rows are missing or damaged.
        """
        if kept is None:
            return {"rows": 0, "ring": {}}
        rows, oldest = kept["rows"], kept["rows"] - kept["held"]
        ring: dict[str, torch.Tensor] = {}
        reached = oldest
        for first, end in self._files():
            if end <= reached or end > rows:
                continue
            if first > reached:
                break
            part = load_checkpoint(self._path(first, end))
            part.setdefault("begins", torch.zeros_like(part["terminated"]))  # what was once kept did not say
            for name in FIELDS:
                ring.setdefault(name, torch.zeros((kept["capacity"], *part[name].shape[1:]), dtype=part[name].dtype))
                ring[name][torch.arange(reached, end) % kept["capacity"]] = part[name][reached - first :]
            reached = end
        if reached != rows:
            raise DataError(f"{self.folder} lacks rows {reached} to {rows} of the replay")
        return {"rows": rows, "ring": ring}

    def forget(self, before: Mapping[str, int] | None) -> None:
        """Remove the files of which not even the checkpoint ``before`` the last one speaks."""
        oldest = 0 if before is None else before["rows"] - before["held"]
        for first, end in self._files():
            if end <= oldest:
                self._path(first, end).unlink(missing_ok=True)

    def forget_behind(self, kept: Mapping[str, int] | None) -> None:
        """Remove what was written behind the rows that a run goes on from."""
        rows = 0 if kept is None else kept["rows"]
        for first, end in self._files():
            if end > rows:
                self._path(first, end).unlink(missing_ok=True)

    def _files(self) -> list[tuple[int, int]]:
        """First row and end of each file, in their order."""
        stems = (path.stem.split("-") for path in self.folder.glob("*-*.safetensors"))
        return sorted((int(stem[0]), int(stem[1])) for stem in stems if all(part.isdecimal() for part in stem[:2]))

    def _path(self, first: int, end: int) -> Path:
        return self.folder / f"{first:012}-{end:012}.safetensors"
