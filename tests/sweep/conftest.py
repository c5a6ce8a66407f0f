"""What the tests of a sweep share: a file that asks for one, and its runs, none of which is begun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gailkit.cli.sweep.vocabulary import understand, vocabulary
from gailkit.sweep.folder import Asked, SweepFolder
from gailkit.sweep.preparing import Prepared, prepare

Asking = Callable[..., Prepared]
TASK = '[[task]]\nenv = "CartPole-v1"\ndemos = "demos.hdf5"\nsteps = 1000\n'


@pytest.fixture
def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asking:
    """``asking(text, trials=0)``: the sweep that the file ``text`` asks for, in the folder ``swept``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demos.hdf5").touch()

    def ask(text: str, trials: int = 0, trust: tuple[str, ...] = ()) -> Prepared:
        folder = SweepFolder(tmp_path / "swept")
        asked = Asked(text, "sweep.toml", str(Path.cwd()), trials)
        return prepare(folder, asked, vocabulary(), understand, trust)

    return ask
