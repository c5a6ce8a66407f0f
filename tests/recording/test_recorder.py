"""Episodes on their way into a file: durable soon, saved in order, continued without repetition, taken back."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import reduce
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import FlattenObservation, RecordEpisodeStatistics

from gailkit.demonstrations.dataset import Demonstrations
from gailkit.demonstrations.summary import describe
from gailkit.errors import InputError, StorageError
from gailkit.experts.random import random_policy
from gailkit.recording import recorder as module
from gailkit.recording.earlier import action_seed, earlier_episodes
from gailkit.recording.provenance import describe_source, merged_provenance
from gailkit.recording.recorder import Recording
from gailkit.recording.shard_folder import Shards
from gailkit.rollouts.environments import make_env
from gailkit.rollouts.episodes import collect_episodes
from gailkit.types import Trajectory

CARTPOLE = make_env("CartPole-v1")


class Killed(BaseException):
    """Nothing in gailkit catches it: what a test sees behind it is what a killed process leaves."""


def opened(shards: Shards, **changes: Any) -> Recording:
    """A recording that continues what is there."""
    env_id, env_kwargs = changes.get("env_id", "CartPole-v1"), changes.get("env_kwargs", {})
    source = {"source": changes.get("source", "test")}
    return Recording(shards, make_env(env_id, env_kwargs), env_id, env_kwargs, source, earlier_episodes(shards))


def played(seeds: list[int]) -> list[Trajectory]:
    return collect_episodes(random_policy(CARTPOLE.action_space, 0), lambda: make_env("CartPole-v1"), seeds)


def recorded(path: Path, episodes: int, **changes: Any) -> Recording:
    """``episodes`` more of them in the file."""
    with closing(Shards(path)) as shards:
        recording = opened(shards, **changes)
        for index, trajectory in enumerate(played(recording.seeds(0, episodes))):
            recording.add(index, trajectory)
        recording.finish()
    return recording


def left_behind(path: Path, episodes: int, **changes: Any) -> list[int | None]:
    """Seeds of ``episodes`` more, durable in one shard each, of a recording that was killed then."""
    with closing(Shards(path)) as shards:
        recording = opened(shards, **changes)
        for index, trajectory in enumerate(played(recording.seeds(0, episodes))):
            recording.add(index, trajectory)
            recording.flush()
    return [trajectory.seed for trajectory in recording.finished.values()]


def seeds_in(path: Path) -> list[int | None]:
    return [trajectory.seed for trajectory in Demonstrations.load(path).trajectories]


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[Shards]:
    with closing(Shards(tmp_path / "a.hdf5")) as held:
        yield held


def test_what_was_recorded_can_be_loaded(tmp_path: Path) -> None:
    recording = recorded(tmp_path / "a.hdf5", 5, env_kwargs={"sutton_barto_reward": True})
    loaded = Demonstrations.load(tmp_path / "a.hdf5")
    assert [trajectory.seed for trajectory in loaded.trajectories] == recording.seeds(0, 5)
    assert (loaded.env_id, loaded.env_kwargs) == ("CartPole-v1", {"sutton_barto_reward": True})
    assert loaded.observation_space == CARTPOLE.observation_space
    assert loaded.action_space == CARTPOLE.action_space
    assert loaded.provenance["source"] == "test"


def test_episodes_come_in_the_order_they_were_asked_for(shards: Shards) -> None:
    recording = opened(shards)
    episodes = played([3, 4, 5])
    for index in (2, 0, 1):
        recording.add(index, episodes[index])
    recording.finish()
    assert seeds_in(shards.target) == [3, 4, 5]


def test_continuing_is_recording_the_rest_of_the_same_stream(tmp_path: Path) -> None:
    for count in (3, 4):
        recorded(tmp_path / "parts.hdf5", count)
    recorded(tmp_path / "whole.hdf5", 7)
    assert seeds_in(tmp_path / "parts.hdf5") == seeds_in(tmp_path / "whole.hdf5")


def test_an_episode_that_an_interruption_left_out_is_made_up_for(tmp_path: Path) -> None:
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        recording = opened(shards)
        seeds = recording.seeds(0, 5)
        for index, trajectory in enumerate(played(seeds[:4])):
            if index != 1:
                recording.add(index, trajectory)
        recording.finish()
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        assert opened(shards).seeds(0, 2) == [seeds[1], seeds[4]]


def test_a_file_whose_episodes_are_sifted_is_continued_with_new_ones(tmp_path: Path) -> None:
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        first = opened(shards).sifted_seeds(0)
        assert [next(first) for _ in range(3)] == opened(shards).seeds(0, 3)
    recorded(tmp_path / "a.hdf5", 1)
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        again = opened(shards).sifted_seeds(0)
        assert not {next(again) for _ in range(9)} & set(opened(shards).seeds(0, 9))


def test_a_continued_recording_does_not_repeat_its_random_actions(tmp_path: Path) -> None:
    recorded(tmp_path / "a.hdf5", 3)
    earlier = Demonstrations.load(tmp_path / "a.hdf5")
    assert action_seed(0, earlier) != action_seed(0, None) == action_seed(0, None)
    assert action_seed(0, None, "noise") != action_seed(0, None)


def test_commits_take_a_twentieth_of_the_time_at_most(shards: Shards, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that takes 10 ms is followed by 190 ms without one, whatever comes in meanwhile."""
    now = [100.0]

    def save(self: Demonstrations, path: Path) -> None:
        now[0] += 0.01
        path.touch()

    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Demonstrations, "save", save)
    recording = opened(shards)
    episodes = played([3, 4, 5])
    recording.add(0, episodes[0])
    assert recording.acknowledged == 1  # there is nothing to wait for
    recording.add(1, episodes[1])
    now[0] = 100.01 + 0.189
    recording.add(2, episodes[2])
    assert recording.acknowledged == 1
    now[0] = 100.01 + 0.191
    recording.commit_if_due()
    assert recording.acknowledged == 3
    assert len(shards.paths) == 2


