"""A run on Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import wandb

from gailkit.errors import InputError
from gailkit.tracking.protocol import TrackedRun

SECONDS_TO_BEGIN = 30.0


class OnWandb:
    """The run of the same id on Weights & Biases: what is resumed here goes on there.

    Where it goes is the user's: WANDB_PROJECT (gailkit where it says nothing), WANDB_ENTITY, WANDB_MODE=offline.
    """

    def __init__(self, run: TrackedRun) -> None:
        """Raises InputError if nobody is logged in, and what wandb raises, as without a network."""
        online = os.environ.get("WANDB_MODE", "online") == "online"
        if online and not wandb.login(prompt=False):
            raise InputError("nobody is logged in; `wandb login` logs in, and WANDB_MODE=offline does without")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "gailkit"),
            id=run.id,
            name=run.folder.name,
            dir=run.folder,
            resume="allow",
            config=dict(run.settings),
            # What gailkit prints is for the terminal, and what a repository holds is nobody else's business.
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, save_code=False, init_timeout=SECONDS_TO_BEGIN
            ),
        )

    def write(self, metrics: Mapping[str, float]) -> None:
        """One row at its step; wandb leaves out those that it has already."""
        self._run.log(dict(metrics), step=int(metrics["steps"]))

    def film(self, path: Path, steps: int) -> None:
        """The film at its step."""
        self._run.log({"eval/film": wandb.Video(str(path), format="gif")}, step=steps)

    def close(self) -> None:
        """Send what is left, or leave it in the run folder for `wandb sync`."""
        self._run.finish()
