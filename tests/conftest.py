"""What every test may ask for: the foreign expert files, and the command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[1]

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    """The networks of the tests are small: threads cost more than they bring, and sums depend on their number."""
    torch.set_num_threads(1)


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
