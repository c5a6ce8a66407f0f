"""What ``gailkit record`` does with the episodes of a policy: strays from it, keeps the good ones, refuses nonsense."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gailkit.demonstrations.dataset import Demonstrations
from gailkit.recording.shard_folder import CAN_LOCK, Shards

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

ROOMS = """
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

class Toss(gymnasium.Env):
    "A return of 0 to 9, as many steps as that and one more, decided by the seed."
    observation_space = Box(-np.inf, np.inf, (1,), np.float32)
    action_space = Discrete(5)

    def reset(self, *, seed=None, options=None):
        self.steps, self.length = 0, 1 + seed % 10
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        ended = self.steps == self.length
        return np.full(1, self.steps, np.float32), float(not ended), ended, False, {}

if "Toss-v0" not in gymnasium.registry:
    gymnasium.register("Toss-v0", entry_point=Toss)

def idle(observation):
    return 0

def push(observation):
    return np.array([0.5], np.float32)
"""


@pytest.fixture(autouse=True)
def rooms(tmp_path: Path) -> None:
    (tmp_path / "rooms.py").write_text(ROOMS)


@pytest.fixture
def record(run_here: RunHere) -> RunHere:
    """``record("--min-return", "5")``: nine episodes of Toss under idle into a.hdf5, with further options."""

    def run(*options: str, env: str = "rooms:Toss-v0", policy: str = "rooms:idle") -> Any:
        command = ["record", env, "--policy", policy, "--seed", "0", "-o", "a.hdf5", *options]
        return run_here(*command, *([] if "--episodes" in options else ["--episodes", "9"]))

    return run


def loaded(tmp_path: Path) -> Demonstrations:
    return Demonstrations.load(tmp_path / "a.hdf5")


def test_only_episodes_that_return_enough_are_kept(record: RunHere, tmp_path: Path) -> None:
    done = record("--min-return", "7")
    assert (done.returncode, done.stderr) == (0, "")
    returns = loaded(tmp_path).returns()
    assert returns is not None
    assert len(returns) == 9
    assert set(returns) == {7.0, 8.0, 9.0}  # the longest ones too: none is preferred for having ended early
    assert loaded(tmp_path).provenance["min_return"] == "7"
    rejected = int(done.stdout.rpartition("; ")[2].partition(" others returned less than 7")[0])
    assert 9 <= rejected <= 60  # 7 of 10 are; 21 are expected for 9 kept


def test_the_good_ones_are_those_of_the_stream_of_seeds(record: RunHere, tmp_path: Path) -> None:
    record("--episodes", "90")
    everything = loaded(tmp_path)
    good = [trajectory.seed for trajectory in everything.trajectories if (trajectory.episode_return or 0) >= 7][:9]
    record("--min-return", "7", "--overwrite")
    assert [trajectory.seed for trajectory in loaded(tmp_path).trajectories] == good


def test_a_return_that_is_never_reached_is_given_up_and_the_good_are_kept(record: RunHere, tmp_path: Path) -> None:
    done = record("--min-return", "10")
    assert done.returncode == 2
    stopped, error = done.stderr.splitlines()
    assert stopped == "stopped early: no episode was finished, nothing was written"
    assert "280 episodes in a row returned less than 10, the best of them 9.0" in error  # 100 + 20 * 9
    assert not (tmp_path / "a.hdf5").exists()


def test_noise_changes_what_is_done_and_recorded(record: RunHere, tmp_path: Path) -> None:
    record("--noise", "0.5", "--episodes", "60")
    first = np.concatenate([trajectory.actions for trajectory in loaded(tmp_path).trajectories])
    assert abs(np.mean(first != 0) - 0.4) < 4 * np.sqrt(0.24 / len(first))  # one in five random actions is idle too
    assert loaded(tmp_path).provenance["noise"] == "0.5"
    record("--noise", "0.5", "--episodes", "60", "--overwrite")
    again = np.concatenate([trajectory.actions for trajectory in loaded(tmp_path).trajectories])
    np.testing.assert_array_equal(first, again)


def test_noise_in_a_box_is_what_the_environment_saw(record: RunHere, tmp_path: Path) -> None:
    done = record("--noise", "0.1", "--episodes", "1", env="Pendulum-v1", policy="rooms:push")
    assert (done.returncode, done.stderr) == (0, "")
    (trajectory,) = loaded(tmp_path).trajectories
    assert trajectory.actions.mean() == pytest.approx(0.5, abs=0.06)  # 200 steps with a deviation of 0.2
    assert trajectory.actions.std() == pytest.approx(0.2, rel=0.2)
    assert trajectory.rewards is not None
    velocity = trajectory.observations[:-1, 2].astype(float)
    angle = np.arctan2(trajectory.observations[:-1, 1], trajectory.observations[:-1, 0]).astype(float)
    torque = np.sqrt(np.maximum(0, -trajectory.rewards - angle**2 - 0.1 * velocity**2) / 0.001)
    np.testing.assert_allclose(torque, np.abs(trajectory.actions[:, 0]), atol=0.05)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--noise", "1.5"], "the noise is 1.5; accepted is a probability"),
        (["--noise", "-1"], "-1.0 is not in the range x>=0"),
        (["--min-return", "nan"], "not a number"),
        (["--fps", "30"], "--fps does not go with --policy rooms:idle"),
        (["--keys", "left=0"], "--keys does not go with --policy rooms:idle"),
        (["--policy", "keyboard", "--noise", "0.1"], "--noise does not go with --policy keyboard"),
        (["--policy", "keyboard", "--stochastic"], "--stochastic does not go with --policy keyboard"),
        (["--policy", "keyboard", "--min-return", "1"], "--min-return does not go with --policy keyboard"),
        (["--policy", "keyboard", "--fps", "0"], "0.0 is not in the range x>0"),
        (["--stochastic"], "it has neither sampled actions"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(
    record: RunHere, tmp_path: Path, options: list[str], said: str
) -> None:
    done = record(*options)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
    assert [path.name for path in tmp_path.glob("a.*")] == []


def test_the_keyboard_is_asked_with_what_it_needs(
    record: RunHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gailkit.cli.record.keyboard as keyboard
    from gailkit.rollouts.environments import make_env
    from gailkit.rollouts.episodes import collect_episodes

    def plays(recording: Any, env_id: str, env_kwargs: Any, seeds: list[int], fps: float, keys: str) -> None:
        assert (env_id, env_kwargs, len(seeds), fps, keys) == ("CartPole-v1", {}, 9, 20.0, "left=0,right=1")
        played = collect_episodes(lambda rows: np.zeros(len(rows), int), lambda: make_env("CartPole-v1"), seeds[:3])
        for index, trajectory in enumerate(played):
            recording.add(index, trajectory)
        recording.undo()

    pytest.importorskip("pygame", reason="NOT TESTED what the keyboard is asked with: no pygame here")
    monkeypatch.setenv("DISPLAY", ":54321")  # which nobody looks at
    monkeypatch.setattr(keyboard, "record_from_keyboard", plays)
    done = record("--fps", "20", "--keys", "left=0,right=1", env="CartPole-v1", policy="keyboard")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("recorded 2 episodes")
    assert len(loaded(tmp_path).trajectories) == 2
    assert loaded(tmp_path).provenance["source"] == "keyboard"


def test_a_package_that_is_missing_is_named_before_anything_is_done(
    record: RunHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    absent = {"pygame", "onnxruntime"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else find(name))
    monkeypatch.setenv("DISPLAY", ":54321")
    (tmp_path / "a.hdf5").write_text("precious")
    (tmp_path / "a.onnx").write_text("")
    for policy, extra in (("keyboard", "classic"), ("a.onnx", "onnx")):
        done = record("--overwrite", env="CartPole-v1", policy=policy)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.endswith(f"needs a package that is not installed: pip install 'gailkit[{extra}]'\n")
    assert {path.name for path in tmp_path.glob("a.*")} == {"a.hdf5", "a.onnx"}
    assert (tmp_path / "a.hdf5").read_text() == "precious"


def test_what_a_killed_recording_left_is_not_passed_over(record: RunHere, tmp_path: Path) -> None:
    record()
    parts = tmp_path / "a.hdf5.parts"
    parts.mkdir()
    (tmp_path / "a.hdf5").rename(parts / "000001.hdf5")
    refused = record()
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert (
        "a.hdf5.parts holds what a recording of a.hdf5 had finished when it was killed; --append con" in refused.stderr
    )
    assert (parts / "000001.hdf5").exists()
    done = record("--append", "--episodes", "2")
    assert "which now holds 11 episodes" in done.stdout
    assert len(loaded(tmp_path).trajectories) == 11
    assert not parts.exists()


def test_overwriting_discards_what_a_killed_recording_left(record: RunHere, tmp_path: Path) -> None:
    record()
    parts = tmp_path / "a.hdf5.parts"
    parts.mkdir()
    (tmp_path / "a.hdf5").rename(parts / "000001.hdf5")
    assert record("--overwrite", "--episodes", "2").returncode == 0
    assert len(loaded(tmp_path).trajectories) == 2
    assert not parts.exists()


@pytest.mark.skipif(not CAN_LOCK, reason="NOT TESTED: this system has no locks that end with a process")
@pytest.mark.parametrize("option", [[], ["--append"], ["--overwrite"]])
def test_a_second_recording_into_the_same_file_is_refused(record: RunHere, tmp_path: Path, option: list[str]) -> None:
    with closing(Shards(tmp_path / "a.hdf5")):
        done = record(*option)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "another recording is writing to a.hdf5" in done.stderr


def test_an_onnx_policy_is_recorded(record: RunHere, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="NOT TESTED: recording an ONNX policy; pip install 'gailkit[onnx]'")
    pytest.importorskip("onnxruntime", reason="NOT TESTED: recording an ONNX policy; pip install 'gailkit[onnx]'")
    helper = onnx.helper
    weight = np.array([[0, 0], [0, 0], [-1, 1], [-0.5, 0.5]], np.float32)  # pushes to where the pole leans and falls
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["scores"])],
        "policy",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["B", 4])],
        [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["B", 2])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "expert.onnx").write_bytes(model.SerializeToString())
    done = record("--episodes", "2", env="CartPole-v1", policy="expert.onnx")
    assert (done.returncode, done.stderr) == (0, "")
    returns = loaded(tmp_path).returns()
    assert returns is not None
    assert returns.min() > 150
    assert "sha256:expert.onnx" in loaded(tmp_path).provenance


@pytest.mark.parametrize(
    ("options", "policy", "acted"),
    [([], "rooms:idle", None), (["--noise", "0.2"], "rooms:idle", "sampled"), ([], "random", "sampled")],
)
def test_what_the_policy_acted_by_is_in_the_file_where_it_is_known(
    record: RunHere, tmp_path: Path, options: list[str], policy: str, acted: str | None
) -> None:
    done = record("--episodes", "2", *options, policy=policy)
    assert done.returncode == 0, done.stderr
    assert Demonstrations.load(tmp_path / "a.hdf5").provenance.get("acted") == acted
