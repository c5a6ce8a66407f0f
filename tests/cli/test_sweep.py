"""``gailkit sweep`` as a user meets it: from a file to what won, stopped in between, with runs that fail."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gailkit.cli import main
from gailkit.demonstrations import Demonstrations
from gailkit.sweep.backends import Ended, Job
from gailkit.training.metrics import read_metrics

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

SMALL = """
episodes = 10
[[task]]
env = "CartPole-v1"
demos = "demos.hdf5"
steps = 384
num-envs = 2
rollout-size = 64
discriminator-batch-size = 32
discriminator-updates = 2
"""
METHODS = "[settings]\npolicy-epochs = [1, 2]\n"
BROKEN = """
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

class Broken(CartPoleEnv):
    def __init__(self, steps=100):
        super().__init__()
        self.left = steps

    def step(self, action):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("a fuse blew")
        return super().step(action)

gymnasium.register("Broken-v0", entry_point=Broken)
"""


class Here:
    """Jobs in this process, one after another, which saves the seconds that each takes to load torch."""

    slots = 1

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after  # jobs, after which the sweep is sent SIGINT
        self.begun: list[tuple[str, ...]] = []
        self._ended: list[Ended] = []

    def start(self, job: Job) -> None:
        self.begun.append(job.words)
        with (
            job.log.open("a", encoding="utf-8") as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
            pytest.raises(SystemExit) as leaving,
        ):
            main(job.words)
        assert isinstance(leaving.value.code, int)
        self._ended.append(Ended(job.name, leaving.value.code))
        if self.stop_after == len(self.begun):
            os.kill(os.getpid(), signal.SIGINT)

    def ended(self) -> list[Ended]:
        found, self._ended = self._ended, []
        return found

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    """The backend of every sweep."""
    backend = Here()
    monkeypatch.setattr("gailkit.cli.sweep.command.backend_of", lambda folder, way: backend)
    monkeypatch.setattr("gailkit.sweep.running.SECONDS_BETWEEN_LOOKS", 0.0)
    return backend


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """Fourteen episodes of CartPole's expert, few enough pairs for a clone of a fraction of a second."""
    path = tmp_path_factory.mktemp("demos") / "demos.hdf5"
    Demonstrations.load(repository / "datasets" / "cartpole-v1.hdf5").choose(14).save(path)
    return path


@pytest.fixture(autouse=True)
def files(tmp_path: Path, demos: Path) -> Iterator[None]:
    (tmp_path / "demos.hdf5").symlink_to(demos)
    (tmp_path / "sweep.toml").write_text(f"seeds = 2{SMALL}subsample = 50\n{METHODS}")
    yield


def record_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "sweep.json").read_text()))


def test_a_sweep_ends_with_a_table_a_picture_and_a_statement_and_goes_on_when_stopped(
    run_here: RunHere, here: Here, tmp_path: Path
) -> None:
    here.stop_after = 3
    stopped = run_here("sweep", "sweep.toml")
    assert stopped.returncode == 130
    assert "stopped; 1 of 4 runs finished; go on with: gailkit sweep --resume sweep" in stopped.stderr
    assert "CartPole-v1, policy-epochs=1, seed 0: closeness " in stopped.stderr
    again = run_here("sweep", "sweep.toml")
    assert again.returncode == 2
    assert (
        "sweep already holds a sweep; choose another folder with --out, or go on with it: gailkit sweep" in again.stderr
    )
    here.begun.clear()
    here.stop_after = None
    done = run_here("sweep", "--resume", "sweep")
    assert done.returncode == 0, done.stderr
    assert [words[0] for words in here.begun] == ["evaluate", "train", "evaluate", "train", "evaluate"]
    assert "Too few seeds to say which method won; policy-epochs=" in done.stdout
    page = (tmp_path / "sweep" / "table.md").read_text()
    assert page in done.stdout and page.count("| CartPole-v1 | policy-epochs=") == 2
    assert (tmp_path / "sweep" / "sweep.svg").read_text().startswith("<?xml")
    record = record_of(tmp_path / "sweep")
    assert [run["state"] for run in record["runs"]] == ["finished"] * 4
    run = tmp_path / "sweep" / "runs" / "CartPole-v1--policy-epochs=2--1"
    assert run_here("evaluate", run, "--demos", "demos.hdf5", "--episodes", "1").returncode == 0
    here.begun.clear()
    (tmp_path / "more.toml").write_text(f"seeds = 3{SMALL}subsample = 50\n{METHODS}")
    more = run_here("sweep", "more.toml", "--resume", "sweep")
    assert more.returncode == 0, more.stderr
    assert [words[0] for words in here.begun] == ["train", "evaluate"] * 2
    assert "3 seeds" in more.stdout and "95 % interval" in more.stdout
    (tmp_path / "other.toml").write_text(f"seeds = 3{SMALL}subsample = 40\n{METHODS}")
    other = run_here("sweep", "other.toml", "--resume", "sweep")
    assert other.returncode == 2 and "is not asked for any more, or with other values" in other.stderr


