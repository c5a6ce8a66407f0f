"""Processes that are each one rank, as torchrun starts them, without the seconds that it takes to load torch each time.

They are forks of one process that has loaded all there is to load.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed

LOADED = [
    "tests.ranks.started",
    "tests.ranks.same_batches",
    "gailkit.cli.main",
    "gailkit.cli.train",
    "gailkit.training.train",
]
TIMEOUT = 120.0


class Ended(NamedTuple):
    """How a rank ended, and what it said."""

    code: int | None
    out: str
    err: str


class Ranks:
    """Ranks that work in ``folder``, each with its own output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[BaseProcess] = []
        # As torchrun's agent: it keeps what the ranks find each other by, at a port that the system chooses.
        self._store = torch.distributed.TCPStore(
            "127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=60)
        )

    def start(self, work: Callable[..., None], *arguments: Any, size: int = 2) -> Ranks:
        """``work(*arguments[rank])`` on each rank, or ``work(*arguments)`` where there is no list of them."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(LOADED)
        each = arguments[0] if arguments and isinstance(arguments[0], list) else [arguments] * size
        for rank in range(size):
            environment = {
                "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size,
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": self._store.port, "TORCHELASTIC_USE_AGENT_STORE": True,
                "XDG_STATE_HOME": os.environ.get("XDG_STATE_HOME", ""),
            }  # fmt: skip
            texts = {name: str(value) for name, value in environment.items()}
            process = context.Process(target=_run, args=(work, each[rank], texts, str(self.folder), rank))
            process.start()
            self.processes.append(process)
        return self

    def ended(self) -> list[Ended]:
        """All of them, once they have ended; one that does not within TIMEOUT is killed, and has no code."""
        for process in self.processes:
            process.join(TIMEOUT)
        found = []
        for rank, process in enumerate(self.processes):
            code = process.exitcode
            if code is None:
                process.kill()
            said = (self._said(rank, name) for name in ("out", "err"))
            found.append(Ended(code, *said))
        return found

    def _said(self, rank: int, name: str) -> str:
        path = self.folder / f"rank-{rank}.{name}"
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def command(*words: str) -> None:
    """The command line ``words``, with clones and pictures that take little time."""
    from gailkit.cli.main import main
    from tests.conftest import fewer_draws

    with fewer_draws():
        main(list(words))


def command_elsewhere(*words: str) -> None:
    """Likewise in a folder of this rank's own, as on a machine of its own."""
    place = Path(f"machine-{os.environ['RANK']}")
    place.mkdir()
    os.chdir(place)
    command(*words)


def _run(
    work: Callable[..., None], arguments: tuple[Any, ...], environment: Mapping[str, str], folder: str, rank: int
) -> None:
    os.environ.update(environment)
    os.chdir(folder)
    torch.set_num_threads(1)
    faulthandler.dump_traceback_later(TIMEOUT - 10, exit=True)
    for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
        with open(f"rank-{rank}.{name}", "w", encoding="utf-8") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = ["gailkit", *(word for word in arguments if isinstance(word, str))]
    work(*arguments)
