"""``gailkit data`` lists its commands without loading them, and finds each where its name says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from gailkit.cli.data import COMMANDS, EXAMPLES
from gailkit.cli.lazy import load_command

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]
HEAVY = ("torch", "h5py", "gymnasium", "numpy", "matplotlib", "pyarrow", "onnxruntime", "pygame")


def test_help_lists_every_command_in_one_line_and_the_examples(run_cli: RunCli) -> None:
    done = run_cli("data", "--help", env={"COLUMNS": "80"})
    assert (done.returncode, done.stderr) == (0, "")
    for name, (_, summary) in COMMANDS.items():
        assert re.search(rf"\b{name}\s+{re.escape(summary)}", done.stdout)
    assert "\n".join(f" {example}" for example in EXAMPLES.split("\n\n")) in re.sub(r" +\n", "\n", done.stdout)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_where_its_name_says_and_shows_examples(name: str) -> None:
    command = load_command(COMMANDS[name])
    assert command.name == name
    assert command.epilog is not None and f"gailkit data {name} " in command.epilog


@pytest.mark.parametrize("words", ["", "--help", "mrege", *(f"{name} --help" for name in COMMANDS), "merge --nosuch"])
def test_help_and_mistakes_load_nothing_heavy(words: str) -> None:
    program = (
        f"import sys\nfrom gailkit.cli import main\ntry:\n    main({['data', *words.split()]!r})\n"
        f"except SystemExit:\n    print([name for name in {HEAVY} if name in sys.modules], file=sys.__stderr__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_slip_is_answered_with_what_was_meant(run_cli: RunCli) -> None:
    done = run_cli("data", "mrege")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: No such command 'mrege'. Did you mean 'merge'? See `gailkit data --help`.\n"


def test_completion_knows_the_commands_and_their_options(run_cli: RunCli) -> None:
    asked = {"_GAILKIT_COMPLETE": "bash_complete", "COMP_WORDS": "gailkit data s", "COMP_CWORD": "2"}
    assert run_cli(env=asked).stdout.split() == ["plain,split", "plain,select"]
    asked |= {"COMP_WORDS": "gailkit data select --min", "COMP_CWORD": "3"}
    assert run_cli(env=asked).stdout.split() == ["plain,--min-return", "plain,--min-length"]
