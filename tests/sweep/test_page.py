"""The files on the page on sweeps ask for what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from gailkit.cli.sweep.command import sweep
from gailkit.cli.sweep.vocabulary import understand, vocabulary
from gailkit.sweep.folder import Asked, SweepFolder
from gailkit.sweep.preparing import prepare


@pytest.fixture
def page(repository: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(repository)
    return (repository / "docs" / "sweeps.md").read_text(encoding="utf-8")


def test_the_files_ask_for_what_the_page_says(page: str, tmp_path: Path) -> None:
    compared, searched = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    folder, here = SweepFolder(tmp_path / "sweep"), str(Path.cwd())
    runs = prepare(folder, Asked(compared, "sweep.toml", here), vocabulary(), understand).runs
    tasks, methods = (list(dict.fromkeys(getattr(run, kind) for run in runs)) for kind in ("task", "method"))
    assert tasks == ["CartPole-v1", "Pendulum-v1 trajectories=4", "Pendulum-v1 trajectories=10"]
    assert len(methods) == 6 and "trpo discriminator-updates=8 policy-max-kl=0.01" in methods
    assert len(runs) == 5 * len(tasks) * len(methods)
    prepared = prepare(folder, Asked(searched, "sweep.toml", here, 40), vocabulary(), understand)
    assert prepared.planned == 80


def test_the_commands_on_the_page_have_options_that_there_are(page: str) -> None:
    known = {option for parameter in sweep.params for option in parameter.opts}
    lines = [shlex.split(line) for line in re.findall(r"gailkit sweep [^`\n]*", page)]
    assert len(lines) >= 6
    assert {word for words in lines for word in words if word.startswith("--")} <= known
