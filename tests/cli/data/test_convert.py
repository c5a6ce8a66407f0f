"""``gailkit data convert``: the new file holds the same episodes, says where they come from, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.editing.convert import Target, convert
from gailkit.demonstrations.file_contents import About, ReadOptions
from gailkit.demonstrations.native import writing
from gailkit.types import Trajectory

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
WriteD4rl = Callable[[Path, list[int]], Path]
Make = Callable[..., Demonstrations]


def test_a_foreign_file_becomes_a_native_one(run_here: RunHere, tmp_path: Path, write_d4rl: WriteD4rl) -> None:
    path = write_d4rl(tmp_path / "d.hdf5", [5, 3, 5])
    done = run_here("data", "convert", "d.hdf5", "-o", "new/n.hdf5", "--max-episode-steps", "5")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "converted d.hdf5 (D4RL flat) into new/n.hdf5: 3 episodes, 11 steps\n"
    for said in ("the last step of 2 truncated episodes was dropped", "endings were read 2 as truncated", "infos"):
        assert said in done.stderr
    expected = Demonstrations.load(path, ReadOptions(max_episode_steps=5))
    found = Demonstrations.load(tmp_path / "new" / "n.hdf5")
    assert found.digests() == expected.digests()
    assert [each.terminated for each in found.trajectories] == [False, True, False]
    assert found.provenance["source"] == "d.hdf5"
    step = found.provenance["step_1"]
    assert "the last step of 2 truncated" in step and "left_out: infos" in step and "by --max-episode-steps 5" in step


def test_reading_the_new_file_repeats_no_notes(run_here: RunHere, tmp_path: Path, write_d4rl: WriteD4rl) -> None:
    write_d4rl(tmp_path / "d.hdf5", [5, 3, 5])
    run_here("data", "convert", "d.hdf5", "-o", "n.hdf5", "--ends", "truncated")
    again = run_here("data", "convert", "n.hdf5", "-o", "m.hdf5")
    assert (again.returncode, again.stderr) == (0, "")
    provenance = Demonstrations.load(tmp_path / "m.hdf5").provenance
    assert "step_1" in provenance and "step_2" in provenance


def test_through_minari_and_back_every_episode_is_the_same(
    run_here: RunHere, tmp_path: Path, make_demonstrations: Make
) -> None:
    made = make_demonstrations([5, 3, 4])
    made.save(tmp_path / "n.hdf5")
    there = run_here("data", "convert", "n.hdf5", "-o", "folder", "--to", "minari")
    assert there.returncode == 0, there.stderr
    assert "a Minari data set does not hold the digest of each episode" in there.stderr
    back = run_here("data", "convert", "folder", "-o", "back.hdf5")
    assert back.returncode == 0, back.stderr
    found = Demonstrations.load(tmp_path / "back.hdf5")
    assert found.digests() == made.digests()
    assert (found.observation_space, found.action_space) == (made.observation_space, made.action_space)
    assert (found.env_id, dict(found.env_kwargs)) == (made.env_id, dict(made.env_kwargs))
    assert run_here("data", "convert", "n.hdf5", "-o", "folder", "--to", "minari").returncode == 2
    assert run_here("data", "convert", "n.hdf5", "-o", "folder", "--to", "minari", "--overwrite").returncode == 0


def test_an_environment_lends_its_spaces_and_is_fitted(
    run_here: RunHere, tmp_path: Path, write_d4rl: WriteD4rl
) -> None:
    write_d4rl(tmp_path / "d.hdf5", [5, 3])
    done = run_here("data", "convert", "d.hdf5", "-o", "n.hdf5", "--env", "CartPole")
    assert done.returncode == 0, done.stderr
    found = Demonstrations.load(tmp_path / "n.hdf5")
    assert found.env_id == "CartPole-v1"
    assert str(found.action_space) == "Discrete(2)" and found.observation_space is not None
    wrong = run_here("data", "convert", "d.hdf5", "-o", "w.hdf5", "--env", "Pendulum-v1")
    assert wrong.returncode == 2 and "(4,)" in wrong.stderr
    assert not (tmp_path / "w.hdf5").exists()


def test_actions_are_clipped_to_the_box_and_counted(run_here: RunHere, tmp_path: Path) -> None:
    actions = np.array([[0.5], [1.5], [-7.0]])
    episode = Trajectory(np.zeros((4, 2)), actions, None, False)
    Demonstrations((episode,), action_space=Box(-1, 1, (1,), np.float32)).save(tmp_path / "d.hdf5")
    done = run_here("data", "convert", "d.hdf5", "-o", "n.hdf5", "--clip-actions")
    assert done.stdout.endswith("1 episode, 3 steps, 2 actions clipped\n")
    found = Demonstrations.load(tmp_path / "n.hdf5")
    assert found.trajectories[0].actions.tolist() == [[0.5], [1.0], [-1.0]]
    assert found.provenance["step_1"].endswith("2 actions clipped")


@pytest.mark.parametrize(
    ("actions", "found"),
    [
        (np.zeros((5, 1)), r"float64 of shape (1,)"),  # numpy would make three numbers of each
        (np.zeros((5, 1, 3)), r"float64 of shape (1, 3)"),
        (np.zeros((5, 3), int), r"int64 of shape (3,)"),
    ],
)
def test_actions_that_are_none_of_the_box_are_not_clipped(
    run_here: RunHere, tmp_path: Path, actions: np.ndarray, found: str
) -> None:
    about = About(action_space=Box(-1, 1, (3,), np.float32))
    writing.write(tmp_path / "d.hdf5", about, [Trajectory(np.zeros((6, 2)), actions, None, False)])
    done = run_here("data", "convert", "d.hdf5", "-o", "n.hdf5", "--clip-actions")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert found in done.stderr and "Box(-1.0, 1.0, (3,), float32) has real numbers of shape (3,)" in done.stderr
    assert not (tmp_path / "n.hdf5").exists()


def test_parts_of_observations_stay_parts(run_here: RunHere, tmp_path: Path) -> None:
    """An environment of several parts is made flattened, and its demonstrations keep the parts."""
    (tmp_path / "parts.py").write_text(
        "import gymnasium\nfrom gymnasium.spaces import Box, Dict, Discrete\n"
        "class Parts(gymnasium.Env):\n"
        "    observation_space = Dict(a=Box(-9, 9, (2,)), b=Box(-9, 9, (1,)))\n    action_space = Discrete(2)\n"
        "    def reset(self, seed=None, options=None):\n        return self.observation_space.sample(), {}\n"
        "    def step(self, action):\n        return self.observation_space.sample(), 0.0, False, False, {}\n"
        "if 'Parts-v0' not in gymnasium.registry:\n"
        "    gymnasium.register('Parts-v0', entry_point=Parts, max_episode_steps=4)\n"
    )
    space = Dict(a=Box(-9, 9, (2,)), b=Box(-9, 9, (1,)))
    seen = np.zeros(5, dtype=[("a", "f4", (2,)), ("b", "f4", (1,))])
    seen["a"][:, 0] = np.arange(5)
    Demonstrations((Trajectory(seen, np.zeros(4, int), np.zeros(4), False),), space).save(tmp_path / "d.hdf5")
    done = run_here("data", "convert", "d.hdf5", "-o", "n.hdf5", "--env", "parts:Parts-v0")
    assert done.returncode == 0, done.stderr
    found = Demonstrations.load(tmp_path / "n.hdf5")
    assert found.observation_space == space
    assert found.trajectories[0].observations["a"][:, 0].tolist() == [0, 1, 2, 3, 4]
    checked = json.loads(run_here("data", "check", "n.hdf5", "--env", "parts:Parts-v0", "--json").stdout)
    assert "observations are of the observation space's kind" in checked["fine"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["d.hdf5", "-o", "c.hdf5"], 2, "say --max-episode-steps 5"),
        (["n.hdf5", "-o", "n.hdf5"], 2, "n.hdf5 is read from"),
        (["n.hdf5", "-o", "d.hdf5"], 2, "d.hdf5 exists; --overwrite replaces it"),
        (["n.hdf5", "-o", "c.hdf5", "--clip-actions"], 2, "the action space is Discrete(2)"),
        (["text", "-o", "c.hdf5"], 3, "text"),
        (["n.hdf5", "-o", "text/c.hdf5"], 5, "nothing can be written into the folder text"),
        (["n.hdf5", "-o", "m", "--to", "minari", "--env", "Pendulum-v1"], 2, "do not fit"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_no_file(
    run_here: RunHere,
    tmp_path: Path,
    make_demonstrations: Make,
    words: list[str],
    code: int,
    said: str,
    write_d4rl: WriteD4rl,
) -> None:
    write_d4rl(tmp_path / "d.hdf5", [5, 3, 5])
    make_demonstrations([5]).save(tmp_path / "n.hdf5")
    (tmp_path / "text").write_bytes(b"\0no data")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    done = run_here("data", "convert", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done.stderr
    assert said in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_episode_stops_it_and_an_older_file_stays(
    run_here: RunHere, tmp_path: Path, make_demonstrations: Make
) -> None:
    make_demonstrations([5, 3, 4]).save(tmp_path / "n.hdf5")
    with h5py.File(tmp_path / "n.hdf5", "r+") as file:
        file["digests"][1, 0] ^= 1
    (tmp_path / "old.hdf5").write_text("old")
    done = run_here("data", "convert", "n.hdf5", "-o", "old.hdf5", "--overwrite")
    assert done.returncode == 3 and "episode 1 of 3: it is damaged" in done.stderr
    assert (tmp_path / "old.hdf5").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["n.hdf5", "old.hdf5"]


def test_episodes_of_different_kinds_make_no_file(run_here: RunHere, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "r.hdf5", "w") as file:
        for index, size in enumerate((2, 3)):
            group = file.create_group(f"data/demo_{index}")
            group["obs/state"], group["next_obs/state"] = np.zeros((4, size)), np.zeros((4, size))
            group["actions"], group["rewards"] = np.zeros((4, 1)), np.zeros(4)
            group["dones"] = np.array([0, 0, 0, 1])
    done = run_here("data", "convert", "r.hdf5", "-o", "n.hdf5", "--ends", "truncated")
    assert done.returncode in (2, 3), done.stdout
    assert not (tmp_path / "n.hdf5").exists()


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """190 MB of observations pass through; fewer than 100 are held at a time, as of any larger file."""
    episode = Trajectory(np.zeros((101, 64, 64, 3), np.uint8), np.zeros(100, int), np.zeros(100), False)
    writing.write(tmp_path / "big.hdf5", About(), (replace(episode, seed=seed) for seed in range(160)))
    tracemalloc.start()
    try:
        done = convert(tmp_path / "big.hdf5", ReadOptions(), Target(tmp_path / "n.hdf5"))
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert done.steps == 16000
    assert held < 1e8 < 1.9e8 < 160 * episode.observations.nbytes
