"""SIGKILL at a random moment of a real training; `python -m benchmarks resuming` does it a hundred times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="NOT TESTED: killing a training where processes cannot be forked")
def test_a_killed_training_goes_on_as_if_it_had_not_been_killed(repository: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "resuming", "--kills", "3"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("3 trainings in CartPole-v1 killed")
    assert "  0 faults" in done.stdout
