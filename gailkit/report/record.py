"""What a report knows of the run that a policy comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from gailkit.errors import DataError, InputError
from gailkit.functional.absorbing import penalised_optimal_logit
from gailkit.report.curves import LARGEST
from gailkit.report.thresholds import Plan
from gailkit.spaces import space_from_json
from gailkit.training.config import CHOOSING_SHARE
from gailkit.training.metrics import read_metrics
from gailkit.training.run import RunFolder


@dataclass(frozen=True)
class RunRecord:
    """The rows of a run's metrics, its description and what it chose, as found: nothing in them is taken on trust."""

    rows: Sequence[Any]
    description: Mapping[str, Any]
    choice: object = None  # among the policies that it ended with; None where it never came to choose

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """Of a run folder; without metrics it has no rows.

        Raises:
            InputError: if there is no run.
            DataError: if its description, its metrics or its choice are damaged.
        """
        run = RunFolder.open(folder)
        description, choice = run.description(), _choice(run)
        return cls(read_metrics(folder), description, choice)

    @property
    def plan(self) -> Plan:
        """What the run was to be."""
        return Plan(self._steps(), self._action_components(), self._logit_bound())

    @property
    def command(self) -> str | None:
        """The command that began it."""
        command = self.description.get("command")
        return command if isinstance(command, str) else None

    def _steps(self) -> int | None:
        """Those that were to be learned from: an imitation keeps some to choose among its policies."""
        config = self.description.get("config")
        steps = config.get("steps") if isinstance(config, Mapping) else None
        if type(steps) is not int or steps > LARGEST:
            return None
        imitates = self.description.get("demonstrations") is not None
        return steps - int(CHOOSING_SHARE * steps) if imitates else steps

    def _action_components(self) -> int | None:
        try:
            space = space_from_json(self.description["action_space"])
        except (KeyError, TypeError, ValueError, AttributeError, InputError, DataError):
            return None  # the policy could be loaded, so this is somebody else's kind of space
        if isinstance(space, Discrete):
            return 0
        return int(np.prod(space.shape)) if isinstance(space, Box) else None

    def _logit_bound(self) -> float | None:
        """z*(1) of the adversarial loss; other losses hold their logits by nothing that is known."""
        try:
            config = self.description["config"]
            kappa = float(config["discriminator"]["logit_penalty"])
            return penalised_optimal_logit(1.0, kappa) if config["loss"] == "adversarial" else None
        except (KeyError, TypeError, ValueError, OverflowError):
            return None


def _choice(run: RunFolder) -> object:
    if not run.checkpoint_path("chosen").is_file():
        return None
    state: object = run.load("chosen")  # of anybody's making
    return state.get("choice") if isinstance(state, Mapping) else None
