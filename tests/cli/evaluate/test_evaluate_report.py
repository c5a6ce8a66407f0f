"""``gailkit evaluate --report``: the page is made of whatever there is, and of what cannot be had there is a note."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
SHORT = ("--demos", "demos.hdf5", "--episodes", "2")
EVIL = "</script><script>alert(1)</script>"


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is drawn side by side, which takes seconds."""
    monkeypatch.setattr("gailkit.cli.evaluate.html_page._animation", lambda *_: None)


def test_a_page_on_one_policy_shows_it_at_work_and_how_it_was_trained(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("evaluate", "run", *SHORT, "--report", "new/page.html")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("note:") == 1  # that the folder is new
    page = (tmp_path / "new" / "page.html").read_text()
    assert "image/webp" in page
    for heading in ("The numbers", "How it was trained", "To do it again"):
        assert f"{heading}</h2>" in page
    assert f"wrote new/page.html: {len(page.encode()) / 1e3:,.0f} kB" in done.stdout


def test_a_page_on_several_names_each(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("evaluate", "run", "run-1", "teacher:left", *SHORT, "--report", "page.htm", "--json", "a.json")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.htm").read_text()
    assert all(name in page for name in ("run*", "run-1", "teacher:left"))
    assert len(json.loads((tmp_path / "a.json").read_text())["policies"]) == 3


@pytest.mark.usefixtures("walk")
def test_a_task_that_cannot_be_drawn_is_a_note_and_the_rest_is_made(run_here: RunHere, tmp_path: Path) -> None:
    done = run_here("evaluate", "teacher:left", "--demos", "walk.hdf5", "--episodes", "2", "--report", "page.html")
    assert done.returncode == 0, done.stderr
    (note,) = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert "policy and expert are not shown side by side: " in note
    assert "rgb_array" in note
    assert done.stderr.startswith(note)  # it is said before anything is run
    page = (tmp_path / "page.html").read_text()
    assert "not shown side by side" in page
    assert "image/webp" not in page


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("content", "noted"),
    [
        (None, False),
        (b"", False),
        (b"\xff\xfe\x00 no text", False),  # taken for a last line that a crash cut short
        (b"[" * 100_000, False),
        (
            b'[1, 2]\n"words"\nnull\n7\n{"steps": "many", "episode/true_return": {"a": []}}\n'
            b'{"steps": 1e999, "episode/true_return": NaN}\n{"steps": -1, "policy/kl": 1e308}\n',
            True,
        ),
        (json.dumps({"steps": 64, EVIL: 1.0, "policy/entropy": EVIL}).encode() + b"\n", True),
    ],
    ids=["missing", "empty", "bytes", "deep", "no numbers", "a script"],
)
def test_metrics_that_cannot_be_used_leave_the_rest_of_the_page(
    run_here: RunHere, tmp_path: Path, content: bytes | None, noted: bool
) -> None:
    metrics = tmp_path / "run" / "metrics.jsonl"
    metrics.unlink()
    if content is not None:
        metrics.write_bytes(content)
    done = run_here("evaluate", "run", *SHORT, "--report", "page.html")
    assert done.returncode == 0, done.stderr
    assert ("note: how the policy was trained is not shown: the metrics in run cannot be read" in done.stderr) == noted
    page = (tmp_path / "page.html").read_text()
    assert "The numbers" in page
    assert "<script" not in page


@pytest.mark.usefixtures("undrawn")
def test_what_a_run_says_of_itself_stays_words(run_here: RunHere, tmp_path: Path) -> None:
    path = tmp_path / "run" / "config.json"
    described = json.loads(path.read_text())
    described["command"] = EVIL
    described["config"]["steps"] = EVIL
    path.write_text(json.dumps(described))
    done = run_here("evaluate", "run", *SHORT, "--report", "page.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "alert(1)" in page


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--report", "empty"], 2, "--report writes a web page, whose name ends in .html; found empty."),
        (["--report", "page.pdf"], 2, "--report writes a web page, whose name ends in .html; found page.pdf."),
        (["--report", "folder.html"], 5, "folder.html is a folder; the name of a file is needed"),
        (["--report", "file/page.html"], 5, "nothing can be written into the folder file: "),
        (
            ["--report", "a.html", "--json", "empty/../a.html"],
            2,
            "--json and --report are one file, a.html; each needs",
        ),
        (["--json", "demos.hdf5"], 2, "--json would overwrite demos.hdf5, which is read here; name another file."),
        (["--json", "run"], 2, "--json would overwrite run, which is read here; name another file."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_where_nothing_can_be_written_is_said_before_anything_runs(
    run_here: RunHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, said: str
) -> None:
    def ran(*_: object) -> None:
        raise AssertionError("it ran")

    monkeypatch.setattr("gailkit.cli.evaluate.command.run_policies", ran)
    (tmp_path / "folder.html").mkdir()
    before = (tmp_path / "demos.hdf5").read_bytes()
    done = run_here("evaluate", "run", *SHORT, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"Error: {said}")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "demos.hdf5").read_bytes() == before


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("option", "name"), [("--report", "old.html"), ("--json", "old.json")])
def test_a_full_disk_is_a_sentence_and_what_stood_there_stays(
    run_here: RunHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, name: str
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / name).write_text("old")
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    done = run_here("evaluate", "random", *SHORT, option, name)
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1].startswith(f"Error: {name} could not be written (")
    assert "No space left on device" in done.stderr
    assert (tmp_path / name).read_text() == "old"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.usefixtures("undrawn")
def test_a_run_that_lies_elsewhere_is_found_all_the_same(run_here: RunHere, tmp_path: Path) -> None:
    shutil.move(tmp_path / "run", tmp_path / "a [bold]run")
    done = run_here("evaluate", "a [bold]run", *SHORT, "--report", "page.html")
    assert done.returncode == 0, done.stderr
    assert "a [bold]run in CartPole-v1" in done.stdout
    assert "a [bold]run" in (tmp_path / "page.html").read_text()
