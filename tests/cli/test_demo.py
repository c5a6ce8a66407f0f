"""``gailkit demo``: the whole way in one command, and a sentence where it cannot begin."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gailkit.cli import demo as demo_module
from gailkit.cli import main

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The commands that the demo would run, words after ``-m gailkit``; each ends with 0 without being run."""
    words: list[list[str]] = []

    def run(command: list[str], **options: Any) -> SimpleNamespace:
        words.append(command[3:])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(demo_module.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    return words


def code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(["demo", *arguments])
    assert isinstance(leaving.value.code, int)
    return leaving.value.code


def test_the_demo_ends_with_a_statement_and_a_score(run_cli: RunCli, tmp_path: Path) -> None:
    done = run_cli("demo", "--steps", "2048", "--out", "all", timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"The policy's mean return is .*: a score of -?\d\.\d+, where 0 is random and 1 is", done.stdout)
    result = json.loads((tmp_path / "all" / "evaluation.json").read_text())
    assert f"a score of {result['normalised_score']:.3f}" in done.stdout
    assert result["expert_return_mean"] > 400
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"run", "random.hdf5", "evaluation.json"}
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
    monkeypatch.setattr(
        demo_module.subprocess, "run", lambda command, **options: SimpleNamespace(returncode=next(codes))
    )
    assert code() == 3


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
