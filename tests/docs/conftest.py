"""What is typed on a page, in this process."""

from __future__ import annotations

import runpy
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import gymnasium
import pytest

from gailkit.cli import main

SHORT = {"train": 4096, "control": 4096, "expert": 4096}  # steps, of commands that the pages run for longer
FROM_A_REPLAY = 1600  # of the generators that learn at every step
REPLAYS = {"sac", "td3", "ddpg", "dqn"}

Typed = Callable[..., str]


@pytest.fixture
def checkout(
    tmp_path: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    quickly: Callable[[], AbstractContextManager[None]],
) -> Iterator[Path]:
    """The current folder: like the root of a checkout to whom reads in it; it takes what is written."""
    (tmp_path / "datasets").symlink_to(repository / "datasets")
    (tmp_path / "docs" / "static").mkdir(parents=True)
    shutil.copytree(repository / "docs" / "pictures", tmp_path / "docs" / "pictures")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # the command adds the current folder; this puts sys.path back afterwards
    known, registered = set(sys.modules), set(gymnasium.registry)
    monkeypatch.setattr("gailkit.evaluation.side_by_side.RATES", (2.0,))  # frames a second: drawing takes longest
    with quickly():
        yield tmp_path
    for name in [path.stem for path in tmp_path.glob("*.py")]:
        if name not in known:
            sys.modules.pop(name, None)
    for name in set(gymnasium.registry) - registered:  # whatever a page has called so may be called otherwise elsewhere
        del gymnasium.registry[name]


@pytest.fixture
def typed(checkout: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    """``typed("gailkit data info ...")``: what a line prints, its training in fewer steps; it must end well."""

    def run(line: str, *more: str, steps: int | None = None) -> str:
        program, *words = shlex.split(line)
        if program == "python":
            return _script(words, capsys)
        assert program == "gailkit", line
        with pytest.raises(SystemExit) as leaving:
            main([*words, *more, *_fewer(words, steps)])
        printed = capsys.readouterr()
        assert leaving.value.code == 0, f"{line}\n{printed.err}"
        return printed.out

    return run


@pytest.fixture
def executed(checkout: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """``executed(program)``: what a Python program prints, its training in fewer steps; it must end well."""

    def run(program: str) -> str:
        (checkout / "example_of_a_page.py").write_text(program.replace("steps=20_000", "steps=2_000"))
        runpy.run_path("example_of_a_page.py", run_name="__main__")
        return capsys.readouterr().out

    return run


def _script(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    before = sys.argv
    sys.argv = words
    try:
        runpy.run_path(words[0], run_name="__main__")
    finally:
        sys.argv = before
    return capsys.readouterr().out


def _fewer(words: list[str], steps: int | None) -> tuple[str, ...]:
    if words[0] not in SHORT:
        return ()
    if words[0] == "train" and steps is not None:
        return ("--steps", str(steps))
    short = FROM_A_REPLAY if REPLAYS & set(words) else SHORT[words[0]]
    return ("--steps", str(2 * short if "--resume" in words else short))