def test_a_run_that_fails_stops_no_other_and_is_tried_again(run_here: RunHere, here: Here, tmp_path: Path) -> None:
    (tmp_path / "own_envs.py").write_text(BROKEN)
    task = (
        SMALL.replace("CartPole-v1", "own_envs:Broken-v0") + "subsample = 50\nother-environment = true\nrestarts = 0\n"
    )
    usual = SMALL.replace("episodes = 10", "") + "subsample = 50\n"
    (tmp_path / "sweep.toml").write_text(f"seeds = 1{task}{usual}")
    refused = run_here("sweep", "sweep.toml")
    assert refused.returncode == 2
    assert "if you trust it: gailkit sweep sweep.toml --trust own_envs:Broken-v0" in refused.stderr
    failed = run_here("sweep", "sweep.toml", "--trust", "own_envs:Broken-v0")
    assert failed.returncode == 1
    assert "own_envs:Broken-v0, default, seed 0: failed: the environment Broken-v0 failed at step 101 " in failed.stderr
    assert (
        "a fuse blew" in failed.stderr and "1 run failed; to try again: gailkit sweep --resume sweep" in failed.stderr
    )
    assert "CartPole-v1, default, seed 0: closeness " in failed.stderr
    assert "a fuse blew" in (tmp_path / "sweep" / "table.md").read_text()
    here.begun.clear()
    again = run_here("sweep", "--resume", "sweep", "--trust", "own_envs:Broken-v0")
    assert again.returncode == 1
    assert [words[:2] for words in here.begun] == [("train", "--resume")]


def test_a_dry_run_prints_commands_that_can_be_typed(run_here: RunHere, here: Here, tmp_path: Path) -> None:
    told = run_here("sweep", "sweep.toml", "--dry-run")
    assert told.returncode == 0 and not (tmp_path / "sweep").exists() and not here.begun
    lines = told.stdout.splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("gailkit train CartPole-v1 --demos demos.hdf5 --policy-epochs 1 --steps 384 ")
    assert lines[1].startswith("gailkit evaluate sweep/runs/CartPole-v1--policy-epochs=1--0 --demos demos.hdf5 ")
    assert told.stderr == "4 runs to do, 1,536 steps; how long that takes is not known yet\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing argument 'CONFIG', a TOML file, or --resume DIR."),
        (("nosuch.toml",), "there is no file nosuch.toml"),
        (("--resume", "nosuch"), "nosuch holds no sweep: it has no sweep.json"),
        (("sweep.toml", "--resume", "a", "--out", "b"), "--out cannot stand beside --resume"),
        (
            ("sweep.toml", "--out", "demos.hdf5"),
            "demos.hdf5 is a file, and a sweep makes a folder; choose one with --out",
        ),
        (("sweep.toml", "--out", "."), ". is not empty and holds no sweep; choose another folder with --out"),
    ],
)
def test_mistakes_are_told_in_one_sentence(words: tuple[str, ...], said: str, run_here: RunHere, here: Here) -> None:
    done = run_here("sweep", *words)
    assert (done.returncode, here.begun) == (2, [])
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_packages_that_are_missing_are_named_before_anything_is_made(
    run_here: RunHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for words, extra in ((("--search", "2"), "search"), (("--ray", "local"), "ray")):
        done = run_here("sweep", "sweep.toml", *words)
        assert done.returncode == 2 and f"pip install 'gailkit[{extra}]'" in done.stderr
    assert not (tmp_path / "sweep").exists()


def test_a_damaged_record_is_refused(run_here: RunHere, tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    for content in ("{", "[]", '{"format": "gailkit-sweep", "format_version": 1}', '{"runs": ' + "[" * 10_000):
        (tmp_path / "sweep" / "sweep.json").write_text(content)
        done = run_here("sweep", "--resume", "sweep")
        assert done.returncode == 3 and "sweep/sweep.json is damaged or not the record of a sweep" in done.stderr


def test_ctrl_c_has_every_run_saved_and_it_goes_on_as_if_nothing_had_been(
    run_here: RunHere, here: Here, tmp_path: Path
) -> None:
    longer = SMALL.replace("384", "2048") + "subsample = 50\n"
    (tmp_path / "sweep.toml").write_text(f"seeds = 1{longer}")
    rows = tmp_path / "sweep" / "runs" / "CartPole-v1--default--0" / "metrics.jsonl"
    sweep = subprocess.Popen(
        [sys.executable, "-m", "gailkit", "sweep", "sweep.toml"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    while not (rows.is_file() and rows.stat().st_size) and sweep.poll() is None:
        time.sleep(0.01)
    sweep.send_signal(signal.SIGINT)
    _, said = sweep.communicate(timeout=60)
    assert sweep.returncode == 130 and "stopped; 0 of 1 run finished; go on with: gailkit sweep --resume sweep" in said
    done = read_metrics(rows.parent)
    assert done
    assert run_here("sweep", "--resume", "sweep").returncode == 0
    assert [words[:2] for words in here.begun][:1] == [("train", "--resume")]
    rows_in_all = read_metrics(rows.parent)
    assert rows_in_all[: len(done)] == done and len(rows_in_all) > len(done)
    assert [run["state"] for run in record_of(tmp_path / "sweep")["runs"]] == ["finished"]
