"""Commands that a benchmark runs, shown as one would type them, and virtual environments made of such commands."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import click

HAS_VERSIONS = """
import sys
from importlib.metadata import version
assert all(version(name).startswith(start) for name, start in zip(sys.argv[1::2], sys.argv[2::2]))
"""

Words = Sequence[object]
Folders = Mapping[str, Path]  # by the environment variables that name them


def run(words: Words, folders: Folders) -> None:
    """Run a command with one thread.

    Raises:
        click.ClickException: with the last line that it wrote, if it fails.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(word) for word in words], check=False, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip() or "it wrote nothing").splitlines()[-1]
        raise click.ClickException(f"{shown(words, folders)} ended with {done.returncode}: {last}")


def shown(words: Words, folders: Folders) -> str:
    """A command as one would type it, without the paths of this Python and of ``folders``."""
    return " ".join(_typed(str(word), folders) for word in words)


def make_environment(
    folder: Path, installed: Mapping[str, str], installs: Sequence[Sequence[str]], folders: Folders
) -> None:
    """Make a virtual environment in ``folder`` unless there is one that has what should be installed.

    Args:
        installed: packages, and what their versions begin with.
        installs: arguments of ``pip install``, one call after the other; torch first, so that no newer one is fetched.
        folders: as in ``shown``.
    """
    python = folder / "bin" / "python"
    asked: list[str | Path] = [python, "-c", HAS_VERSIONS, *chain.from_iterable(installed.items())]
    if python.is_file() and subprocess.run(asked, check=False, capture_output=True).returncode == 0:
        return
    install = [python, "-m", "pip", "install", "--quiet"]
    for words in ([sys.executable, "-m", "venv", folder], *([*install, *arguments] for arguments in installs)):
        click.echo(shown(words, folders))
        run(words, folders)


def _typed(word: str, folders: Folders) -> str:
    if word == sys.executable:
        return "python"
    for variable, folder in folders.items():
        if word == str(folder) or word.startswith(f"{folder}{os.sep}"):
            inside = word.removeprefix(str(folder))
            return f"${variable}" + (shlex.quote(inside) if inside else "")
    return shlex.quote(word)
