"""``--workers`` on the command line: the same files as in one process, and what becomes of environments that die."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gailkit.demonstrations import Demonstrations
from gailkit.training.checkpoint import load_checkpoint
from gailkit.training.metrics import read_metrics

FLAKY = "flaky:Flaky-v0"
TINY = ("--steps", "256", "--num-envs", "4", "--rollout-size", "64", "--policy-hidden", "8", "--checkpoint-every", "0")
RunHere = Callable[..., Any]


@pytest.fixture(autouse=True)
def flaky(repository: Path, tmp_path: Path) -> None:
    shutil.copy(repository / "tests" / "rollouts" / "flaky.py", tmp_path / "flaky.py")


def fault(**kwargs: Any) -> tuple[str, str]:
    return "--env-kwargs", json.dumps(kwargs)


def test_a_training_in_workers_is_the_same_bit_for_bit(run_here: RunHere, tmp_path: Path) -> None:
    states = []
    for workers in ("1", "2"):
        done = run_here("expert", "Pendulum-v1", "--out", workers, "--workers", workers, *TINY)
        assert done.returncode == 0, done.stderr
        states.append(load_checkpoint(tmp_path / workers / "checkpoints" / "last.safetensors"))
    one, other = (state["generator"] for state in states)
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert not isinstance(value, torch.Tensor) or torch.equal(value, other[name]), name
    assert states[0]["random"]["torch"].equal(states[1]["random"]["torch"])


def test_one_failure_too_many_is_exit_code_4_and_the_run_goes_on_from_what_it_has(
    run_here: RunHere, tmp_path: Path
) -> None:
    kwargs = fault(fault="SIGKILL", every=50)
    done = run_here("expert", FLAKY, "--out", "run", "--workers", "2", "--restarts", "0", *kwargs, *TINY)
    assert done.returncode == 4
    assert "Flaky-v0 was ended by SIGKILL at step 3 of the episode with seed " in done.stderr
    assert done.stderr.rstrip().endswith("what was learned is kept")
    reached = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors")["steps"]
    assert 0 <= reached < 256
    done = run_here("expert", "--resume", "run", "--workers", "2", "--restarts", "100")
    assert done.returncode == 0, done.stderr
    rows = read_metrics(tmp_path / "run")
    assert rows[-1]["steps"] == 256 and rows[-1]["episode/discarded"] >= 2
    assert f"discarded, because an environment failed: {rows[-1]['episode/discarded']:.0f} episodes" in done.stderr
    assert "failure 1 of 100 that are accepted" in done.stderr


def test_a_recording_goes_on_with_other_seeds_and_says_so(run_here: RunHere, tmp_path: Path) -> None:
    words = ("--policy", "random", "--episodes", "12", "--seed", "0", "--num-envs", "4")
    kwargs = fault(fault="SIGSEGV", every=4)
    done = run_here("record", FLAKY, *words, *kwargs, "--workers", "2", "--restarts", "50", "-o", "flaky.hdf5")
    assert done.returncode == 0, done.stderr
    recorded = Demonstrations.load(tmp_path / "flaky.hdf5").trajectories
    assert len(recorded) == 12 and all(trajectory.seed % 1009 % 4 for trajectory in recorded)
    assert "note: discarded, because an environment failed: " in done.stderr
    done = run_here("record", FLAKY, *words, *fault(), "--workers", "1", "-o", "well.hdf5")
    assert done.returncode == 0, done.stderr
    known = {trajectory.seed: trajectory for trajectory in Demonstrations.load(tmp_path / "well.hdf5").trajectories}
    common = [trajectory for trajectory in recorded if trajectory.seed in known]
    assert len(common) > 4  # those that did not fail are those that would have been recorded
    assert all(np.array_equal(each.observations[0], known[each.seed].observations[0]) for each in common)


@pytest.mark.parametrize("command", ["train", "expert", "record", "evaluate", "control"])
@pytest.mark.parametrize(("word", "said"), [("0", "'0' is neither auto nor"), ("lots", "'lots' is neither auto nor")])
def test_what_is_no_number_of_workers_is_refused(run_here: RunHere, command: str, word: str, said: str) -> None:
    done = run_here(command, "CartPole-v1", "--workers", word)
    assert done.returncode == 2
    assert f"{said} a whole number, 1 or more" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        ("expert", "CartPole-v1", "--out", "run", "--num-envs", "2"),
        ("record", "CartPole-v1", "--policy", "random", "--episodes", "3", "--seed", "0", "-o", "x", "--num-envs", "2"),
        ("evaluate", "random", "--demos", "none.hdf5", "--num-envs", "2"),
        ("train", "CartPole-v1", "--demos", "none.hdf5", "--out", "run", "--num-envs", "2"),
    ],
)
def test_more_workers_than_environments_are_refused_before_anything_is_done(
    run_here: RunHere, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = run_here(*words, "--workers", "3")
    assert done.returncode == 2
    assert "3 workers are more than the 2 environments that are stepped together" in " ".join(done.stderr.split())
    assert [path.name for path in tmp_path.iterdir()] == ["flaky.py"]


def test_auto_says_what_it_chose_and_why(run_here: RunHere) -> None:
    words = ("--policy", "random", "--episodes", "2", "--seed", "0", "-o", "x.hdf5")
    done = run_here("record", "CartPole-v1", *words, "--workers", "auto")
    assert done.returncode == 0
    assert "note: environments in this process: " in done.stderr
    done = run_here("record", "CartPole-v1", *words, "--overwrite")  # where nobody asked, there is nothing to say
    assert (done.returncode, done.stderr) == (0, "")