def test_a_slow_disk_is_not_waited_for_longer_than_half_a_second(
    shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]

    def save(self: Demonstrations, path: Path) -> None:
        now[0] += 7.0
        path.touch()

    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Demonstrations, "save", save)
    recording = opened(shards)
    for index, trajectory in enumerate(played([3, 4])):
        recording.add(index, trajectory)
    now[0] = 107.51
    recording.commit_if_due()
    assert recording.acknowledged == 2


def test_what_is_flushed_is_acknowledged_and_on_the_disk(shards: Shards) -> None:
    recording = opened(shards)
    for index, trajectory in enumerate(played([3, 4, 5])):
        recording.add(index, trajectory)
        recording.flush()
        assert recording.acknowledged == index + 1
        assert sum(len(seeds_in(path)) for path in shards.paths) == index + 1
    recording.finish()
    assert shards.paths == []


def test_what_a_killed_recording_has_left_is_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    recorded(path, 2)
    left_behind(path, 3)
    assert len(seeds_in(path)) == 2
    left_behind(path, 2)
    recording = recorded(path, 1)
    recorded(tmp_path / "whole.hdf5", 8)
    assert seeds_in(path) == seeds_in(tmp_path / "whole.hdf5")
    assert "which now holds 8 episodes" in recording.summary()
    assert [entry.name for entry in tmp_path.glob("a.*")] == ["a.hdf5"]


@pytest.mark.parametrize("killed_in", [recorded, left_behind])
def test_killed_between_the_file_and_the_removal_of_its_shards_nothing_is_there_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_in: Any
) -> None:
    """Killed when the second run is at its end, or when it takes in what the first one has left."""
    path = tmp_path / "a.hdf5"
    (recorded if killed_in is recorded else left_behind)(path, 3, source="first")
    unlink = Path.unlink

    def killed(entry: Path, missing_ok: bool = False) -> None:
        if entry.name == "000002.hdf5":
            raise Killed
        unlink(entry, missing_ok=missing_ok)

    def flushing(recording: Recording, index: int, trajectory: Trajectory) -> None:
        recording.finished[index] = trajectory
        recording.flush()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        patch.setattr(Recording, "add", flushing)
        with pytest.raises(Killed):
            killed_in(path, 3, source="second")
    assert len(list((tmp_path / "a.hdf5.parts").glob("*.hdf5"))) == 2
    held = seeds_in(path)
    recorded(path, 1, source="third")
    found = seeds_in(path)
    assert found[:-1] == held
    assert len(set(found)) == len(found)
    provenance = Demonstrations.load(path).provenance
    added = [json.loads(text)["source"] for name, text in provenance.items() if name.startswith("addition")]
    assert [provenance["source"], *added] == ["first", *(["second"] if killed_in is recorded else []), "third"]


