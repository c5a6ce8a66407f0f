"""Commands run in this process, which saves the seconds that it takes to load torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import h5py
import numpy as np
import pytest

from gailkit.cli import main

Quickly = Callable[[], AbstractContextManager[None]]
RunHere = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True, scope="module")
def quick(quickly: Quickly) -> Iterator[None]:
    """Everything in this process takes few draws, what fixtures make too."""
    with quickly():
        yield


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunHere:
    """``run_here("train", ...)``: a command inside tmp_path, whose modules are imported anew by every command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # the command adds the current folder; this puts sys.path back afterwards

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        for name in [path.stem for path in tmp_path.glob("*.py")]:
            sys.modules.pop(name, None)
        words = list(map(str, arguments))
        with pytest.raises(SystemExit) as leaving:
            main(words)
        assert isinstance(leaving.value.code, int)
        return subprocess.CompletedProcess(words, leaving.value.code, *capsys.readouterr())

    return run


WriteD4rl = Callable[[Path, list[int]], Path]


@pytest.fixture
def write_d4rl() -> WriteD4rl:
    """``write_d4rl(path, lengths)``: episodes of CartPole's shapes that all terminate, in a flat D4RL file without
    time-outs and last observations; ``infos`` are what no reader takes over."""

    def write(path: Path, lengths: list[int]) -> Path:
        steps = sum(lengths)
        with h5py.File(path, "w") as file:
            file["observations"] = np.random.default_rng(0).normal(size=(steps, 4)).astype(np.float32)
            file["actions"] = np.arange(steps) % 2
            file["rewards"] = np.ones(steps)
            file["terminals"] = np.isin(np.arange(steps), np.cumsum(lengths) - 1)
            file["infos"] = np.zeros(3)
        return path

    return write
