"""``gailkit record`` as a user meets it: files, sentences, exit codes, and what an interruption leaves behind."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from gailkit.cli import main
from gailkit.demonstrations.dataset import Demonstrations

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


RunHere = Callable[..., Done]

ENVIRONMENTS = """
import time
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

class Slow(gymnasium.Env):
    observation_space = Box(-np.inf, np.inf, (1,), np.float32)
    action_space = Discrete(2)
    made = 0

    def __init__(self, pause=0.0, length=10, breaks_at=None):
        Slow.made += 1
        self.number = Slow.made
        self.pause, self.length, self.breaks_at = pause, length, breaks_at
        self.episodes = 0

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        self.episodes += 1
        return np.zeros(1, np.float32), {}

    def step(self, action):
        time.sleep(self.pause)
        self.steps += 1
        if self.episodes == self.breaks_at:
            raise RuntimeError("a fuse blew")
        return np.full(1, self.steps, np.float32), 1.0, False, self.steps == self.length, {}

gymnasium.register("Slow-v0", entry_point=Slow)

def stubborn(observation):
    if observation[0] >= 5:
        raise ValueError("no further")
    return 0
"""


@pytest.fixture(autouse=True)
def environments(tmp_path: Path) -> None:
    (tmp_path / "rooms.py").write_text(ENVIRONMENTS)


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunHere:
    """``run_here("record", ...)``: the command in this process, which saves the seconds it takes to load torch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # the command adds the current folder; this puts sys.path back afterwards

    def run(*arguments: str) -> Done:
        sys.modules.pop("rooms", None)
        with pytest.raises(SystemExit) as leaving:
            main(arguments)
        assert isinstance(leaving.value.code, int)
        return Done(leaving.value.code, *capsys.readouterr())

    return run


def trajectories(path: Path) -> list[tuple[int | None, int]]:
    return [(trajectory.seed, len(trajectory)) for trajectory in Demonstrations.load(path).trajectories]


