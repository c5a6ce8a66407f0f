"""What the README tells its reader to type does what it says."""

from __future__ import annotations

import dataclasses
import re
import runpy
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from gailkit import Demonstrations
from gailkit.cli import main
from gailkit.evaluation.acting import Acting
from gailkit.evaluation.classifier import TwoSample
from gailkit.evaluation.coverage import Coverage
from gailkit.evaluation.evaluation import Evaluation
from gailkit.evaluation.occupancy import Occupancy

README = Path(__file__).resolve().parents[1] / "README.md"
DEMONSTRATIONS = README.parent / "docs" / "demonstrations.md"
OWN_PARTS = README.parent / "docs" / "own-parts.md"
CLOSENESS = README.parent / "docs" / "closeness.md"
GLOSSARY = README.parent / "docs" / "glossary.md"
STATES = README.parent / "docs" / "states.md"
WATCHING = README.parent / "docs" / "watching.md"
SWEEPS = README.parent / "docs" / "sweeps.md"
PENDULUM = README.parent / "datasets" / "pendulum-v1.hdf5"
FEWER_STEPS = {"train": "28672", "control": "4096", "expert": "4096"}


def blocks(language: str, page: Path = README) -> list[str]:
    """The code blocks of a page in one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def checkout(
    tmp_path: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    quickly: Callable[[], AbstractContextManager[None]],
) -> Iterator[Path]:
    """The current folder: like the root of a checkout to whom reads its datasets; it takes what is written."""
    (tmp_path / "datasets").symlink_to(repository / "datasets")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # the command adds the current folder; this puts sys.path back afterwards
    with quickly():
        yield tmp_path


@pytest.fixture
def typed(checkout: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """``typed("gailkit data info ...")``: what a line prints, its training in fewer steps; it must end well."""

    def run(line: str) -> str:
        program, *words = shlex.split(line)
        assert program == "gailkit"
        fewer = ("--steps", FEWER_STEPS[words[0]]) if words[0] in FEWER_STEPS else ()
        with pytest.raises(SystemExit) as leaving:
            main([*words, *fewer])
        printed = capsys.readouterr()
        assert leaving.value.code == 0, printed.err
        return printed.out

    return run


@pytest.fixture
def executed(checkout: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """``executed(program)``: what a Python program prints, its training in fewer steps; it must end well."""

    def run(program: str) -> str:
        (checkout / "example.py").write_text(program.replace("steps=20_000", "steps=2_000"))
        runpy.run_path("example.py", run_name="__main__")
        return capsys.readouterr().out

    return run


def test_the_commands_lead_from_demonstrations_to_a_policy_that_scores(
    checkout: Path, typed: Callable[[str], str]
) -> None:
    printed = "".join(typed(line) for block in blocks("bash") for line in block.splitlines())
    assert (checkout / "run" / "learning.svg").is_file()
    assert (checkout / "mine.hdf5").is_file()
    assert (checkout / "closeness.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    score = re.search(r"a score of (-?[\d.]+)", printed)
    assert score is not None and float(score[1]) > 0.5


def test_the_page_on_demonstrations_does_what_it_says(checkout: Path, typed: Callable[[str], str]) -> None:
    for block in blocks("bash", DEMONSTRATIONS):
        for line in block.splitlines():
            typed(line)
    assert Demonstrations.load(checkout / "pendulum.hdf5").digests() == Demonstrations.load(PENDULUM).digests()
    assert (checkout / "pendulum-v1.png").stat().st_size > 10_000
    assert len(Demonstrations.load(checkout / "best.hdf5").trajectories) == 10


def test_the_page_on_states_does_what_it_says(typed: Callable[[str], str]) -> None:
    (block,) = blocks("bash", STATES)
    printed = "".join(typed(line) for line in block.splitlines())
    assert "no actions are held" in printed and "Its actions are not compared" in printed


def test_the_page_on_closeness_does_what_it_says(typed: Callable[[str], str], executed: Callable[[str], str]) -> None:
    for block in blocks("bash", CLOSENESS):
        for line in block.splitlines():
            assert "different" in typed(line)
    (example,) = blocks("python", CLOSENESS)
    assert executed(example).startswith("different")


def test_a_training_loop_of_ones_own_learns_from_the_public_names(executed: Callable[[str], str]) -> None:
    (example,) = blocks("python", OWN_PARTS)
    assert set(re.findall(r"import (\w+)|from (\w+)", example)) <= {
        ("gailkit", ""),
        ("torch", ""),
        ("", "functools"),
        ("partial", ""),
    }
    printed = executed(example)
    assert printed.count("episodes ended") == 10
    assert "The policy's mean return is" in printed


def test_a_tracker_and_a_function_of_ones_own_look_on(checkout: Path, executed: Callable[[str], str]) -> None:
    (example,) = blocks("python", WATCHING)
    steps, chosen = executed(example).split()
    assert int(steps) % 512 == 0 and chosen in ("last", "averaged", "clone")
    largest = dict(line.split() for line in (checkout / "run" / "largest.txt").read_text().splitlines())
    assert float(largest["steps"]) == int(steps)
    assert "eval/closeness" in largest


def test_the_python_example_swaps_three_parts_and_ends_with_a_statement(executed: Callable[[str], str]) -> None:
    (example,) = blocks("python")
    assert "The policy's mean return is" in executed(example)


def test_the_glossary_has_every_word_once_and_names_numbers_that_there_are() -> None:
    page = GLOSSARY.read_text(encoding="utf-8")
    terms = [
        term
        for row in re.findall(r"^\| (\*\*.*?) \|", page, re.MULTILINE)
        for term in re.findall(r"\*\*(.*?)\*\*", row)
    ]
    assert len(terms) > 30 and len(set(terms)) == len(terms)
    names = re.findall(r"\(`([a-z_./]+)`\)", page)
    fields = {
        field.name
        for kind in (Evaluation, Acting, Occupancy, TwoSample, Coverage)
        for field in dataclasses.fields(kind)
    }
    known = fields | {"verdict", "closeness", "terminated", "truncated"}
    metrics = README.read_text(encoding="utf-8")
    assert len(names) > 15
    assert [name for name in names if "/" not in name and name.rpartition(".")[2] not in known] == []
    assert [name for name in names if "/" in name and f"`{name}`" not in metrics] == []


@pytest.mark.parametrize("page", [README, DEMONSTRATIONS, CLOSENESS, GLOSSARY, SWEEPS], ids=lambda page: page.name)
def test_every_file_that_is_linked_to_exists(page: Path) -> None:
    links = re.findall(r"\]\(((?!https?:)[^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []
