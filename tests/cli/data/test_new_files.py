"""``gailkit data merge``, ``split`` and ``select``: new files whose episodes are those of the old ones, bit by bit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.formats import minari_writing

Make = Callable[..., Demonstrations]
RunHere = Callable[..., "subprocess.CompletedProcess[str]"]

LENGTHS = [5, 30, 20, 8, 40, 3]  # every step earns 1; odd episodes terminate


@pytest.fixture
def whole(make_demonstrations: Make, tmp_path: Path) -> Demonstrations:
    """Six episodes, which also stand in ``d.hdf5``."""
    demonstrations = make_demonstrations(LENGTHS)
    demonstrations.save(tmp_path / "d.hdf5")
    return demonstrations


def digests(path: Path) -> list[str]:
    return Demonstrations.load(path).digests()


@pytest.mark.parametrize(
    "options, kept",
    [
        ("--best 3", [1, 2, 4]),
        ("--min-return 20", [1, 2, 4]),
        ("--max-return 8", [0, 3, 5]),
        ("--min-length 21", [1, 4]),
        ("--max-length 5", [0, 5]),
        ("--episodes 0,2-3,5", [0, 2, 3, 5]),
        ("--terminated", [1, 3, 5]),
        ("--truncated", [0, 2, 4]),
        ("--unique", [0, 1, 2, 3, 4, 5]),
        ("--terminated --max-length 30 --best 1", [1]),
        ("--truncated --min-return 6 --max-return 39.5 --episodes 1-4", [2]),
    ],
)
def test_select_keeps_what_the_options_say(
    whole: Demonstrations, run_here: RunHere, tmp_path: Path, options: str, kept: list[int]
) -> None:
    done = run_here("data", "select", "d.hdf5", "-o", "new/out.hdf5", *options.split())
    assert (done.returncode, done.stderr) == (0, "")
    steps, plural = sum(LENGTHS[index] for index in kept), "s" * (len(kept) > 1)
    assert done.stdout == (
        f"kept {len(kept)} episode{plural}, {steps} steps, out of 6 episodes, 106 steps, in new/out.hdf5\n"
    )
    assert digests(tmp_path / "new" / "out.hdf5") == [whole.digests()[index] for index in kept]
    told = Demonstrations.load(tmp_path / "new" / "out.hdf5").provenance
    assert told["source"] == "made by hand"
    assert told["step_1"].startswith(
        f"{len(kept)} episode{plural}, {steps} steps out of 6 episodes, 106 steps: gailkit"
    )


@pytest.mark.parametrize(
    "options, said",
    [
        ("--min-return 41", "no episode meets every condition"),
        ("--best 7", "7 best episodes were asked for; there are 6"),
        ("--episodes 6", "episode 6 was asked for; there are 6, numbered 0 to 5"),
        ("--episodes 3-1", "'3-1' ends before it begins; expected is a range such as 1-3"),
        ("--episodes 1,,2", "'' is neither a number nor a range; expected is a list such as 0,3,5-9"),
        ("--episodes -1", "'-1' is neither"),
        ("--terminated --truncated", "No episode is both"),
        ("--best 0", "0 is not in the range"),
        ("--min-length many", "'many' is not a valid integer"),
    ],
)
def test_select_refuses_in_one_sentence_and_writes_nothing(
    whole: Demonstrations, run_here: RunHere, tmp_path: Path, options: str, said: str
) -> None:
    done = run_here("data", "select", "d.hdf5", "-o", "out.hdf5", *options.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["d.hdf5"]


def test_split_parts_a_file_and_merge_puts_it_together(
    whole: Demonstrations, run_here: RunHere, tmp_path: Path
) -> None:
    done = run_here("data", "split", "d.hdf5", "-o", "a.hdf5", "b.hdf5", "--fraction", "0.67", "--seed", "4")
    first, second = (digests(tmp_path / name) for name in ("a.hdf5", "b.hdf5"))
    assert done.stdout.splitlines()[0].startswith("a.hdf5: 4 episodes, ")
    assert (len(first), len(second)) == (4, 2)
    assert sorted(first + second) == sorted(whole.digests())
    done = run_here("data", "merge", "a.hdf5", "b.hdf5", "-o", "c.hdf5")
    assert (done.returncode, done.stdout) == (0, "merged 2 files into c.hdf5: 6 episodes, 106 steps\n")
    assert digests(tmp_path / "c.hdf5") == first + second


def test_split_repeats_with_its_seed(whole: Demonstrations, run_here: RunHere, tmp_path: Path) -> None:
    for seed, name in ((0, "a"), (0, "b"), (1, "c")):
        run_here("data", "split", "d.hdf5", "-o", f"{name}.hdf5", f"{name}-rest.hdf5", "--seed", seed)
    assert digests(tmp_path / "a.hdf5") == digests(tmp_path / "b.hdf5") != digests(tmp_path / "c.hdf5")
    assert len(digests(tmp_path / "a.hdf5")) == 5  # 0.8 of 6, rounded


def test_merge_tells_of_equal_episodes_and_drops_them_when_asked(
    whole: Demonstrations, run_here: RunHere, tmp_path: Path
) -> None:
    run_here("data", "select", "d.hdf5", "-o", "some.hdf5", "--episodes", "1,4")
    told = run_here("data", "merge", "d.hdf5", "some.hdf5", "-o", "all.hdf5").stdout
    assert "8 episodes, 176 steps; 2 are exactly equal to an earlier one, --unique would drop them" in told
    told = run_here("data", "merge", "some.hdf5", "d.hdf5", "-o", "once.hdf5", "--unique").stdout
    assert "6 episodes, 106 steps; 2 dropped that were exactly equal to an earlier one" in told
    own = whole.digests()
    assert digests(tmp_path / "once.hdf5") == [own[index] for index in (1, 4, 0, 2, 3, 5)]
    told = Demonstrations.load(tmp_path / "once.hdf5").provenance
    assert told["merged_1"] == "2 episodes of some.hdf5" and told["merged_2 source"] == "made by hand"


def test_merge_names_both_files_that_do_not_belong_together(
    whole: Demonstrations, run_here: RunHere, repository: Path
) -> None:
    done = run_here("data", "merge", "d.hdf5", repository / "datasets" / "cartpole-v1.hdf5", "-o", "out.hdf5")
    assert done.returncode == 2
    assert "d.hdf5 and /" in done.stderr and "Numbers-v0 in the former, CartPole-v1 in the latter" in done.stderr


def test_merge_joins_files_of_strangers_number_by_number(
    run_here: RunHere, experts_folder: Path, repository: Path, tmp_path: Path
) -> None:
    files = experts_folder / "paper" / "CartPole-v1.hdf5", repository / "datasets" / "cartpole-v1.hdf5"
    done = run_here("data", "merge", *files, "-o", "out.hdf5")
    assert (done.returncode, done.stderr) == (0, "")
    joined = Demonstrations.load(tmp_path / "out.hdf5")
    own = [episode for file in files for episode in Demonstrations.load(file).trajectories]
    for found, expected in zip(joined.trajectories, own, strict=True):
        for name in ("observations", "actions", "rewards"):  # the one file's rewards have 32 bits, the other's 64
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert (found.terminated, found.seed) == (expected.terminated, expected.seed)
    assert joined.observation_space == Demonstrations.load(files[1]).observation_space


NEW_FILES = (
    ["select", "d.hdf5", "-o", "{}"],
    ["merge", "d.hdf5", "e.hdf5", "-o", "{}"],
    ["split", "d.hdf5", "-o", "{}", "rest.hdf5"],
    ["split", "d.hdf5", "-o", "rest.hdf5", "{}"],
)


@pytest.mark.parametrize("words", NEW_FILES, ids=" ".join)
def test_no_file_is_lost(whole: Demonstrations, run_here: RunHere, tmp_path: Path, words: list[str]) -> None:
    whole.save(tmp_path / "e.hdf5")
    os.link(tmp_path / "d.hdf5", tmp_path / "same.hdf5")
    (tmp_path / "there").write_text("precious")
    before = (tmp_path / "d.hdf5").read_bytes()
    for name, said in (("there", "there exists; --overwrite replaces it"), ("d.hdf5", "is read from"),
                       ("./d.hdf5", "is read from"), ("same.hdf5", "is read from")):  # fmt: skip
        more = [] if name == "there" else ["--overwrite"]
        done = run_here("data", *(word.format(name) for word in words), *more)
        assert done.returncode == 2 and said in done.stderr
    assert ((tmp_path / "there").read_text(), (tmp_path / "d.hdf5").read_bytes()) == ("precious", before)
    assert not (tmp_path / "rest.hdf5").exists()
    done = run_here("data", *(word.format("there") for word in words), "--overwrite")
    assert (done.returncode, done.stderr) == (0, "")
    assert Demonstrations.load(tmp_path / "there").num_steps > 0
    assert not list(tmp_path.glob(".gailkit*"))


SOURCES = (  # each is read from a folder
    ["convert", "{folder}", "-o", "{output}"],
    ["convert", "{folder}/data", "-o", "{output}"],
    ["convert", "link", "-o", "{output}"],
    ["repair", "{folder}", "-o", "{output}"],
    ["plot", "{folder}", "-o", "{output}.png"],
    *([word.replace("d.hdf5", "{folder}").replace("{}", "{output}") for word in words] for words in NEW_FILES),
)


@pytest.mark.parametrize("words", SOURCES, ids=" ".join)
@pytest.mark.parametrize("output", ["folder/data/main_data.hdf5", "link/data/main_data.hdf5", "folder/data/new.hdf5"])
def test_nothing_is_written_into_a_folder_that_is_read_from(
    whole: Demonstrations, run_here: RunHere, tmp_path: Path, words: list[str], output: str
) -> None:
    minari_writing.write(tmp_path / "folder", whole.about, whole.trajectories)
    whole.save(tmp_path / "e.hdf5")
    (tmp_path / "link").symlink_to("folder")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    filled = (word.format(folder="folder", output=output) for word in words)
    done = run_here("data", *filled, "--overwrite")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert "is read from" in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("output", ["folder", "folder/data", "folder/data/new", "link", "."])
def test_no_data_set_takes_the_place_of_the_one_that_is_read(
    whole: Demonstrations, run_here: RunHere, tmp_path: Path, output: str
) -> None:
    minari_writing.write(tmp_path / "folder", whole.about, whole.trajectories)
    (tmp_path / "link").symlink_to("folder")
    for source in ("folder", "folder/data/main_data.hdf5"):
        if (source, output) == ("folder/data/main_data.hdf5", "folder/data/new"):
            continue  # a file is read, and what is written beside it changes nothing
        done = run_here("data", "convert", source, "-o", output, "--to", "minari", "--overwrite")
        assert done.returncode == 2 and "is read from" in done.stderr
    assert Demonstrations.load(tmp_path / "folder").digests() == whole.digests()


def test_wrong_usage_is_one_sentence(whole: Demonstrations, run_here: RunHere, tmp_path: Path) -> None:
    for words, said in (
        ("merge d.hdf5 -o out.hdf5", "At least two files are needed; one was given."),
        ("split d.hdf5 -o out.hdf5 ./out.hdf5", "must have different names."),
        ("split d.hdf5 -o a.hdf5 b.hdf5 --fraction 1", "1.0 is not in the range 0<x<1"),
        ("split d.hdf5 -o a.hdf5 b.hdf5 --fraction 0.01", "leaves one part of the split empty"),
    ):
        done = run_here("data", *words.split())
        assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["d.hdf5"]


@pytest.mark.parametrize(
    "command", ["select -o out.hdf5", "merge d.hdf5 -o out.hdf5", "split -o a.hdf5 b.hdf5", "plot"]
)
def test_options_on_how_files_are_read_reach_the_reader(
    whole: Demonstrations, run_here: RunHere, tmp_path: Path, command: str
) -> None:
    name, *words = command.split()
    done = run_here("data", name, "d.hdf5", *words, "--format", "nosuch")
    assert done.returncode == 2 and "'nosuch'" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["d.hdf5"]