class Kept(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Around an environment, and changes nothing."""


@pytest.mark.parametrize(
    ("around", "names"),
    [
        ((), "[]"),
        ((RecordEpisodeStatistics,), "[]"),
        ((Kept, FlattenObservation), '["Kept", "FlattenObservation"]'),
    ],
)
def test_wrappers_and_the_time_limit_are_kept(tmp_path: Path, around: Any, names: str) -> None:
    """By Gymnasium's own account too, which lists all wrappers but those that it puts around every environment."""
    env = reduce(lambda inner, wrap: wrap(inner), around, gymnasium.make("CartPole-v1", max_episode_steps=30))
    assert env.spec is not None
    listed = [each.name for each in env.spec.additional_wrappers]
    assert json.loads(names) == [name for name in listed if name != "RecordEpisodeStatistics"]
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        recording = Recording(shards, env, "CartPole-v1", {}, {"source": "test"})
        recording.add(0, *played([99]))
        recording.finish()
    provenance = Demonstrations.load(tmp_path / "a.hdf5").provenance
    assert (provenance["env_wrappers"], provenance["max_episode_steps"]) == (names, "30")


def test_in_another_form_of_the_environment_a_file_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    recorded(path, 1)
    for env, said in (
        (Kept(make_env("CartPole-v1")), "recorded with no wrappers, used with the wrappers Kept"),
        (make_env("CartPole-v1", {"max_episode_steps": 9}), "with a time limit of 500 steps, used with one of 9"),
    ):
        with closing(Shards(path)) as shards, pytest.raises(InputError, match=said):
            Recording(shards, env, "CartPole-v1", {}, {"source": "test"}, earlier_episodes(shards))


def test_a_file_to_be_replaced_is_not_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    old = recorded(path, 2)
    with closing(Shards(path)) as shards:
        shards.replace_target()
        recording = Recording(shards, CARTPOLE, "CartPole-v1", {}, {"source": "new"})
        recording.add(0, *played([99]))
        recording.flush()
    recorded(path, 1)
    assert seeds_in(path) == [99, old.seeds(0, 1)[0]]


def test_many_shards_become_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOINED", 3)
    path = tmp_path / "a.hdf5"
    seeds = left_behind(path, 3 * 3 * 2 + 3 + 2)
    with closing(Shards(path)) as shards:
        assert [len(seeds_in(shard)) for shard in shards.paths] == [9, 9, 3, 1, 1]
    recorded(path, 1)
    assert seeds_in(path)[:-1] == seeds


def test_killed_while_shards_are_joined_nothing_is_there_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOINED", 3)
    path = tmp_path / "a.hdf5"

    def killed(entry: Path, missing_ok: bool = False) -> None:
        if entry.name == "000002.hdf5":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(Killed):
            left_behind(path, 4)
    recorded(path, 1)
    assert len(set(seeds_in(path))) == len(seeds_in(path)) == 4


@pytest.mark.parametrize("flushed", [True, False])
def test_the_last_episode_is_taken_back_on_the_disk_too(shards: Shards, flushed: bool) -> None:
    recording = opened(shards)
    episodes = played([3, 4, 5])
    recording.add(0, episodes[0])
    recording.flush()
    for index in (1, 2):
        recording.add(index, episodes[index])
    if flushed:
        recording.flush()
    assert recording.undo() is episodes[2]
    recording.flush()
    assert [seed for path in shards.paths for seed in seeds_in(path)] == [3, 4]
    assert [recording.undo(), recording.undo(), recording.undo()] == [episodes[1], episodes[0], None]
    assert (shards.paths, recording.acknowledged) == ([], 0)
    recording.add(0, episodes[2])
    recording.finish()
    assert seeds_in(shards.target) == [5]


def test_earlier_episodes_are_not_taken_back(tmp_path: Path) -> None:
    recorded(tmp_path / "a.hdf5", 1)
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        assert opened(shards).undo() is None


def test_each_part_keeps_its_provenance(tmp_path: Path) -> None:
    for source in ("a", "b", "c"):
        recorded(tmp_path / "a.hdf5", 1, source=source)
    provenance = Demonstrations.load(tmp_path / "a.hdf5").provenance
    assert set(provenance) == {"source", "env_wrappers", "max_episode_steps", "addition_1", "addition_2"}
    assert json.loads(provenance["addition_2"])["source"] == "c"


def test_a_source_is_named_once_however_many_shards_it_has() -> None:
    one, two = {"source": "one"}, {"source": "two"}
    merged = merged_provenance([one, two, one, two])
    assert merged == {"source": "one", "addition_1": json.dumps(two)}
    assert merged_provenance([merged, one, two]) == merged
    assert merged_provenance([{}, one]) == one


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"env_id": "Pendulum-v1"}, "environment is CartPole-v1, to be recorded is Pendulum-v1"),
        ({"env_kwargs": {"sutton_barto_reward": True}}, "arguments of the environment is {}"),
    ],
)
@pytest.mark.parametrize("begin", [recorded, left_behind])
def test_another_environment_is_not_appended(tmp_path: Path, begin: Any, changes: dict[str, Any], said: str) -> None:
    begin(tmp_path / "a.hdf5", 1)
    with pytest.raises(InputError, match=said):
        recorded(tmp_path / "a.hdf5", 1, **changes)


