"""``gailkit demo``: the whole way in one command, and a sentence where it cannot begin."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gailkit.cli import demo as demo_module
from gailkit.cli import main
from gailkit.training.run import RunFolder

STRAIGHT_TO_TRAINING = """
import sys
from gailkit.cli import demo, main

hasty = "import gailkit.cli, gailkit.generator.cloning as cloning; cloning.MOST_UPDATES = 20; gailkit.cli.main()"
run = demo._run
small = ["--policy-hidden", "8", "--rollout-size", "64", "--num-envs", "2", "--subsample", "100"]
demo._run = lambda command: run([sys.executable, "-c", hasty, *command[3:], *small]) if command[3] == "train" else 0
main(sys.argv[1:])
"""


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The commands that the demo would run, words after ``-m gailkit``; each ends with 0 without being run."""
    words: list[list[str]] = []

    def run(command: list[str]) -> int:
        words.append(command[3:])
        return 0

    monkeypatch.setattr(demo_module, "_run", run)
    monkeypatch.chdir(tmp_path)
    return words


def code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(["demo", *arguments])
    assert isinstance(leaving.value.code, int)
    return leaving.value.code


def test_the_demo_ends_with_a_statement_and_a_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str]) -> int:
        """In this process, which has what takes a new one seconds to load."""
        assert command[:3] == [sys.executable, "-m", "gailkit"]
        with pytest.raises(SystemExit) as leaving:
            main(command[3:])
        assert isinstance(leaving.value.code, int)
        return leaving.value.code

    monkeypatch.setattr(demo_module, "_run", run)
    monkeypatch.chdir(tmp_path)
    assert code("--steps", "2048", "--out", "all") == 0
    said = capsys.readouterr().out
    assert re.search(r"The policy's mean return is .*: a score of -?\d\.\d+, where 0 is random and 1 is", said)
    result = json.loads((tmp_path / "all" / "evaluation.json").read_text())
    assert f"a score of {result['normalised_score']:.3f}" in said
    assert (result["policy"], result["episodes"]) == ("all/run", 50)
    assert result["expert_return_mean"] > 400
    assert {path.name for path in (tmp_path / "all").iterdir()} == {
        "run", "random.hdf5", "evaluation.json", "closeness.html",
    }  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"all"}


def test_the_commands_it_shows_are_those_it_runs(commands: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert code("--steps", "77", "--seed", "5", "--out", "some where") == 0
    shown = [line.removeprefix("$ gailkit ") for line in capsys.readouterr().out.splitlines() if line.startswith("$")]
    assert shown == [demo_module.shlex.join(words) for words in commands]
    assert [words[0] for words in commands] == ["data", "record", "train", "evaluate"]
    train = commands[2]
    assert train[train.index("--steps") + 1] == "77"
    for words in commands[1:]:
        assert words[words.index("--seed") + 1] == "5"


def test_a_step_that_fails_ends_the_demo_with_its_exit_code(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter([0, 3])
    monkeypatch.setattr(demo_module, "_run", lambda command: next(codes))
    assert code() == 3


def test_a_step_that_a_signal_kills_has_the_exit_code_of_a_shell() -> None:
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert demo_module._run([sys.executable, "-c", killed]) == 128 + signal.SIGKILL


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_lets_the_training_save_what_it_has(
    tmp_path: Path, number: signal.Signals, expected: int
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STRAIGHT_TO_TRAINING, "demo", "--steps", "10000000", "--out", "all"],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    metrics = tmp_path / "all" / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (metrics.is_file() and metrics.read_text().count("\n") >= 2):
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does it: to the demo and to the training
    else:
        process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == expected, output
    assert b"Traceback" not in output
    iterations = RunFolder.open(tmp_path / "all" / "run").load("last")["iteration"]
    assert iterations == metrics.read_text().count("\n") >= 2


def test_without_the_shipped_demonstrations_it_says_what_is_missing(
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo_module, "SHIPPED", tmp_path / "datasets" / "cartpole-v1.hdf5")
    assert code() == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: the demo needs ")
    assert said.count("\n") == 1
    assert commands == []
