"""The simulator of the page docs/devices.md, and ``--device`` as a user meets it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.docs.blocks import DOCS, blocks

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
PAGE = DOCS / "devices.md"


def test_the_simulator_of_the_page_ends_and_begins_as_it_says() -> None:
    names: dict[str, type] = {}
    exec(next(each.text for each in blocks(PAGE) if each.file == "drift.py"), names)  # the repository's own page
    simulator = names["Drift"](3)
    every = torch.ones(3, dtype=torch.bool)
    begun = simulator.reset(every, torch.tensor([0, 500, 1500]))
    assert begun.flatten().tolist() == [-0.5, 0.0, 0.0]
    for _ in range(6):
        step = simulator.step(torch.zeros(3, dtype=torch.int64))
    assert step.terminated.tolist() == [True, False, False] and not step.truncated.any()


def test_a_device_that_is_none_or_not_there_is_refused_in_a_sentence(run_here: RunHere) -> None:
    for words in (
        ("train", "CartPole-v1", "--demos", "demos.hdf5", "--out", "run"),
        ("expert", "CartPole-v1", "--out", "run"),
        ("evaluate", "run", "--demos", "demos.hdf5"),
        ("control", "run", "--demos", "demos.hdf5", "--out", "controls"),
        ("train", "--resume", "run"),
    ):
        done = run_here(*words, "--device", "gpu")
        assert done.returncode == 2
        assert "'gpu' is no device; accepted are auto, cpu, cuda and cuda:0, cuda:1, ..." in _in_one_line(done.stderr)
        done = run_here(*words, "--device", "mps")
        assert done.returncode == 2 and "does not run on mps" in _in_one_line(done.stderr)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a card is here")
def test_a_card_that_is_not_there_is_refused_before_files_are_looked_for(run_here: RunHere, tmp_path: Path) -> None:
    for words in (
        ("train", "CartPole-v1", "--demos", "nowhere.hdf5", "--out", "run"),
        ("expert", "CartPole-v1", "--out", "run"),
        ("evaluate", "random", "--demos", "nowhere.hdf5"),
    ):
        done = run_here(*words, "--device", "cuda:1")
        assert done.returncode != 0
        assert "there is no device cuda:1 here; there is cpu" in _in_one_line(done.stderr)
    assert not list(tmp_path.iterdir())


def _in_one_line(text: str) -> str:
    return " ".join(text.replace("│", " ").split())