def test_episodes_without_rewards_are_not_continued(shards: Shards) -> None:
    (episode,) = played([0])
    without = Trajectory(episode.observations, episode.actions, None, episode.terminated)
    spaces = CARTPOLE.observation_space, CARTPOLE.action_space
    Demonstrations((without,), *spaces, "CartPole-v1").save(shards.target)
    with pytest.raises(InputError, match="no rewards"):
        opened(shards)


def test_a_failure_of_the_disk_is_told_at_once_and_nothing_that_ended_is_lost(
    shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Demonstrations, path: Path) -> None:
        raise StorageError("no room")

    recording = opened(shards)
    first, second = played([3, 4])
    with monkeypatch.context() as patch:
        patch.setattr(Demonstrations, "save", refuse)
        with pytest.raises(StorageError, match="no room"):
            recording.add(0, first)
        with pytest.raises(StorageError, match="no room"):
            recording.add(1, second)
        with pytest.raises(StorageError, match="no room; no episode of this run is kept"):
            recording.finish()
    assert recording.acknowledged == 0
    recording.finish()  # there is room again
    assert seeds_in(shards.target) == [3, 4]


def test_without_an_episode_nothing_is_written(tmp_path: Path) -> None:
    recording = recorded(tmp_path / "a.hdf5", 0)
    assert list(tmp_path.iterdir()) == []
    assert recording.summary() == "no episode was finished, nothing was written"


def test_the_source_is_described_with_the_digest_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "expert.zip").write_bytes(b"weights")
    described = describe_source("expert.zip", [tmp_path / "expert.zip"], 7, "gailkit record")
    assert described["sha256:expert.zip"] == hashlib.sha256(b"weights").hexdigest()
    assert described["source"] == "expert.zip"
    assert (described["seed"], described["command"]) == ("7", "gailkit record")
    assert {"date", "gailkit_version", "gymnasium_version", "numpy_version", "torch_version"} <= set(described)


def test_what_was_recorded_is_what_happened(shards: Shards) -> None:
    recording = opened(shards)
    (episode,) = played([3])
    recording.add(0, episode)
    recording.finish()
    (found,) = Demonstrations.load(shards.target).trajectories
    for name in ("observations", "actions", "rewards"):
        np.testing.assert_array_equal(getattr(found, name), getattr(episode, name))
        assert getattr(found, name).dtype == getattr(episode, name).dtype


def test_a_folder_of_shards_that_is_removed_meanwhile_costs_nothing_that_is_still_known(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    with closing(Shards(path)) as shards:
        recording = opened(shards)
        for index, trajectory in enumerate(played(recording.seeds(0, 3))):
            recording.add(index, trajectory)
        recording.flush()
        shutil.rmtree(shards.folder)
        recording.add(3, played([99])[0])
        with pytest.raises(StorageError, match=r"a\.hdf5\.parts, where finished episodes are kept, is gone"):
            recording.flush()
        recording.finish()
    assert [each.seed for each in Demonstrations.load(path).trajectories][3] == 99
    assert not shards.folder.exists()


def test_the_spread_of_returns_is_that_of_a_sample_as_data_info_says_it(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    one = recorded(path, 1).summary()
    assert one.startswith("recorded 1 episode, ") and "+-" not in one
    several = recorded(tmp_path / "b.hdf5", 4).summary()
    found = describe(tmp_path / "b.hdf5")
    assert f"mean return {found.return_mean:.1f} +- {found.return_sd:.1f} " in several
