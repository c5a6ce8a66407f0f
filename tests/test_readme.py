"""What the README tells its reader to type does what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
RUN_SECONDS = 300


def blocks(language: str) -> list[str]:
    """The code blocks of the README in one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path, repository: Path) -> Path:
    """A folder that looks like the root of a checkout to whom reads its datasets, and takes what is written."""
    (tmp_path / "datasets").symlink_to(repository / "datasets")
    return tmp_path


def run(words: list[str], folder: Path) -> str:
    """Standard output of ``python words`` in ``folder``; it must end well."""
    done = subprocess.run([sys.executable, *words], cwd=folder, text=True, capture_output=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_lead_from_demonstrations_to_a_policy_that_scores(checkout: Path) -> None:
    printed = ""
    for block in blocks("bash"):
        for line in block.splitlines():
            program, *words = shlex.split(line)
            assert program == "gailkit"
            printed += run(["-m", "gailkit", *words], checkout)
    assert (checkout / "run" / "learning.svg").is_file()
    assert (checkout / "mine.hdf5").is_file()
    score = re.search(r"a score of (-?[\d.]+)", printed)
    assert score is not None and float(score[1]) > 0.5


def test_the_python_example_swaps_three_parts_and_ends_with_a_statement(checkout: Path) -> None:
    (example,) = blocks("python")
    (checkout / "example.py").write_text(example)
    assert "The policy's mean return is" in run(["example.py"], checkout)


def test_every_file_that_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
