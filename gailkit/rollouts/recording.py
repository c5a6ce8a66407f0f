"""Episodes on their way into a file of demonstrations, none of which is lost when the recording ends early."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from gailkit import __version__
from gailkit.demonstrations.dataset import Demonstrations
from gailkit.errors import InputError
from gailkit.rollouts.envs import SeedStream
from gailkit.types import Trajectory

SECONDS_BETWEEN_SAVES = 30.0
SHARE_OF_TIME_SAVING = 0.1


class Recording:
    """The episodes recorded so far, saved to ``path`` every now and then, behind ``earlier`` ones if there are any.

    Raises:
        InputError: if the earlier ones come from another environment or carry no rewards.
    """

    def __init__(
        self,
        path: Path,
        env: gymnasium.Env[Any, Any],
        env_id: str,
        env_kwargs: Mapping[str, Any],
        provenance: Mapping[str, str],
        earlier: Demonstrations | None = None,
    ) -> None:
        if earlier is not None:
            _check_continues(path, earlier, env, env_id, env_kwargs)
            provenance = _with_addition(earlier.provenance, provenance)
        self.path = path
        self.env = env
        self.env_id = env_id
        self.env_kwargs = env_kwargs
        self.provenance = provenance
        self.earlier = earlier.trajectories if earlier else ()
        self.finished: dict[int, Trajectory] = {}
        self._saved = 0
        self._save_at = time.monotonic() + SECONDS_BETWEEN_SAVES

    def seeds(self, seed: int, count: int) -> list[int]:
        """``count`` seeds of episodes that are not in the file yet, in the order of the stream of ``seed``."""
        known = {trajectory.seed for trajectory in self.earlier}
        chosen: list[int] = []
        for candidate in SeedStream(seed, "recording"):
            if len(chosen) == count:
                break
            if candidate not in known:
                known.add(candidate)
                chosen.append(candidate)
        return chosen

    def add(self, index: int, trajectory: Trajectory) -> None:
        """Take in a finished episode, the ``index``-th of those asked for; saves if the last time was long ago.

        Raises:
            StorageError: if it saves and the disk refuses.
        """
        self.finished[index] = trajectory
        if time.monotonic() >= self._save_at:
            self.save()

    def save(self) -> None:
        """Write all finished episodes, earlier ones first, then in the order they were asked for.

        Nothing is written if nothing was added since the last time.

        Raises:
            StorageError: if the disk refuses; an older file is then as it was.
        """
        if len(self.finished) == self._saved:
            return
        started = time.monotonic()
        new = (self.finished[index] for index in sorted(self.finished))
        Demonstrations(
            trajectories=(*self.earlier, *new),
            observation_space=self.env.observation_space,
            action_space=self.env.action_space,
            env_id=self.env_id,
            env_kwargs=self.env_kwargs,
            provenance=self.provenance,
        ).save(self.path)
        self._saved = len(self.finished)
        ended = time.monotonic()
        self._save_at = ended + max(SECONDS_BETWEEN_SAVES, (ended - started) / SHARE_OF_TIME_SAVING)

    def summary(self) -> str:
        """One line: how many episodes and steps, their mean return, how they ended, and where they are."""
        episodes = list(self.finished.values())
        if not episodes:
            return "no episode was finished, nothing was written"
        returns = [episode.episode_return or 0.0 for episode in episodes]
        terminated = sum(episode.terminated for episode in episodes)
        total = f", which now holds {len(self.earlier) + len(episodes)} episodes" if self.earlier else ""
        return (
            f"recorded {len(episodes)} episodes, {sum(map(len, episodes))} steps, "
            f"mean return {np.mean(returns):.1f} +- {np.std(returns):.1f} ({terminated} terminated, "
            f"{len(episodes) - terminated} truncated) in {self.path} ({self.path.stat().st_size / 1000:.0f} kB){total}"
        )


def action_seed(seed: int, earlier: Demonstrations | None) -> int:
    """A seed for the policy, another one each time a file is continued, so that it does not repeat itself."""
    count = len(earlier.trajectories) if earlier else 0
    return SeedStream(seed, f"actions after {count} episodes").take(1)[0]


def describe_source(spec: str, files: Sequence[Path], seed: int, command: str) -> dict[str, str]:
    """Provenance of a recording: the policy and the SHA-256 of its files, versions, the command line and the date."""
    packages = ["gymnasium", "numpy", "torch", *(["mujoco"] if "mujoco" in sys.modules else [])]
    return {
        "source": spec,
        **{f"sha256:{file.name}": hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        "seed": str(seed),
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python_version": platform.python_version(),
        "gailkit_version": __version__,
        **{f"{package}_version": importlib.metadata.version(package) for package in packages},
    }


def _check_continues(
    path: Path, earlier: Demonstrations, env: gymnasium.Env[Any, Any], env_id: str, env_kwargs: Mapping[str, Any]
) -> None:
    pairs = {
        "environment": (earlier.env_id, env_id),
        "arguments of the environment": (dict(earlier.env_kwargs), dict(env_kwargs)),
        "observation space": (earlier.observation_space, env.observation_space),
        "action space": (earlier.action_space, env.action_space),
    }
    for what, (found, wanted) in pairs.items():
        if found != wanted:
            raise InputError(f"{path} cannot be continued: its {what} is {found}, to be recorded is {wanted}")
    if earlier.returns() is None:
        raise InputError(f"{path} cannot be continued: its episodes have no rewards")


def _with_addition(earlier: Mapping[str, str], addition: Mapping[str, str]) -> dict[str, str]:
    """The provenance of the earlier episodes, and under a name of its own that of those added now."""
    number = 1 + sum(key.startswith("addition_") for key in earlier)
    return {**earlier, f"addition_{number}": json.dumps(dict(addition))}
