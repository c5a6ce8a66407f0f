"""SIGKILL at a random moment of a real recording takes nothing that was acknowledged; `python -m benchmarks kills`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="NOT TESTED: killing a recording where processes cannot be forked")
def test_killing_a_recording_loses_nothing_that_was_acknowledged(repository: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "kills", "--kills", "5"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("5 recordings of CartPole-v1 killed")
    assert "  0 faults" in done.stdout
    acknowledged = int(done.stdout.splitlines()[1].split()[0].replace(",", ""))
    assert acknowledged > 0  # or the moments were such that there was nothing to lose
