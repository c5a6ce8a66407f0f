"""Where the checkpoints of a run lie, for whoever only looks whether they are there."""

from __future__ import annotations

from pathlib import Path

LAST, PREVIOUS, CHOSEN = "last", "previous", "chosen"


def checkpoint_place(run: Path, name: str) -> Path:
    """The file of a checkpoint in a run folder."""
    return run / "checkpoints" / f"{name}.safetensors"


def is_trained(run: Path) -> bool:
    """Whether a run of ``gailkit train`` learned from all its steps and chose its policy."""
    return checkpoint_place(run, CHOSEN).is_file()


def is_begun(run: Path) -> bool:
    """Whether a run has a checkpoint to go on from."""
    return any(checkpoint_place(run, name).is_file() for name in (LAST, PREVIOUS))
