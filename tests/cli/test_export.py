"""``gailkit export``: from a run to a file that acts without gailkit."""

from __future__ import annotations

from pathlib import Path

import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.training.config import TrainConfig
from gailkit.training.train import train
from tests.cli.conftest import RunHere

SHIPPED = Path(__file__).parents[2] / "datasets" / "cartpole-v1.hdf5"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder, shown = tmp_path / "run", Demonstrations.load(SHIPPED).choose(2)
    train("CartPole-v1", shown, TrainConfig(steps=64, num_envs=2, rollout_size=64), out=folder)
    return folder


def test_the_file_of_a_run_can_be_evaluated(run_here: RunHere, run: Path) -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package, reason="NOT TESTED: policies into ONNX files; pip install 'gailkit[onnx]'")
    done = run_here("export", run, "-o", "policies/policy.onnx")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "wrote policies/policy.onnx: observation (N, 4) float32 to action (N) int64; actions within 0 of the policy's "
        "on 1,000 observations\n"
    )
    refused = run_here("export", run, "-o", "policies/policy.onnx")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "Error: policies/policy.onnx exists; --overwrite replaces it\n"
    played = run_here(
        "record", "CartPole-v1", "--policy", "policies/policy.onnx", "--episodes", "2", "--seed", "0", "-o", "a.hdf5"
    )
    assert played.returncode == 0, played.stderr
    acted = run_here("record", "CartPole-v1", "--policy", "run", "--episodes", "2", "--seed", "0", "-o", "b.hdf5")
    assert acted.returncode == 0, acted.stderr
    assert Demonstrations.load("a.hdf5").digests() == Demonstrations.load("b.hdf5").digests()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "-o", "policy.h5"), "policy.h5 must end in .onnx or .pt2, by which the format of a policy goes"),
        (("nowhere", "-o", "policy.pt2"), "nowhere is not a run folder, as gailkit train makes it"),
        (("run", "-o", "run/policy.pt2"), "run/policy.pt2 cannot be written, because run/policy.pt2 lies in run"),
    ],
)
def test_wrong_words_are_one_sentence(run_here: RunHere, run: Path, words: tuple[str, ...], said: str) -> None:
    done = run_here("export", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {said}") and done.stderr.count("\n") == 1
    assert not list(Path().glob("**/policy*"))
