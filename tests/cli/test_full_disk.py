"""Places that nothing can be written to, and files that cannot grow: one sentence, exit code 5, and nothing is lost."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gailkit.training.metrics import read_metrics
from gailkit.training.places import LAST
from gailkit.training.run import RunFolder, load_policy

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

EXPERT = ("expert", "CartPole-v1", "--num-envs", "2", "--rollout-size", "64", "--policy-hidden", "8")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Inside the block the system refuses to let a file grow beyond ``size`` bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def one_sentence(done: subprocess.CompletedProcess[str], said: str) -> None:
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert (done.returncode, len(errors)) == (5, 1), done.stderr
    assert said in errors[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("file", "the run folder file cannot be made"),
        ("file/run", "the run folder file/run cannot be made: Not a directory"),
        ("/proc/run", "the run folder /proc/run cannot be made"),
        pytest.param(
            "locked/run", "the run folder locked/run cannot be made: Permission denied",
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="NOT TESTED: permissions, which do not bind root"),
        ),
    ],
)  # fmt: skip
def test_a_place_that_nothing_can_be_written_to(run_here: RunHere, tmp_path: Path, out: str, said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "locked").mkdir(mode=0o555)
    one_sentence(run_here(*EXPERT, "--steps", "192", "--out", out), said)


def test_a_run_that_finds_no_room_for_its_first_checkpoint_promises_nothing(run_here: RunHere, tmp_path: Path) -> None:
    with files_of_at_most(8000):
        done = run_here(*EXPERT, "--steps", "192", "--out", "run")
    one_sentence(done, "run/checkpoints/last.safetensors could not be written")
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
    assert run_here(*EXPERT, "--steps", "192", "--out", "run", "--overwrite").returncode == 0


def test_a_run_that_finds_no_room_for_its_metrics_keeps_what_it_learned_and_goes_on(
    run_here: RunHere, tmp_path: Path
) -> None:
    """A checkpoint has some 25 kB, a row of metrics some 400 bytes: there is room for a hundred."""
    with files_of_at_most(40_000):
        done = run_here(*EXPERT, "--steps", "12800", "--checkpoint-every", "0", "--out", "run")
    one_sentence(done, "the metrics in run could not be written: File too large")
    kept = RunFolder(tmp_path / "run").load(LAST)
    rows = read_metrics(tmp_path / "run")
    assert 50 < kept["iteration"] <= len(rows)
    assert load_policy(tmp_path / "run").env_id == "CartPole-v1"
    assert run_here("expert", "--resume", "run").returncode == 0
    assert read_metrics(tmp_path / "run")[: kept["iteration"]] == rows[: kept["iteration"]]
    assert len(read_metrics(tmp_path / "run")) == 200
