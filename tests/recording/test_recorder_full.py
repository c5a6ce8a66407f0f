"""A disk that is full at any byte of a recording: one sentence, and what was acknowledged is there to the last bit."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gailkit.demonstrations.dataset import Demonstrations
from gailkit.errors import StorageError
from gailkit.recording.earlier import earlier_episodes
from gailkit.recording.recorder import Recording
from gailkit.recording.shard_folder import Shards
from gailkit.rollouts.environments import make_env
from gailkit.types import Trajectory

POSITIONS = 36
CARTPOLE = make_env("CartPole-v1")


class Disk:
    """Takes ``room`` bytes into new files, the last of them wherever they end, and refuses the rest.

    A file that is removed makes room.
    """

    def __init__(self) -> None:
        self.room = 10**9

    def open(self, path: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        return OnDisk(self, path, "x+") if mode == "x+b" else open(path, mode, *rest, **more)

    def unlink(self, path: Path) -> None:
        self.room += path.stat().st_size
        os.unlink(path)


class OnDisk(io.FileIO):
    def __init__(self, disk: Disk, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self.disk = disk

    def write(self, content: Any) -> int:
        fitting = memoryview(content)[: self.disk.room]
        if len(fitting) == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.disk.room -= len(fitting)
        return super().write(fitting)


@pytest.fixture(autouse=True)
def only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit when ``flush`` is called, not when it seems to be time."""
    monkeypatch.setattr(Recording, "commit_if_due", lambda recording: None)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk that every new file of gailkit's is on."""
    small = Disk()
    monkeypatch.setattr(Path, "open", lambda path, *rest, **more: small.open(path, *rest, **more))
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: path.exists() and small.unlink(path))
    return small


def episode(seed: int) -> Trajectory:
    noise = np.random.default_rng(seed)  # what cannot be packed: every episode takes room
    observations = noise.normal(size=(101, 4)).astype(np.float32)
    return Trajectory(observations, noise.integers(2, size=100), noise.normal(size=100), terminated=True, seed=seed)


def record(path: Path, on_shard: Callable[[Path], object] = lambda path: None) -> Recording:
    """Five episodes, each of them durable in a shard before the next one begins."""
    with closing(Shards(path)) as shards:
        recording = Recording(shards, CARTPOLE, "CartPole-v1", {}, {"source": "test"}, earlier_episodes(shards))
        for index in range(5):
            recording.add(index, episode(100 + index))
            try:
                recording.flush()
            except StorageError:
                break
            on_shard(shards.paths[-1])
        recording.finish()
    return recording


def test_nothing_that_was_acknowledged_is_lost_wherever_the_disk_is_full(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "a.hdf5"
    spaces = CARTPOLE.observation_space, CARTPOLE.action_space
    Demonstrations((episode(1),), *spaces, "CartPole-v1", provenance={"source": "older"}).save(path)
    old = path.read_bytes()
    whole: dict[str, bytes] = {}
    record(path, lambda shard: whole.update({shard.name: shard.read_bytes()}))
    new = path.read_bytes()
    needed = len(new) + sum(map(len, whole.values()))  # the shards are there until the file is
    assert len(whole) == 5

    for position in range(POSITIONS):
        path.write_bytes(old)
        disk.room = needed * position // POSITIONS
        acknowledged: list[str] = []
        with pytest.raises(
            StorageError,
            match=r"could not be written .*No space left .*(where --append contin|no episode of this run is kept)",
        ) as told:
            record(path, lambda shard, names=acknowledged: names.append(shard.name))  # type: ignore[misc]
        said = f" holds {len(acknowledged)} of the " if acknowledged else "; no episode of this run"
        assert said in str(told.value)
        assert path.read_bytes() == old
        left = {
            entry.name: entry.read_bytes() for entry in (tmp_path / "a.hdf5.parts").glob("*") if entry.name != "lock"
        }
        assert left == {name: whole[name] for name in acknowledged}
        for entry in (tmp_path / "a.hdf5.parts").glob("*"):
            entry.unlink()

    path.write_bytes(old)
    disk.room = needed
    record(path)
    assert path.read_bytes() == new


def test_of_what_came_in_at_once_as_much_is_kept_as_there_is_room_for(tmp_path: Path, disk: Disk) -> None:
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        recording = Recording(shards, CARTPOLE, "CartPole-v1", {}, {"source": "test"})
        for index in range(9):
            recording.add(index, episode(index))
        disk.room = 10**6
        recording.flush()
        room = 10**6 - disk.room
        for index in range(9, 18):
            recording.add(index, episode(index))
        disk.room = room * 9 // 10
        with pytest.raises(StorageError, match="of the 18 episodes"):
            recording.finish()
        kept = [path.read_bytes() for path in shards.paths]
    assert 9 < recording.acknowledged < 18
    assert len(kept) > 1
    disk.room = 10**9
    assert record(tmp_path / "a.hdf5").earlier is not None
    found = [trajectory.seed for trajectory in Demonstrations.load(tmp_path / "a.hdf5").trajectories]
    assert found[: recording.acknowledged] == list(range(recording.acknowledged))
