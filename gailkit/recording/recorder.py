"""Episodes on their way into a file of demonstrations, none of which is lost however the recording ends."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from gailkit.demonstrations.common_dtypes import cast, widest
from gailkit.demonstrations.dataset import Demonstrations
from gailkit.demonstrations.joined_episodes import row_types
from gailkit.demonstrations.native import writing
from gailkit.errors import StorageError
from gailkit.recording.earlier import check_continues
from gailkit.recording.provenance import merged_provenance
from gailkit.recording.recorded_in import described_environment
from gailkit.recording.shard_folder import Shards
from gailkit.rollouts.environments import SeedStream
from gailkit.spaces import stated_space, unflatten_values
from gailkit.types import Trajectory
from gailkit.wording import counted

JOINED = 32
SHARE_OF_TIME = 0.05  # that commits may take
LONGEST_PAUSE = 0.5  # seconds between them, whatever they take


class Recording:
    """The episodes recorded so far, made durable in ``shards`` soon after each ends, behind ``earlier`` ones if any.

    Raises:
        InputError: if the earlier ones come from another environment or carry no rewards.
        StorageError: if there is no room to write earlier ones that a killed run has left into the file.
    """

    def __init__(
        self,
        shards: Shards,
        env: gymnasium.Env[Any, Any],
        env_id: str,
        env_kwargs: Mapping[str, Any],
        provenance: Mapping[str, str],
        earlier: Demonstrations | None = None,
    ) -> None:
        if earlier is not None:
            check_continues(shards.target, earlier, env, env_id, env_kwargs)
            if shards.paths:  # of a run that was killed: now, so that not many are left to be read after the next one
                shards.finish(earlier.save)
        self.shards = shards
        self.env = env
        self.observation_space = stated_space(env.observation_space)
        self.action_space = stated_space(env.action_space)
        self.env_id = env_id
        self.env_kwargs = env_kwargs
        self.provenance = {**provenance, **described_environment(env)}
        self.earlier = earlier
        self.finished: dict[int, Trajectory] = {}  # by index, in the order in which they ended
        self._committed: list[list[int]] = []  # indices in each shard of this run
        self._ranks: list[int] = []  # of each of these shards: how often what is in it was joined
        self._complete = False  # whether the file holds it all
        self._due = 0.0  # when the next commit is, on the clock of time.monotonic

    @property
    def path(self) -> Path:
        """The file that all of it is to be in."""
        return self.shards.target

    @property
    def acknowledged(self) -> int:
        """How many episodes of this run are on the disk, where nothing that happens to this process can reach them."""
        return sum(map(len, self._committed))

    def seeds(self, seed: int, count: int) -> list[int]:
        """``count`` seeds of episodes that are not in the file yet, in the order of the stream of ``seed``."""
        return list(itertools.islice(self.every_seed(seed), count))

    def every_seed(self, seed: int) -> Iterator[int]:
        """Likewise, without end."""
        return self.unrecorded(SeedStream(seed, "recording"))

    def sifted_seeds(self, seed: int) -> Iterator[int]:
        """Seeds of episodes not in the file, where some are not kept; a continued file does not try those again."""
        count = len(self.earlier.trajectories) if self.earlier else 0
        return self.unrecorded(SeedStream(seed, f"recording after {count} episodes" if count else "recording"))

    def unrecorded(self, stream: Iterable[int]) -> Iterator[int]:
        """The seeds in ``stream`` of episodes that are not in the file yet, each once."""
        known = {trajectory.seed for trajectory in self.earlier.trajectories} if self.earlier else set()
        for candidate in stream:
            if candidate not in known:
                known.add(candidate)
                yield candidate

    def add(self, index: int, trajectory: Trajectory) -> None:
        """Take in a finished episode, the ``index``-th of those asked for; it will be durable soon.

        Its observations and actions are kept as the environment states them, a Dict as a Dict, where ``make_env``
        flattened them.

        Raises:
            StorageError: if it is committed now, with others, and the disk refuses.
        """
        if self.observation_space is not self.env.observation_space:
            stated = unflatten_values(self.observation_space, trajectory.observations)
            trajectory = replace(trajectory, observations=stated)
        if self.action_space is not self.env.action_space:
            trajectory = replace(trajectory, actions=unflatten_values(self.action_space, trajectory.actions))
        self.finished[index] = trajectory
        self.commit_if_due()

    def commit_if_due(self) -> None:
        """Make what was added durable unless the last time was just now; to be called every now and then.

        Here and not in a thread beside, which an environment in pure Python can keep from its turn for seconds.

        Raises:
            StorageError: if the disk refuses.
        """
        if len(self.finished) > self.acknowledged and time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Make every episode that was added durable before this returns. Raises StorageError if the disk refuses."""
        started = time.monotonic()
        self._commit(self._pending)
        ended = time.monotonic()
        self._due = ended + min((ended - started) * (1 / SHARE_OF_TIME - 1), LONGEST_PAUSE)

    def undo(self) -> Trajectory | None:
        """Take back the episode that this run added last, on the disk too; None if there is none.

        Raises:
            StorageError: if the disk refuses; the episode is then still there.
        """
        if not self.finished:
            return None
        last = next(reversed(self.finished))
        if self.acknowledged == len(self.finished):
            rest = self._committed[-1][:-1]
            self.shards.replace_newest(self._of(rest).save if rest else None)
            self._committed[-1:] = [rest] if rest else []
            self._ranks = self._ranks[: len(self._committed)]
        return self.finished.pop(last)

    def finish(self) -> None:
        """Write the file: earlier episodes first, then those of this run in the order they were asked for.

        It is the last thing to be done, however the recording ended. Without any episode nothing is written.

        Raises:
            StorageError: if the disk refuses; an older file and what was acknowledged are then as they were.
        """
        if not self.finished:
            return
        self._commit_what_fits()
        try:
            self.shards.finish(self._save_all)
        except StorageError as error:
            raise StorageError(f"{error}; {self._kept()}") from error
        self._complete = True

    def summary(self) -> str:
        """One line: how many episodes and steps, their mean return, how they ended, and where they are."""
        episodes = list(self.finished.values())
        if not episodes:
            return "no episode was finished, nothing was written"
        returns = [episode.episode_return or 0.0 for episode in episodes]
        terminated = sum(episode.terminated for episode in episodes)
        count = len(self.earlier.trajectories) if self.earlier else 0
        total = f", which now holds {counted(count + len(episodes), 'episode')}" if count else ""
        spread = f" +- {np.std(returns, ddof=1):.1f}" if len(returns) > 1 else ""
        told = [episode.success for episode in episodes if episode.success is not None]
        succeeded = f", {sum(told)} of {len(told)} succeeded" if told else ""
        size = f" ({self.path.stat().st_size / 1000:.0f} kB)" if self._complete else ""
        return (
            f"recorded {counted(len(episodes), 'episode')}, {counted(sum(map(len, episodes)), 'step')}, "
            f"mean return {np.mean(returns):.1f}{spread} ({terminated} terminated, "
            f"{len(episodes) - terminated} truncated{succeeded}) in {self.path}{size}{total}"
        )

    def _kept(self) -> str:
        """What can be had of this run although the file was not written."""
        whole = counted(len(self.finished), "episode")
        if not self.shards.paths:
            return "no episode of this run is kept"
        held = f"{self.acknowledged} of the {whole} of this run"
        return f"{self.shards.folder} holds {held}, from where --append continues"

    @property
    def _pending(self) -> list[int]:
        """Indices of the episodes that are not durable yet."""
        return list(self.finished)[self.acknowledged :]

    def _commit(self, indices: list[int]) -> None:
        if indices:
            self.shards.add(self._of(indices).save)
            self._committed.append(indices)
            self._ranks.append(0)
            self._join()

    def _commit_what_fits(self) -> None:
        """Where the disk is nearly full the first half, or the first of them, may still have room."""
        count = len(self._pending)
        while count and self._pending:
            try:
                self._commit(self._pending[:count])
            except StorageError:
                count //= 2

    def _join(self) -> None:
        """Put the newest shards into one wherever there are JOINED of a rank, so that not many are left to be read."""
        while len(self._ranks) >= JOINED and len(set(self._ranks[-JOINED:])) == 1:
            together = [index for indices in self._committed[-JOINED:] for index in indices]
            self.shards.join(JOINED, self._of(together).save)
            self._committed[-JOINED:] = [together]
            self._ranks[-JOINED:] = [self._ranks[-1] + 1]

    def _save_all(self, path: Path) -> None:
        """The episodes of this run behind the earlier ones, which may be more than the memory holds."""
        new = self._of(sorted(self.finished))
        if self.earlier is None:
            new.save(path)
            return
        about = new.about._replace(provenance=merged_provenance([self.earlier.provenance, self.provenance]))
        types = widest(row_types(episodes.trajectories[0]) for episodes in (self.earlier, new))
        every = itertools.chain(self.earlier.trajectories, new.trajectories)
        writing.write(path, about, (cast(trajectory, types) for trajectory in every))

    def _of(self, indices: Sequence[int]) -> Demonstrations:
        """These episodes of the run."""
        return Demonstrations(
            trajectories=tuple(self.finished[index] for index in indices),
            observation_space=self.observation_space,
            action_space=self.action_space,
            env_id=self.env_id,
            env_kwargs=self.env_kwargs,
            provenance=merged_provenance([self.provenance]),
        )