def test_an_expert_is_recorded_with_its_provenance(run_cli: RunCli, tmp_path: Path, experts_folder: Path) -> None:
    expert = experts_folder / "zoo/ppo/CartPole-v1.zip"
    options = ["--policy", expert, "--episodes", "3", "--seed", "0", "-o", "new/folder/a.hdf5"]
    done = run_cli("record", "CartPole", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("recorded 3 episodes, 1,500 steps, mean return 500.0 +- 0.0 (0 terminated, 3 trunc")
    assert "new/folder/a.hdf5" in done.stdout
    loaded = Demonstrations.load(tmp_path / "new/folder/a.hdf5")
    assert loaded.env_id == "CartPole-v1"
    assert loaded.provenance["source"] == str(expert)
    assert loaded.provenance["sha256:CartPole-v1.zip"] == hashlib.sha256(expert.read_bytes()).hexdigest()
    assert loaded.provenance["command"].endswith("-o new/folder/a.hdf5")


def test_the_same_command_records_the_same_and_append_goes_on(run_here: RunHere, tmp_path: Path) -> None:
    options = ["--policy", "random", "--seed", "1", "--env-kwargs", '{"sutton_barto_reward": true}']
    for name, count in (("a", "3"), ("b", "3")):
        run_here("record", "CartPole-v1", *options, "--episodes", count, "-o", f"{name}.hdf5")
    first, second = (Demonstrations.load(tmp_path / f"{name}.hdf5") for name in "ab")
    for one, other in zip(first.trajectories, second.trajectories, strict=True):
        np.testing.assert_array_equal(one.observations, other.observations)
    assert first.trajectories[0].rewards is not None
    assert first.trajectories[0].rewards[-1] == -1.0  # the argument has reached the environment
    done = run_here("record", "CartPole-v1", *options, "--episodes", "2", "-o", "a.hdf5", "--append")
    assert "which now holds 5 episodes" in done.stdout
    grown = trajectories(tmp_path / "a.hdf5")
    assert grown[:3] == trajectories(tmp_path / "b.hdf5")
    assert len({seed for seed, _ in grown}) == 5


def test_a_file_is_replaced_only_on_request(run_here: RunHere, tmp_path: Path) -> None:
    command = ["record", "rooms:Slow-v0", "--policy", "random", "--episodes", "1", "--seed", "0", "-o", "a.hdf5"]
    precious = b"\x89HDF\r\n\x1a\nprecious"
    (tmp_path / "a.hdf5").write_bytes(precious)
    refused = run_here(*command)
    assert refused.returncode == 2
    assert refused.stderr == "Error: a.hdf5 exists; --append continues it, --overwrite replaces it\n"
    damaged = run_here(*command, "--append")
    assert (damaged.returncode, (tmp_path / "a.hdf5").read_bytes()) == (3, precious)
    both = run_here(*command, "--append", "--overwrite")
    assert (both.returncode, (tmp_path / "a.hdf5").read_bytes()) == (2, precious)
    assert run_here(*command, "--overwrite").returncode == 0
    assert len(trajectories(tmp_path / "a.hdf5")) == 1


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"env_id": "CartPol-v1"}, 2, "near matches: CartPole-v1"),
        ({"--policy": "rndom"}, 2, "accepted are random, a run folder, a Stable-Baselines3 .zip, an .onnx model,"),
        ({"--policy": "."}, 2, "holds no run"),
        ({"--episodes": "0"}, 2, "0 is not in the range x>=1"),
        ({"--seed": "-1"}, 2, "-1 is not in the range x>=0"),
        ({"--env-kwargs": "[1]"}, 2, "a JSON object is expected"),
        ({"--env-kwargs": "{"}, 2, "not valid JSON"),
        ({"--env-kwargs": '{"nosuch": 1}'}, 2, "nosuch"),
        ({"-o": "rooms.py/a.hdf5"}, 5, "nothing can be written into the folder rooms.py"),
        ({"-o": "."}, 5, "is a folder"),
    ],
)
def test_a_mistake_is_one_sentence(run_here: RunHere, changes: dict[str, str], code: int, said: str) -> None:
    options = {"--policy": "random", "--episodes": "1", "--seed": "0", "-o": "a.hdf5", "--env-kwargs": "{}", **changes}
    env_id = options.pop("env_id", "rooms:Slow-v0")
    done = run_here("record", env_id, *(word for pair in options.items() for word in pair))
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_was_finished_before_the_environment_failed_is_kept(run_here: RunHere, tmp_path: Path) -> None:
    options = ["--policy", "random", "--episodes", "9", "--seed", "0", "-o", "a.hdf5", "--num-envs", "1"]
    options += ["--restarts", "0", "--env-kwargs", '{"breaks_at": 3}']
    done = run_here("record", "rooms:Slow-v0", *options)
    assert done.returncode == 4
    stopped, error = done.stderr.splitlines()
    assert stopped.startswith("stopped early: recorded 2 episodes, 20 steps")
    assert "RuntimeError: a fuse blew" in error
    assert [length for _, length in trajectories(tmp_path / "a.hdf5")] == [10, 10]


def test_a_policy_that_fails_is_the_users_to_mend(run_here: RunHere) -> None:
    options = ["--policy", "rooms:stubborn", "--episodes", "2", "--seed", "0", "-o", "a.hdf5"]
    done = run_here("record", "rooms:Slow-v0", *options)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "stopped early: no episode was finished, nothing was written"
    assert "rooms:stubborn failed" in done.stderr
    assert "ValueError: no further (rooms.py, line" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_keeps_every_finished_episode(tmp_path: Path, number: signal.Signals, code: int) -> None:
    options = ["--policy", "random", "--episodes", "100000", "--seed", "0", "-o", "a.hdf5", "--num-envs", "2"]
    options += ["--workers", "1"]  # not one step to try it out
    command = [sys.executable, "-m", "gailkit", "record", "rooms:Slow-v0", *options]
    # the file "on" tells that episodes are under way
    (tmp_path / "rooms.py").write_text(ENVIRONMENTS.replace("self.steps += 1", "self.steps += 1; open('on', 'w')"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*command, "--env-kwargs", '{"pause": 0.002}'],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "on").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    kept = trajectories(tmp_path / "a.hdf5")
    assert f"stopped early: recorded {len(kept)} episode{'s' * (len(kept) != 1)}, {10 * len(kept)} steps" in errors
    assert len(kept) >= 2
    assert {length for _, length in kept} == {10}
    assert sorted(path.name for path in tmp_path.glob("*hdf5*")) == ["a.hdf5"]


def test_help_answers_without_loading_anything_heavy() -> None:
    program = (
        "import sys\nfrom gailkit.cli.record.command import record\n"
        "print(sorted({'torch', 'h5py', 'gymnasium', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
