"""Runs are carried from where they stand on the disk to their end; what failed is told by its last sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gailkit.cli.sweep.way import Way, print_commands
from gailkit.errors import StorageError
from gailkit.storage import SoleUse, in_use
from gailkit.sweep.backends import Ended, Job
from gailkit.sweep.plan import Run
from gailkit.sweep.preparing import Prepared
from gailkit.sweep.processes import Processes
from gailkit.sweep.running import Standing, Sweeping, Watching, commands, last_sentence
from gailkit.training.places import checkpoint_place
from tests.sweep.conftest import TASK, Asking

FOUR = f"seeds = 2\n{TASK}[settings]\ngamma = [0.9, 0.8]\n"


class Made:
    """Jobs that leave what a training and an evaluation leave, and fail where they are told to; nothing is trained."""

    def __init__(self, prepared: Prepared, slots: int = 2, failing: str = "") -> None:
        self.prepared, self.slots, self.failing = prepared, slots, failing
        self.begun: list[tuple[str, str]] = []
        self.most = 0
        self._running: list[Job] = []

    def start(self, job: Job) -> None:
        self.begun.append((job.name, job.words[0]))
        self._running.append(job)
        self.most = max(self.most, len(self._running))

    def ended(self) -> list[Ended]:
        if not self._running:
            return []
        job = self._running.pop(0)
        if job.name == self.failing:
            job.log.write_text("step 1\nError: no more disk\n")
            return [Ended(job.name, 5)]
        (run,) = [run for run in self.prepared.runs if run.name == job.name]
        leave(self.prepared, run, "evaluated" if job.words[0] == "evaluate" else "trained")
        return [Ended(job.name, 0)]

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


def leave(prepared: Prepared, run: Run, what: str) -> None:
    place = prepared.folder.run_folder(run)
    (place / "checkpoints").mkdir(parents=True, exist_ok=True)
    if what == "evaluated":
        prepared.folder.evaluation_file(run).write_text("{}")
    if what != "nothing":
        checkpoint_place(place, "last").touch()
    if what in ("trained", "evaluated"):
        checkpoint_place(place, "chosen").touch()


@pytest.fixture
def prepared(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    monkeypatch.setattr("gailkit.sweep.running.SECONDS_BETWEEN_LOOKS", 0.0)
    four = asking(FOUR)
    four.folder.claim()
    four.folder.close()
    return four


def swept(prepared: Prepared, backend: Made, watching: Watching | None = None) -> Sweeping:
    sweeping = Sweeping(prepared.folder, prepared.asked, backend, prepared.runs, watching=watching)
    sweeping.work()
    return sweeping


def test_each_is_trained_and_evaluated_and_no_more_at_a_time_than_there_is_room_for(prepared: Prepared) -> None:
    backend = Made(prepared)
    swept(prepared, backend)
    assert sorted(backend.begun) == sorted((run.name, kind) for run in prepared.runs for kind in ("train", "evaluate"))
    assert backend.most == 2
    record = json.loads((prepared.folder.path / "sweep.json").read_text())
    assert [run["state"] for run in record["runs"]] == ["finished"] * 4


def test_what_failed_stops_no_other_and_is_tried_again(prepared: Prepared) -> None:
    told: list[tuple[str, str]] = []
    watching = Watching(on_run=lambda run, sentence: told.append((run.name, sentence)))
    failing = prepared.runs[1].name
    swept(prepared, Made(prepared, failing=failing), watching)
    assert sorted(told) == sorted((run.name, "no more disk" if run.name == failing else "") for run in prepared.runs)
    assert prepared.folder.failures == {failing: "no more disk"}
    again = Made(prepared)
    swept(prepared, again)
    assert again.begun == [(failing, "train"), (failing, "evaluate")]
    assert prepared.folder.failures == {}


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (None, ["train CartPole-v1", "evaluate"]),
        ("nothing", ["train CartPole-v1 --overwrite", "evaluate"]),
        ("begun", ["train --resume", "evaluate"]),
        ("trained", ["evaluate"]),
    ],
)
def test_a_run_goes_on_from_where_it_stands(left: str | None, expected: list[str], prepared: Prepared) -> None:
    run = prepared.runs[0]
    if left is not None:
        leave(prepared, run, left)
    found = commands(prepared.folder, run, threads=3)
    kept = ("train", "evaluate", "CartPole-v1", "--resume", "--overwrite")
    assert [" ".join(word for word in words if word in kept) for words in found] == expected
    assert all(words[words.index("--threads") :][:2] == ("--threads", "3") for words in found if words[0] == "train")


def test_a_run_that_another_process_trains_is_waited_for(prepared: Prepared) -> None:
    run = prepared.runs[0]
    leave(prepared, run, "begun")
    other = SoleUse(prepared.folder.run_folder(run))
    assert in_use(prepared.folder.run_folder(run)) and not in_use(prepared.folder.path)
    looks = 0

    def on_look(standing: Standing) -> None:
        nonlocal looks
        looks += 1
        if standing.finished == 3:
            other.release()

    backend = Made(prepared)
    swept(prepared, backend, Watching(on_look=on_look))
    assert backend.begun[-2:] == [(run.name, "train"), (run.name, "evaluate")]


def test_a_job_that_cannot_be_started_ends_the_sweep(prepared: Prepared) -> None:
    class Full(Made):
        def start(self, job: Job) -> None:
            raise StorageError("no more disk")

    with pytest.raises(StorageError, match="no more disk"):
        swept(prepared, Full(prepared))


def test_how_long_a_run_took_is_known_of_those_that_were_not_stopped(prepared: Prepared) -> None:
    leave(prepared, prepared.runs[0], "begun")
    swept(prepared, Made(prepared))
    assert set(prepared.folder.seconds) == {run.name for run in prepared.runs[1:]}


def test_where_who_watches_raises_the_rest_is_left(prepared: Prepared) -> None:
    def on_look(standing: Standing) -> None:
        if standing.finished == 2:
            raise KeyboardInterrupt

    backend = Made(prepared)
    with pytest.raises(KeyboardInterrupt):
        swept(prepared, backend, Watching(on_look=on_look))
    assert len({name for name, _ in backend.begun}) == 4
    unfinished = [run for run in prepared.runs if not prepared.folder.is_finished(run)]
    assert unfinished and prepared.folder.failures == {}


def test_how_long_it_takes_is_told_by_what_finished_runs_took(
    prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = prepared.runs[:2]
    for run, seconds in ((first, 30.0), (second, 90.0)):
        leave(prepared, run, "evaluated")
        prepared.folder.seconds[run.name] = seconds
    print_commands(prepared, Way(jobs=2, threads=1, ray=None))
    told = capsys.readouterr()
    assert told.out.count("gailkit train ") == 2
    assert told.err.startswith("2 runs to do (2 finished), 2,000 steps; about 1 min 0 s, 2 at a time")


@pytest.mark.parametrize(
    ("log", "code", "said"),
    [
        ("step 1\nError: this\nError: that\nlast\n", 2, "that"),
        ("Traceback\nValueError: odd\n\n", 1, "ValueError: odd"),
        ("", 3, "it ended with exit code 3 and said nothing"),
        ("Error: this\n", -9, "it was killed by SIGKILL"),
    ],
)
def test_why_it_failed_is_its_last_error(log: str, code: int, said: str, prepared: Prepared) -> None:
    prepared.folder.log(prepared.runs[0]).write_text(log)
    assert last_sentence(prepared.folder, prepared.runs[0], code) == said


@pytest.fixture
def wait_for(tmp_path: Path) -> Callable[[Processes], Ended]:
    def wait(processes: Processes) -> Ended:
        while not (found := processes.ended()):
            time.sleep(0.01)
        (each,) = found
        return each

    return wait


def test_processes_tell_how_they_ended(tmp_path: Path, wait_for: Callable[[Processes], Ended]) -> None:
    processes = Processes(1)
    processes.start(Job("version", ("--version",), tmp_path / "log", threads=1))
    assert wait_for(processes) == Ended("version", 0)
    processes.start(Job("wrong", ("nosuch",), tmp_path / "log", threads=1))
    assert wait_for(processes) == Ended("wrong", 2)
    assert (tmp_path / "log").read_text().count("\n") == 2
    processes.start(Job("killed", ("--version",), tmp_path / "log", threads=1))
    (process,) = processes._running.values()
    os.kill(process.pid, signal.SIGKILL)
    assert wait_for(processes) == Ended("killed", -signal.SIGKILL)


def test_closing_ends_what_still_runs(tmp_path: Path) -> None:
    processes = Processes(1)
    processes.start(Job("any", ("--version",), tmp_path / "log", threads=1))
    (process,) = processes._running.values()
    assert isinstance(process, subprocess.Popen)
    processes.close()
    assert process.poll() is not None and processes.ended() == []
