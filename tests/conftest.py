"""What every test may ask for: foreign expert files, demonstrations whose every number is known, the command line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch.utils._python_dispatch import TorchDispatchMode

from gailkit.demonstrations import Demonstrations
from gailkit.types import Trajectory
from gailkit.untrusted import source
from tests.nursery import Nursery

REPOSITORY = Path(__file__).resolve().parents[1]

MakeDemonstrations = Callable[..., Demonstrations]
RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    """The networks of the tests are small: threads cost more than they bring, and sums depend on their number."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where gailkit remembers the runs of the tests, which are not those of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def files_are_read_by_forks() -> Iterator[None]:
    """The process that reads a file is forked from one with its libraries loaded: starting each anew took a fifth of
    all time. The tests of the command line as a process, and those in ``untrusted``, have it started anew."""
    if not hasattr(socket, "SOCK_SEQPACKET") or not hasattr(os, "fork"):
        yield
        return
    nursery = Nursery()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "start_child", nursery.start_child)
        yield
    nursery.close()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout under test."""
    return REPOSITORY


@pytest.fixture(scope="session")
def experts_folder() -> Path:
    """Folder of expert files other projects made; GAILKIT_EXPERTS names it. Without one the test is skipped."""
    folder = Path(os.environ.get("GAILKIT_EXPERTS", REPOSITORY.parent / "shared" / "experts"))
    if not folder.is_dir():
        pytest.skip(f"NOT TESTED against foreign expert files: no folder {folder}; set GAILKIT_EXPERTS to one")
    return folder


FEWER: dict[str, dict[str, Any]] = {  # each of them is tested in its size where it lives
    "generator.cloning": {"MOST_UPDATES": 100},
    "training.picture": {"PANELS": (("Reward", {"reward/mean": "mean"}),)},
    "evaluation.occupancy": {"POINTS": 64, "RESAMPLED_POINTS": 32, "RESAMPLES": 20, "DIRECTIONS": 8},
    "evaluation.classifier": {"PERMUTATIONS": 99, "WAVES": 50, "MOST_ROWS": 1000, "KERNEL_ROWS": 500},
}


@contextmanager
def fewer_draws() -> Iterator[None]:
    """Clones and evaluations of a fraction of a second, one curve in the picture of a run."""
    with pytest.MonkeyPatch.context() as patch:
        for module, constants in FEWER.items():
            for name, value in constants.items():
                patch.setattr(f"gailkit.{module}.{name}", value)
        yield


@pytest.fixture(scope="session")
def quickly() -> Callable[[], AbstractContextManager[None]]:
    """``with quickly(): ...``: trains and evaluates in few draws where what is tested does not hang on their number."""
    return fewer_draws


@pytest.fixture
def run_cli(tmp_path: Path) -> RunCli:
    """``run_cli("data", "info", path, timeout=60)``: the real entry point in a process of its own, inside tmp_path.

    Standard input is empty unless ``input`` is given; ``env`` adds to the environment; output and errors are text.
    """

    def run(
        *arguments: str | Path, input: str = "", timeout: float = 120.0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gailkit", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100", **(env or {})},
            input=input,
            timeout=timeout,
            text=True,
            capture_output=True,
            check=False,
        )

    return run


class LargestTensor(TorchDispatchMode):
    """``bytes`` of the largest tensor that an operation gave while the block ran, views among them."""

    bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else [made]:
            if isinstance(each, torch.Tensor):
                self.bytes = max(self.bytes, each.nbytes)
        return made


@pytest.fixture
def largest_tensor() -> type[LargestTensor]:
    """``with largest_tensor() as made: ...; made.bytes``: numpy's peak is for tracemalloc, torch's is not."""
    return LargestTensor


def numbered(lengths: Sequence[int]) -> Demonstrations:
    """Episode i of lengths[i] steps observes [i, t] and does action t % 2; odd episodes terminate; rewards are 1."""
    trajectories = [
        Trajectory(
            np.array([[episode, time] for time in range(steps + 1)], dtype=np.float32),
            np.arange(steps) % 2,
            np.ones(steps),
            terminated=bool(episode % 2),
            seed=None if episode == 0 else 100 + episode,
        )
        for episode, steps in enumerate(lengths)
    ]
    bounds = np.array([1000, 1000], dtype=np.float32)
    spaces = Box(-bounds, bounds), Discrete(2)
    return Demonstrations(tuple(trajectories), *spaces, "Numbers-v0", {"size": 3}, {"source": "made by hand"})


@pytest.fixture
def make_demonstrations() -> MakeDemonstrations:
    """``make_demonstrations([5, 3])``: demonstrations with episodes of these lengths."""
    return numbered
