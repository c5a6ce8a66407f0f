"""``gailkit data plot``: which file it draws, and where."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gailkit.demonstrations import Demonstrations

Make = Callable[..., Demonstrations]
RunHere = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def file(make_demonstrations: Make, tmp_path: Path) -> None:
    """``runs.v1/d.hdf5`` to draw."""
    (tmp_path / "runs.v1").mkdir()
    make_demonstrations([3, 4]).save(tmp_path / "runs.v1" / "d.hdf5")


def test_without_a_name_the_picture_is_named_after_the_file(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("data", "plot", "runs.v1/d.hdf5")
    assert (done.returncode, done.stdout) == (0, "drawn: d.png\n")
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")


def test_the_name_decides_the_format(run_here: RunHere, tmp_path: Path) -> None:
    assert run_here("data", "plot", "runs.v1/d.hdf5", "-o", "new/p.svg").returncode == 0
    assert b"<svg" in (tmp_path / "new" / "p.svg").read_bytes()
    done = run_here("data", "plot", "runs.v1/d.hdf5", "-o", "other/p.gif")
    assert done.returncode == 2 and "accepted are .png, .svg, .pdf" in done.stderr
    assert not (tmp_path / "other").exists()


def test_a_picture_is_replaced_only_when_asked(run_here: RunHere, tmp_path: Path) -> None:
    (tmp_path / "d.png").write_text("precious")
    done = run_here("data", "plot", "runs.v1/d.hdf5")
    assert done.returncode == 2 and "d.png exists; --overwrite replaces it" in done.stderr
    assert (tmp_path / "d.png").read_text() == "precious"
    assert run_here("data", "plot", "runs.v1/d.hdf5", "--overwrite").returncode == 0
    assert (tmp_path / "d.png").stat().st_size > 10_000


def test_what_cannot_be_read_is_not_drawn(run_here: RunHere, tmp_path: Path) -> None:
    (tmp_path / "broken.hdf5").write_bytes((tmp_path / "runs.v1" / "d.hdf5").read_bytes()[:3000])
    assert run_here("data", "plot", "broken.hdf5").returncode == 3
    assert run_here("data", "plot", "none.hdf5").returncode == 2
    assert not list(tmp_path.glob("*.png"))
