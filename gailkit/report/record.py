"""What a report knows of the run that a policy comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gailkit.errors import DataError, InputError
from gailkit.health.curves import LARGEST
from gailkit.health.plan import Plan, action_components, logit_bound
from gailkit.spaces import space_from_json
from gailkit.training.config import choosing_steps
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
        return Plan(
            self._steps(), self._action_components(), self._logit_bound(), self._whole("time_limit"), self._num_envs()
        )

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
        return steps - choosing_steps(steps) if imitates else steps

    def _action_components(self) -> int | None:
        try:
            space = space_from_json(self.description["action_space"])
        except (KeyError, TypeError, ValueError, AttributeError, InputError, DataError):
            return None  # the policy could be loaded, so this is somebody else's kind of space
        return action_components(space)

    def _whole(self, name: str) -> int | None:
        found = self.description.get(name)
        return found if type(found) is int and 0 < found < LARGEST else None

    def _num_envs(self) -> int:
        config = self.description.get("config")
        found = config.get("num_envs") if isinstance(config, Mapping) else None
        return found if type(found) is int and 0 < found < LARGEST else 1

    def _logit_bound(self) -> float | None:
        try:
            config = self.description["config"]
            return logit_bound(config["loss"], float(config["discriminator"]["logit_penalty"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            return None


def _choice(run: RunFolder) -> object:
    if not run.checkpoint_path("chosen").is_file():
        return None
    state: object = run.load("chosen")  # of anybody's making
    return state.get("choice") if isinstance(state, Mapping) else None
