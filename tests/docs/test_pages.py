"""What the README and the pages of docs/ tell their readers to type does what they say."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rich_click as click

from gailkit import Demonstrations
from gailkit.cli.lazy import LazyGroup, load_command
from gailkit.cli.main import gailkit as gailkit_command
from gailkit.evaluation.acting import Acting
from gailkit.evaluation.classifier import TwoSample
from gailkit.evaluation.coverage import Coverage
from gailkit.evaluation.evaluation import Evaluation
from gailkit.evaluation.occupancy import Occupancy
from tests.docs.blocks import DOCS, LANGUAGES, PAGES, ROOT, Block, blocks, named
from tests.docs.conftest import Typed

Executed = Callable[[str], str]

PENDULUM = ROOT / "datasets" / "pendulum-v1.hdf5"
WITH_MORE = {"first", "demonstrations", "own-parts"}  # pages of which more is said than that they run
LEARNS = 28_672  # steps of CartPole within which the first policy scores
RUN = [page for page in PAGES if any(block.reason is None for block in blocks(page))]

FOREIGN = {  # options of other programs, and of the benchmarks
    "--again", "--draw", "--evaluate", "--generators", "--headless", "--hide-scrollbars", "--keep", "--methods",
    "--nnodes", "--nproc-per-node", "--profile", "--rdzv-backend", "--rdzv-endpoint", "--rdzv-id", "--screenshot",
    "--steps-share", "--window-size",
}  # fmt: skip


def shows(said: str, printed: str) -> bool:
    """Whether the page says what was printed; three dots on a line stand for any number of lines."""
    return doctest.OutputChecker().check_output(said, printed, doctest.ELLIPSIS)


class Reader:
    """Somebody who copies the blocks of a page one after another."""

    def __init__(self, folder: Path, typed: Typed, executed: Executed, steps: int | None = None) -> None:
        self.folder, self.typed, self.executed, self.steps = folder, typed, executed, steps

    def reads(self, page: Path) -> list[str]:
        """What every block printed; where the page says what, it must be that."""
        printed: list[str] = []
        for block in blocks(page):
            if block.language == "text":
                assert not printed or shows(block.text, printed[-1]), f"{named(page)}: this was printed\n{printed[-1]}"
            elif block.reason is None and block.needs is None:
                printed.append(self.copies(block))
        return printed

    def copies(self, block: Block) -> str:
        """What one block prints."""
        if block.file is not None:
            (self.folder / block.file).write_text(block.text, encoding="utf-8")
            return ""
        if block.language == "bash":
            more = () if block.option is None else (block.option,)
            return "".join(self.typed(line, *more, steps=self.steps) for line in block.lines)
        return self.executed(block.text) if block.language == "python" else ""


@pytest.fixture
def reader(checkout: Path, typed: Typed, executed: Executed) -> Reader:
    """A reader in a checkout."""
    return Reader(checkout, typed, executed)


@pytest.mark.parametrize("page", [page for page in RUN if page.stem not in WITH_MORE], ids=named)
def test_a_page_does_what_it_says(page: Path, reader: Reader) -> None:
    reader.reads(page)


def test_the_first_tutorial_leads_to_a_policy_that_scores(checkout: Path, typed: Typed, executed: Executed) -> None:
    printed = "".join(Reader(checkout, typed, executed, LEARNS).reads(DOCS / "tutorials" / "first.md"))
    assert (checkout / "run" / "learning.svg").is_file()
    assert (checkout / "mine.hdf5").is_file()
    assert (checkout / "closeness.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    score = re.search(r"a score of (-?[\d.]+)", printed)
    assert score is not None and float(score[1]) > 0.5


def test_the_page_on_demonstrations_keeps_every_episode(checkout: Path, reader: Reader) -> None:
    reader.reads(DOCS / "demonstrations.md")
    assert Demonstrations.load(checkout / "pendulum.hdf5").digests() == Demonstrations.load(PENDULUM).digests()
    assert (checkout / "pendulum-v1.png").stat().st_size > 10_000
    assert len(Demonstrations.load(checkout / "best.hdf5").trajectories) == 10


def test_parts_of_ones_own_end_with_a_statement_and_are_made_of_public_names(reader: Reader) -> None:
    page = DOCS / "own-parts.md"
    programs = [block.text for block in blocks(page) if block.language == "python"]
    imported = {name for program in programs for name in re.findall(r"^(?:import|from) (\w+)", program, re.MULTILINE)}
    assert imported <= {"functools", "gailkit", "torch"}
    *_, last = reader.reads(page)
    assert last.count("episodes ended") == 10 and "The policy's mean return is" in last


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.needs for b in blocks(page))], ids=named)
def test_what_needs_a_file_of_others_does_what_it_says(page: Path, reader: Reader, experts_folder: Path) -> None:
    for block in blocks(page):
        if block.needs is not None:
            found = next(experts_folder.rglob(block.needs), None)
            if found is None:
                pytest.skip(f"NOT TESTED on the file that {named(page)} names: no {block.needs} in {experts_folder}")
            (reader.folder / block.needs).symlink_to(found)
            reader.copies(block)


def test_what_is_not_run_says_why_and_is_little() -> None:
    every = [(page, block) for page in PAGES for block in blocks(page)]
    skipped = [(page, block) for page, block in every if block.reason is not None]
    elsewhere = [block for page, block in skipped if page.parent.name != "benchmarks" and page.stem != "benchmarks"]
    assert all(len(block.reason or "") > 10 for _, block in skipped)
    assert len(elsewhere) <= len(every) / 5
    assert {block.language for _, block in every} <= LANGUAGES, "other code would not be run"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_code_hides_from_the_tests_by_being_indented(page: Path) -> None:
    text = re.sub(r"^([ \t]*)(`{3,}|:{3,}).*?^\1\2[ \t]*$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    assert not re.findall(r"\n\n    [^ \n|*-].*", text)


def test_the_glossary_has_every_word_once_and_names_numbers_that_there_are() -> None:
    page = (DOCS / "glossary.md").read_text(encoding="utf-8")
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
    metrics = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert len(names) > 15
    assert [name for name in names if "/" not in name and name.rpartition(".")[2] not in known] == []
    assert [name for name in names if "/" in name and f"`{name}`" not in metrics] == []


def test_the_numbers_of_the_readme_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx", reason="NOT TESTED whether the README's numbers are those of the results: no sphinx")
    monkeypatch.syspath_prepend(DOCS)
    measured = importlib.import_module("ext.measured").measured
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    results = (ROOT / "benchmarks" / "results" / "imitation.md").read_text(encoding="utf-8")
    hopper, cheetah = (f"{float(measured(results, task, 'F')):.2f}" for task in ("Hopper-v5", "HalfCheetah-v5"))
    cloned = [f"{float(measured(results, task, 'cloning')):.2f}" for task in ("Hopper-v5", "HalfCheetah-v5")]
    said = f"{hopper} on Hopper and {cheetah} on HalfCheetah, where cloning comes to {' and '.join(cloned)}"
    assert said in readme
    film = (DOCS / "pictures" / "side-by-side.md").read_text(encoding="utf-8")
    closeness, auc = re.search(r"Closeness \*\*([\d.]+)", film), re.search(r"AUC ([\d.]+)", film)
    assert closeness and auc and film.startswith("**Indistinguishable.**")
    assert f"a closeness of {closeness[1]}" in readme and f"(AUC {auc[1]})" in readme


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_that_is_linked_to_exists(page: Path) -> None:
    text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(((?!https?:)[^)#]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not Path(os.path.normpath(page.parent / link)).exists()] == []


def options(command: click.Command) -> Iterator[str]:
    """Every option of a command and of those below it."""
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, LazyGroup):
        for lazy in command.table.values():
            yield from options(load_command(lazy))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_option_that_is_named_exists(page: Path) -> None:
    named_here = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z](?![\w.])", page.read_text(encoding="utf-8")))
    assert named_here - set(options(gailkit_command)) - FOREIGN - {"--help", "--version"} == set()
