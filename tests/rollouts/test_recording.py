"""Episodes on their way into a file: saved in order, continued without repetition."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gailkit.demonstrations.dataset import Demonstrations
from gailkit.errors import InputError
from gailkit.experts.random import random_policy
from gailkit.rollouts import recording as module
from gailkit.rollouts.envs import make_env
from gailkit.rollouts.episodes import run_episodes
from gailkit.rollouts.recording import Recording, action_seed, describe_source


def recorded(path: Path, episodes: int, earlier: Demonstrations | None = None, **changes: Any) -> Recording:
    env_id, env_kwargs = changes.get("env_id", "CartPole-v1"), changes.get("env_kwargs", {})
    env = make_env(env_id, env_kwargs)
    recording = Recording(path, env, env_id, env_kwargs, {"source": "test"}, earlier)
    seeds = recording.seeds(0, episodes)
    policy = random_policy(env.action_space, action_seed(0, earlier))
    for index, trajectory in run_episodes(policy, lambda: make_env(env_id, env_kwargs), seeds, num_envs=4):
        recording.add(index, trajectory)
    recording.save()
    return recording


def test_what_was_recorded_can_be_loaded(tmp_path: Path) -> None:
    recording = recorded(tmp_path / "a.hdf5", 5, env_kwargs={"sutton_barto_reward": True})
    loaded = Demonstrations.load(tmp_path / "a.hdf5")
    assert [trajectory.seed for trajectory in loaded.trajectories] == recording.seeds(0, 5)
    assert (loaded.env_id, loaded.env_kwargs) == ("CartPole-v1", {"sutton_barto_reward": True})
    assert (loaded.observation_space, loaded.action_space) == (
        recording.env.observation_space,
        recording.env.action_space,
    )
    assert loaded.provenance["source"] == "test"


def test_continuing_is_recording_the_rest_of_the_same_stream(tmp_path: Path) -> None:
    recorded(tmp_path / "parts.hdf5", 3)
    recorded(tmp_path / "parts.hdf5", 4, Demonstrations.load(tmp_path / "parts.hdf5"))
    recorded(tmp_path / "whole.hdf5", 7)
    parts, whole = (Demonstrations.load(tmp_path / name).trajectories for name in ("parts.hdf5", "whole.hdf5"))
    assert [trajectory.seed for trajectory in parts] == [trajectory.seed for trajectory in whole]
    for one, other in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(one.observations[0], other.observations[0])


def test_an_episode_that_an_interruption_left_out_is_made_up_for(tmp_path: Path) -> None:
    whole = recorded(tmp_path / "a.hdf5", 4)
    seeds = whole.seeds(0, 4)
    earlier = Demonstrations(tuple(whole.finished[index] for index in (0, 2, 3)))
    fresh = Recording.__new__(Recording)
    fresh.earlier = earlier.trajectories
    assert fresh.seeds(0, 2) == [seeds[1], recorded(tmp_path / "b.hdf5", 5).seeds(0, 5)[4]]


def test_a_continued_recording_does_not_repeat_its_random_actions(tmp_path: Path) -> None:
    recorded(tmp_path / "a.hdf5", 3)
    earlier = Demonstrations.load(tmp_path / "a.hdf5")
    assert action_seed(0, earlier) != action_seed(0, None) == action_seed(0, None)


def test_each_part_keeps_its_provenance(tmp_path: Path) -> None:
    for _ in range(3):
        path = tmp_path / "a.hdf5"
        recorded(path, 1, Demonstrations.load(path) if path.exists() else None)
    provenance = Demonstrations.load(path).provenance
    assert set(provenance) == {"source", "addition_1", "addition_2"}
    assert json.loads(provenance["addition_2"]) == {"source": "test"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"env_id": "Pendulum-v1"}, "environment is CartPole-v1, to be recorded is Pendulum-v1"),
        ({"env_kwargs": {"sutton_barto_reward": True}}, "arguments of the environment is {}"),
    ],
)
def test_another_environment_is_not_appended(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    recorded(tmp_path / "a.hdf5", 1)
    with pytest.raises(InputError, match=said):
        recorded(tmp_path / "a.hdf5", 1, Demonstrations.load(tmp_path / "a.hdf5"), **changes)


def test_episodes_without_rewards_are_not_continued(tmp_path: Path) -> None:
    env = make_env("CartPole-v1")
    (bare,) = (t for _, t in run_episodes(random_policy(env.action_space, 0), lambda: make_env("CartPole-v1"), [0]))
    without = type(bare)(bare.observations, bare.actions, None, bare.terminated)
    earlier = Demonstrations((without,), env.observation_space, env.action_space, "CartPole-v1")
    with pytest.raises(InputError, match="no rewards"):
        recorded(tmp_path / "a.hdf5", 1, earlier)


def test_it_saves_while_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(module, "SHARE_OF_TIME_SAVING", 1e9)
    path = tmp_path / "a.hdf5"
    source = recorded(tmp_path / "source.hdf5", 3)
    target = Recording(path, source.env, "CartPole-v1", {}, {})
    for count, (index, trajectory) in enumerate(source.finished.items(), start=1):
        target.add(index, trajectory)
        assert len(Demonstrations.load(path).trajectories) == count


def test_without_an_episode_nothing_is_written(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "a.hdf5", make_env("CartPole-v1"), "CartPole-v1", {}, {})
    recording.save()
    assert list(tmp_path.iterdir()) == []
    assert recording.summary() == "no episode was finished, nothing was written"


def test_the_source_is_described_with_the_digest_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "expert.zip").write_bytes(b"weights")
    described = describe_source("expert.zip", [tmp_path / "expert.zip"], 7, "gailkit record")
    assert described["sha256:expert.zip"] == hashlib.sha256(b"weights").hexdigest()
    assert described["source"] == "expert.zip"
    assert (described["seed"], described["command"]) == ("7", "gailkit record")
    assert {"date", "gailkit_version", "gymnasium_version", "numpy_version", "torch_version"} <= set(described)
