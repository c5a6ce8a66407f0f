"""``gailkit data repair``: what is intact is saved, what is not is named, and nothing is made up."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.editing import repair as repairing
from gailkit.demonstrations.file_contents import About, Contents, Episode, ReadOptions
from gailkit.demonstrations.native import truncated_file as superblock
from gailkit.demonstrations.native.truncated_file import missing_bytes, padded_copy
from gailkit.demonstrations.to_trajectories import Conversion
from gailkit.types import Trajectory

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]
Make = Callable[..., Demonstrations]


def write_robomimic(path: Path, lengths: list[int]) -> None:
    """Groups of arrays without checksums, one after another, as robomimic writes them."""
    random = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for index, steps in enumerate(lengths):
            group = file.create_group(f"data/demo_{index}")
            group["obs/state"] = group["next_obs/state"] = random.normal(size=(steps, 3))
            group["actions"], group["rewards"] = random.integers(0, 4, (steps, 1)), np.ones(steps)
            group["dones"] = np.arange(steps) == steps - 1


def test_intact_episodes_are_saved_and_the_lost_one_is_named(
    run_here: RunHere, tmp_path: Path, make_demonstrations: Make
) -> None:
    made = make_demonstrations([5, 3, 4])
    made.save(tmp_path / "d.hdf5")
    with h5py.File(tmp_path / "d.hdf5", "r+") as file:
        file["digests"][1, 0] ^= 1
    before = (tmp_path / "d.hdf5").read_bytes()
    done = run_here("data", "repair", "d.hdf5", "-o", "s.hdf5")
    assert done.returncode == 0, done.stderr
    assert "lost: episode 1: it is damaged: its digest does not fit\n" in done.stdout
    assert "saved 2 of 3 episodes, 9 steps, of d.hdf5 in s.hdf5" in done.stdout
    saved = Demonstrations.load(tmp_path / "s.hdf5")
    assert saved.digests() == [made.digests()[index] for index in (0, 2)]
    assert "1 of 3 episodes were lost: it is damaged" in saved.provenance["step_1"]
    assert (tmp_path / "d.hdf5").read_bytes() == before


def test_an_intact_file_is_saved_whole(run_here: RunHere, tmp_path: Path, make_demonstrations: Make) -> None:
    made = make_demonstrations([5, 3])
    made.save(tmp_path / "d.hdf5")
    done = run_here("data", "repair", "d.hdf5", "-o", "s.hdf5")
    assert done.stdout == "saved 2 of 2 episodes, 8 steps, of d.hdf5 in s.hdf5\n"
    assert Demonstrations.load(tmp_path / "s.hdf5").digests() == made.digests()


def test_episodes_with_nan_are_left_out(run_here: RunHere, tmp_path: Path) -> None:
    rewards = np.ones(12)
    rewards[5] = np.nan
    with h5py.File(tmp_path / "d.hdf5", "w") as file:
        file["observations"], file["actions"] = np.random.default_rng(0).normal(size=(12, 2)), np.zeros((12, 1))
        file["rewards"], file["terminals"] = rewards, np.isin(np.arange(12), [2, 7, 11])
    done = run_here("data", "repair", "d.hdf5", "-o", "s.hdf5", "--ends", "terminated")
    assert done.returncode == 0, done.stderr
    assert re.search(r"lost: episode 1: rewards .* not finite", done.stdout)
    assert len(Demonstrations.load(tmp_path / "s.hdf5").trajectories) == 2


def test_an_episode_of_another_kind_is_left_out(run_here: RunHere, tmp_path: Path) -> None:
    write_robomimic(tmp_path / "d.hdf5", [4, 5])
    with h5py.File(tmp_path / "d.hdf5", "r+") as file:
        for member in ("obs/state", "next_obs/state"):
            del file["data/demo_1"][member]
            file["data/demo_1"][member] = np.zeros((5, 2))
    done = run_here("data", "repair", "d.hdf5", "-o", "s.hdf5", "--ends", "truncated")
    assert done.returncode == 0, done.stderr
    assert "lost: episode 1: it is observations float64 (2,)" in done.stdout
    assert len(Demonstrations.load(tmp_path / "s.hdf5").trajectories) == 1


def test_of_a_file_that_lacks_its_end_what_lies_before_the_cut_is_saved(run_here: RunHere, tmp_path: Path) -> None:
    write_robomimic(tmp_path / "whole.hdf5", [40, 50, 60, 70])
    whole = (tmp_path / "whole.hdf5").read_bytes()
    run_here("data", "convert", "whole.hdf5", "-o", "w.hdf5", "--ends", "terminated")
    expected = Demonstrations.load(tmp_path / "w.hdf5").digests()
    saved = set()
    for share in (0.98, 0.9, 0.8, 0.7, 0.6, 0.5, 0.35):
        cut = int(len(whole) * share)
        (tmp_path / "cut.hdf5").write_bytes(whole[:cut])
        done = run_here("data", "repair", "cut.hdf5", "-o", "s.hdf5", "--ends", "terminated", "--overwrite")
        assert done.returncode in (0, 3), done.stderr
        if done.returncode == 3:
            assert f"{len(whole) - cut:,} bytes of its end are missing, and no episode is intact" in done.stderr
            continue
        found = Demonstrations.load(tmp_path / "s.hdf5").digests()
        assert found == [digest for digest in expected if digest in found], "an episode was made up"
        assert f"cut.hdf5 lacks its end, {len(whole) - cut:,} bytes" in done.stdout
        saved.add(len(found))
    assert saved & {1, 2, 3}
    assert {path.name for path in tmp_path.iterdir()} == {"whole.hdf5", "w.hdf5", "cut.hdf5", "s.hdf5"}


def test_where_one_copy_has_fewer_episodes_the_rest_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walks = [Episode(np.full((3, 1), i), np.zeros((2, 1)), None, False) for i in range(3)]

    @contextmanager
    def opened(path: Path, options: ReadOptions) -> Iterator[tuple[str, Contents]]:
        yield "some format", Contents(About(), 3, walks if path.read_bytes().endswith(b"\0") else walks[:1])

    monkeypatch.setattr(repairing, "missing_bytes", lambda path: 1)
    monkeypatch.setattr(superblock, "missing_bytes", lambda path: 1)
    monkeypatch.setattr(repairing, "open_contents", opened)
    (tmp_path / "cut").write_bytes(b"cut")
    done = repairing.repair(tmp_path / "cut", ReadOptions(), tmp_path / "s.hdf5", "repaired")
    assert (done.episodes, done.lost) == (1, {1: repairing.CUT, 2: repairing.CUT})


def test_a_fault_of_gailkits_own_is_not_taken_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_demonstrations: Make
) -> None:
    def tolerant(self: Conversion) -> Iterator[tuple[int, Trajectory]]:
        yield 0, make_demonstrations([2]).trajectories[0]
        raise ValueError("a fault of gailkit's own")

    make_demonstrations([5, 3]).save(tmp_path / "d.hdf5")
    monkeypatch.setattr(Conversion, "tolerant", tolerant)
    with pytest.raises(ValueError, match="of gailkit's own"):
        repairing.repair(tmp_path / "d.hdf5", ReadOptions(), tmp_path / "s.hdf5", "repaired")


@pytest.mark.parametrize("libver", ["earliest", "v108", "v110"])
def test_the_missing_bytes_are_those_that_were_cut(tmp_path: Path, libver: str) -> None:
    path = tmp_path / "d.hdf5"
    with h5py.File(path, "w", libver=(libver, libver) if libver != "earliest" else libver) as file:
        file["a"] = np.arange(999)
    assert missing_bytes(path) == 0
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert missing_bytes(path) == 100
    for byte in (b"\xa5", b"\0"):
        with padded_copy(path, tmp_path, byte[0]) as copy:
            assert copy.read_bytes() == whole[:-100] + byte * 100
        assert not copy.exists()


def test_a_file_that_claims_to_be_huge_is_not_padded(tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    with h5py.File(path, "w") as file:
        file["a"] = np.arange(9)
    content = bytearray(path.read_bytes())
    for stated, missing in ((2**50, 0), (4 * len(content), 0), (3 * len(content), 2 * len(content))):
        content[40:48] = stated.to_bytes(8, "little")
        path.write_bytes(content)
        assert missing_bytes(path) == missing
    path.write_bytes(b"\x89HDF")
    assert missing_bytes(path) == 0


@pytest.mark.parametrize("seed", range(6))
def test_whatever_bit_is_flipped_nothing_is_saved_but_what_was_there(
    run_here: RunHere, tmp_path: Path, seed: int
) -> None:
    random = np.random.default_rng(seed)
    walks = [Trajectory(random.normal(size=(31, 4)), random.normal(size=(30, 2)), None, False, i) for i in range(40)]
    made = Demonstrations(tuple(walks))
    made.save(tmp_path / "d.hdf5")
    content = bytearray((tmp_path / "d.hdf5").read_bytes())
    for place in random.integers(len(content), size=3).tolist():
        content[place] ^= 16
    (tmp_path / "d.hdf5").write_bytes(content)
    done = run_here("data", "repair", "d.hdf5", "-o", "s.hdf5")
    assert done.returncode in (0, 3), done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode == 0:
        assert set(Demonstrations.load(tmp_path / "s.hdf5").digests()) <= set(made.digests())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["d.hdf5", "-o", "s.hdf5"], 3, "d.hdf5: no episode is intact: d.hdf5: it is damaged: its digest does not fit"),
        (["text", "-o", "s.hdf5"], 3, "text: no episode is intact"),
        (["none", "-o", "s.hdf5"], 2, "no such file: none"),
        (["d.hdf5", "-o", "d.hdf5"], 2, "d.hdf5 is read from"),
        (["d.hdf5", "-o", "text"], 2, "text exists"),
    ],
)
def test_where_nothing_can_be_saved_one_sentence_says_so(
    run_here: RunHere, tmp_path: Path, make_demonstrations: Make, words: list[str], code: int, said: str
) -> None:
    make_demonstrations([5]).save(tmp_path / "d.hdf5")
    with h5py.File(tmp_path / "d.hdf5", "r+") as file:
        file["digests"][0, 0] ^= 1
    (tmp_path / "text").write_bytes(b"\0no data")
    done = run_here("data", "repair", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done.stderr
    assert said in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["d.hdf5", "text"]
