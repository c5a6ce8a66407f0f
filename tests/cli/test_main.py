"""The frame of the command line: what it answers, where, and with which exit code."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import rich_click as click
from click.exceptions import Exit

import gailkit
from gailkit.cli import main
from gailkit.cli.lazy import Lazy
from gailkit.cli.main import COMMANDS, EXAMPLES
from gailkit.errors import DataError, DivergenceError, EnvironmentFailure, InputError, StorageError

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run ``body`` as the command ``gailkit demo`` and return its exit code and what stood on stderr."""

    def run(body: Callable[[], None], *options: str) -> tuple[int, str]:
        monkeypatch.setitem(sys.modules, "stand_in", SimpleNamespace(command=click.command("demo")(body)))
        monkeypatch.setitem(COMMANDS, "demo", Lazy("stand_in:command", "A command that does what the test says."))
        with pytest.raises(SystemExit) as leaving:
            main([*options, "demo"])
        assert isinstance(leaving.value.code, int)
        return leaving.value.code, capsys.readouterr().err

    return run


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def test_a_command_that_runs_in_one_process_is_not_run_by_several(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(SystemExit) as leaving:
        main(["evaluate", "run"])
    assert leaving.value.code == 2
    assert "evaluate runs in one process, and WORLD_SIZE says that this is one of 3" in capsys.readouterr().err


def test_help_lists_every_command_and_the_examples(run_cli: RunCli) -> None:
    done = run_cli("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name, (_, summary) in COMMANDS.items():
        assert re.search(rf"\b{name}\s+{re.escape(summary)}", done.stdout)
    assert all(example in done.stdout for example in EXAMPLES.split("\n\n"))


def test_the_version_is_that_of_the_package(run_cli: RunCli) -> None:
    assert run_cli("--version").stdout == f"gailkit, version {gailkit.__version__}\n"


def test_without_arguments_the_help_is_on_stderr_and_the_usage_is_wrong(run_cli: RunCli) -> None:
    done = run_cli()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: gailkit" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evalute"], "Error: No such command 'evalute'. Did you mean 'evaluate'? See `gailkit --help`.\n"),
        (["zzz"], "Error: No such command 'zzz'. See `gailkit --help`.\n"),
        (["--debgu"], "Error: No such option '--debgu'. Did you mean '--debug'? See `gailkit --help`.\n"),
    ],
)
def test_a_mistyped_word_is_answered_with_one_sentence_and_near_matches(
    run_cli: RunCli, arguments: list[str], said: str
) -> None:
    done = run_cli(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(run_cli: RunCli, name: str) -> None:
    done = run_cli(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: gailkit {name}" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_of_a_command_is_wrong_usage(run_cli: RunCli, name: str) -> None:
    done = run_cli(name, "--nosuch")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(f"Error: No such option '--nosuch'[.].*See `gailkit {name} --help`.\n", done.stderr)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("found 3, accepted is 1 or 2"), 2, "found 3, accepted is 1 or 2"),
        (DataError("the file is cut short"), 3, "the file is cut short"),
        (EnvironmentFailure("step returned NaN"), 4, "step returned NaN"),
        (StorageError("no space left"), 5, "no space left"),
        (DivergenceError("the loss is NaN"), 1, "the loss is NaN"),
        (OSError(errno.ENOSPC, "No space left on device"), 5, "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/a/b"), 5, "Permission denied: /a/b"),
        (click.ClickException("refused"), 2, "refused"),
        (click.FileError("a.toml", hint="unreadable"), 5, "Could not open file 'a.toml': unreadable"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
    ],
)
def test_a_failure_is_one_sentence_and_its_exit_code(
    run_command: Callable[..., tuple[int, str]], error: BaseException, code: int, sentence: str
) -> None:
    assert run_command(raising(error)) == (code, f"Error: {sentence}\n")


def test_what_a_file_says_in_an_error_does_not_steer_the_terminal(
    run_command: Callable[..., tuple[int, str]],
) -> None:
    assert run_command(raising(DataError("of type '\x1b[2J\nfine'"))) == (3, "Error: of type '\\x1b[2J\\nfine'\n")


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), EOFError("end"), OSError("not about files")])
def test_a_bug_is_confessed_with_what_to_run_for_a_report(
    run_command: Callable[..., tuple[int, str]], error: Exception
) -> None:
    code, said = run_command(raising(error))
    assert code == 70
    assert said.startswith(f"Error: internal error: {type(error).__name__}: {error}. This is a bug in gailkit")
    assert "`gailkit --debug demo`" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("error", [InputError("found 3"), ZeroDivisionError("division by zero")])
def test_debug_adds_the_traceback_and_keeps_the_sentence_and_the_code(
    run_command: Callable[..., tuple[int, str]], error: Exception
) -> None:
    plain_code, _ = run_command(raising(error))
    code, said = run_command(raising(error), "--debug")
    assert code == plain_code
    assert "Traceback (most recent call last)" in said
    assert "in body" in said
    assert said.splitlines()[-1].startswith("Error: ")


def test_a_command_chooses_its_own_exit_code_through_click(run_command: Callable[..., tuple[int, str]]) -> None:
    assert run_command(raising(Exit(1))) == (1, "")
    assert run_command(lambda: None) == (0, "")


def test_a_reader_that_has_left_is_no_error_to_talk_about() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "gailkit", "--help"]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_completion_offers_the_commands(run_cli: RunCli) -> None:
    env = {"_GAILKIT_COMPLETE": "bash_complete", "COMP_WORDS": "gailkit ", "COMP_CWORD": "1"}
    assert run_cli(env=env).stdout.split() == [f"plain,{name}" for name in COMMANDS]


def test_a_checkout_and_an_installation_run_the_same_command(run_cli: RunCli, repository: Path) -> None:
    scripts = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts == {"gailkit": "gailkit.cli:main"}
    command = [sys.executable, str(repository / "cli.py"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == run_cli("--version").stdout
