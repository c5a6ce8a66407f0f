"""A disk that refuses at any moment of training: one sentence, and the run goes on from what is there, bit for bit."""

from __future__ import annotations

import builtins
import dataclasses
import errno
import io
import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import safetensors

from gailkit.errors import StorageError
from gailkit.rollouts.stepping import Stepping
from gailkit.storage import write_atomically
from gailkit.training.config import ExpertConfig
from gailkit.training.expert import train_expert
from gailkit.training.places import LAST
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder, load_policy

Train = Callable[[Path], object]


class Disk:
    """Counts what is asked of the disk, and refuses the ``first`` request and, if it is ``full``, all that follow."""

    def __init__(self, first: int = 10**9, code: int = 0, full: bool = False) -> None:
        self.requests = 0
        self.first, self.code, self.full = first, code, full
        self.refused: list[str] = []

    def request(self, what: str, path: object) -> None:
        number = self.requests
        self.requests += 1
        if number == self.first or (self.full and number > self.first):
            self.refused.append(f"{what} {path}")
            raise OSError(self.code, os.strerror(self.code))

    def open(
        self, file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, *rest: Any, **named: Any
    ) -> Any:
        """As ``io.open``; each writing into the file is a request."""
        disk = self
        if not set(mode) & set("wax+") or isinstance(file, int):
            return OPEN(file, mode, buffering, encoding, *rest, **named)

        class Raw(io.FileIO):
            def write(self, content: Any) -> int:
                disk.request("write", file)
                return super().write(content) or 0

        raw = Raw(file, mode.replace("b", "").replace("t", ""))
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding)


OPEN = io.open


@contextmanager
def on(disk: Disk) -> Iterator[None]:
    """Inside the block, what is written goes through ``disk``."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "replace", "link"):
            own = getattr(os, name)

            def asked(*arguments: Any, name: str = name, own: Any = own) -> Any:
                disk.request(name, arguments[0])
                return own(*arguments)

            patch.setattr(os, name, asked)
        patch.setattr(io, "open", disk.open)
        patch.setattr(builtins, "open", disk.open)
        yield


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that every iteration takes two seconds by, so that states can be compared as a whole; no picture."""
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))
    monkeypatch.setattr("gailkit.training.keeping.draw_learning", lambda rows, path: write_atomically(path, b"<svg/>"))


def digest(run: Path, name: str) -> str:
    """That of everything in a checkpoint."""
    with safetensors.safe_open(RunFolder(run).checkpoint_path(name), framework="pt") as file:
        return str(file.metadata()["sha256"])


@pytest.fixture
def config(tiny_expert: ExpertConfig) -> ExpertConfig:
    """Two iterations, with a checkpoint after each."""
    return dataclasses.replace(tiny_expert, checkpoint_every=0.0, steps=128)


@pytest.mark.parametrize("full", [False, True], ids=["once", "from then on"])
def test_whichever_request_the_disk_refuses_the_run_goes_on_to_the_same_end(
    config: ExpertConfig, tmp_path: Path, steady: None, full: bool
) -> None:
    disk = Disk()
    with on(disk):
        train_expert("CartPole-v1", config, out=tmp_path / "whole")
    expected = digest(tmp_path / "whole", LAST)
    rows = (tmp_path / "whole" / "metrics.jsonl").read_bytes()
    assert disk.requests > 30
    for number in range(disk.requests):
        out = tmp_path / str(number)
        refusing = Disk(number, (errno.ENOSPC, errno.EIO)[number % 2], full)
        with on(refusing):
            reason = refused(config, out)
        assert refusing.refused
        if reason is None:  # a checkpoint has a second name without a link, and a run goes on without its tracker
            assert all(each.startswith("link") or "/tensorboard/" in each for each in refusing.refused)
            assert not full or "/tensorboard/" in refusing.refused[0]
        else:
            assert reason.endswith(os.strerror(refusing.code)) and "\n" not in reason
        if not any((out / "checkpoints").iterdir()):  # nothing was promised yet
            train_expert("CartPole-v1", config, out=out, overwrite=True)
        else:
            load_policy(out)
            resume(out)
        assert digest(out, LAST) == expected, refusing.refused
        assert (out / "metrics.jsonl").read_bytes() == rows
        assert not list(out.rglob("*.tmp"))
        shutil.rmtree(out)


def refused(config: ExpertConfig, out: Path) -> str | None:
    """The sentence with which a training ends for its disk; None where it comes to its end."""
    try:
        train_expert("CartPole-v1", config, out=out, stepping=Stepping(tell=lambda text: None))
    except StorageError as error:
        return str(error)
    return None
