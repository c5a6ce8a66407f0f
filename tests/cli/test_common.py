"""Signals stop a command where nothing is half done; progress tells how far it is."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gymnasium.spaces import Discrete

from gailkit.cli import common
from gailkit.cli.common import (
    EpisodeProgress,
    Interrupted,
    interruptible,
    note_differences,
    prepare_extra_output,
    prepare_output,
    show_progress,
)
from gailkit.demonstrations import Demonstrations
from gailkit.errors import StorageError
from gailkit.rollouts.protocol import About
from gailkit.types import Trajectory


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_waits_for_the_next_check(number: signal.Signals, code: int) -> None:
    before = signal.getsignal(number)
    reached: list[str] = []
    with pytest.raises(Interrupted) as stopped, interruptible() as interruption:
        interruption.check()
        os.kill(os.getpid(), number)
        reached.append("after the signal")
        interruption.check()
        reached.append("after the check")
    assert reached == ["after the signal"]
    assert stopped.value.code == code
    assert signal.getsignal(number) is before


def test_the_second_signal_stops_at_once() -> None:
    with pytest.raises(Interrupted) as stopped, interruptible():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert stopped.value.code == 143


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    found = []

    def work() -> None:
        with interruptible() as interruption:
            interruption.check()
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


def test_the_folders_of_an_output_are_made_and_nothing_else(tmp_path: Path) -> None:
    prepare_output(tmp_path / "a/b/c.hdf5")
    assert list((tmp_path / "a/b").iterdir()) == []


def test_a_new_folder_for_what_is_written_at_the_end_is_said_at_the_beginning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        prepare_extra_output(tmp_path / "new/page.html")
    said = f"note: the folder {tmp_path / 'new'} is not there, and is made for {tmp_path / 'new/page.html'}\n"
    assert capsys.readouterr().err == said


def test_an_output_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="folder"):
        prepare_output(tmp_path / "file" / "a.hdf5")
    with pytest.raises(StorageError, match="is a folder"):
        prepare_output(tmp_path)


def episode(reward: float) -> Trajectory:
    return Trajectory(np.zeros((2, 1)), np.zeros(1), np.array([reward]), terminated=False)


def test_a_pipe_gets_plain_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 6.0, 7.0, 20.0])
    monkeypatch.setattr(common.time, "monotonic", lambda: next(clock))
    with show_progress("recording X-v0", 10, "episodes") as update:
        for completed in (1, 2, 3, 5):
            update(completed, "fine")
    assert capsys.readouterr().err.splitlines() == [
        "recording X-v0: 2/10 episodes, fine",  # the line at 1 s came too soon
        "recording X-v0: 5/10 episodes, fine",
    ]


def test_a_terminal_gets_a_live_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    with show_progress("recording X-v0", 1000, "episodes") as update:
        update(1000, "100,000 steps/s, mean return -1234.5, 9 s left")
    title, *drawn = capsys.readouterr().err.splitlines()
    assert title == "recording X-v0"
    assert any("1000/1000 episodes, 100,000 steps/s, mean return -1234.5, 9 s left" in line for line in drawn)


@pytest.mark.parametrize("name", ["runs/[a]", "x[/b]", ":smile:"])
def test_a_live_bar_writes_names_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(common.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    with show_progress(f"evaluating {name}", 10, "episodes") as update:
        update(10, name)
    title, *drawn = capsys.readouterr().err.splitlines()
    assert title == f"evaluating {name}"
    assert any(f"10/10 episodes, {name}" in line for line in drawn)


@pytest.mark.parametrize("terminal", [True, False])
def test_control_characters_in_names_are_written_out(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    make_demonstrations: Callable[..., Demonstrations],
    terminal: bool,
) -> None:
    monkeypatch.setattr(common.sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(common, "SECONDS_BETWEEN_LINES", 0.0)
    with show_progress("evaluating \x1b[2J", 10, "episodes") as update:
        update(10, "fine")
    env = About("Numbers-v0", Discrete(1), Discrete(1), Discrete(1), wrappers=())
    provenance = {"env_wrappers": '["\\u001b[2J"]'}
    shown = replace(make_demonstrations([3]), env_id="\x1b[2J\r", provenance=provenance)
    note_differences(shown, "Numbers-v0", {}, env)
    said = capsys.readouterr().err
    assert r"evaluating \x1b[2J" in said
    assert r"note: recorded in \x1b[2J\r {'size': 3}, used in Numbers-v0" + "\n" in said
    assert said.endswith(r"note: recorded with the wrappers \x1b[2J, used with no wrappers" + "\n")


def test_episodes_are_counted_and_averaged() -> None:
    shown: list[tuple[float, str]] = []
    progress = EpisodeProgress(lambda completed, words: shown.append((completed, words)), episodes=2)
    progress.on_steps(8)
    progress.on_episode(episode(10.0))
    progress.on_episode(episode(-4.0))
    progress.show()
    assert [completed for completed, _ in shown] == [0, 2]
    assert "mean return" not in shown[0][1]
    assert shown[1][1].endswith("steps/s, mean return 3.0, 0 s left")


def test_the_time_left_of_episodes_goes_by_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two side by side, each of 2 steps, a second each: 6 episodes take 6 seconds, after 5 of getting ready."""
    now = [0.0]
    monkeypatch.setattr(common.time, "monotonic", lambda: now[0])
    shown: list[str] = []
    progress = EpisodeProgress(lambda _, words: shown.append(words), episodes=6)
    two_steps = Trajectory(np.zeros((3, 1)), np.zeros(2), np.zeros(2), terminated=False)
    for second in range(1, 7):
        now[0] = 5.0 + second
        if second % 2 == 0:
            progress.on_episode(two_steps)
            progress.on_episode(two_steps)
        progress.on_steps(2)
    assert [words.partition(" left")[0].rpartition(", ")[2] for words in shown[1::2]] == ["4 s", "2 s", "0 s"]
