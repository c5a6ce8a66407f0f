"""The folder of shards: what is in it counts exactly once, whoever was killed when, and one process at a time."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gailkit.errors import InputError, StorageError
from gailkit.recording.shard_folder import CAN_LOCK, Save, Shards, parts_folder
from gailkit.storage import write_atomically


def saying(text: str) -> Save:
    return lambda path: write_atomically(path, text.encode())


def refusing(path: Path) -> None:
    raise StorageError(f"{path}: no room")


def killed(shards: Shards) -> None:
    """What the system does to a process that is killed: its files are closed, and that is all."""
    assert shards._lock is not None
    os.close(shards._lock)


def texts(shards: Shards) -> list[str]:
    return [path.read_text() for path in shards.paths]


def test_shards_are_kept_in_order_and_gone_once_the_file_is_there(tmp_path: Path) -> None:
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        for number in range(11):
            shards.add(saying(str(number)))
        assert texts(shards) == [str(number) for number in range(11)]
        assert not (tmp_path / "a.hdf5").exists()
        shards.finish(saying("all"))
    assert (tmp_path / "a.hdf5").read_text() == "all"
    assert [path.name for path in tmp_path.iterdir()] == ["a.hdf5"]


def test_shards_left_behind_are_found_and_continued(tmp_path: Path) -> None:
    for number in range(3):
        with closing(Shards(tmp_path / "a.hdf5")) as shards:
            shards.add(saying(str(number)))
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        assert texts(shards) == ["0", "1", "2"]


def test_without_a_shard_nothing_is_left_behind(tmp_path: Path) -> None:
    Shards(tmp_path / "a.hdf5").close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rest", [None, "b"])
def test_the_newest_shard_is_taken_back_or_saved_anew(tmp_path: Path, rest: str | None) -> None:
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        for text in ("a", "bc"):
            shards.add(saying(text))
        shards.replace_newest(None if rest is None else saying(rest))
        shards.add(saying("d"))
        assert texts(shards) == ["a", *([rest] if rest else []), "d"]


def test_joined_shards_take_the_place_of_the_newest(tmp_path: Path) -> None:
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        for text in "abcd":
            shards.add(saying(text))
        shards.join(3, saying("bcd"))
        shards.add(saying("e"))
        assert texts(shards) == ["a", "bcd", "e"]


def test_what_the_disk_refuses_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.hdf5").write_text("old")
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        for text in "ab":
            shards.add(saying(text))
        for refused in (
            lambda: shards.add(refusing),
            lambda: shards.replace_newest(refusing),
            lambda: shards.join(2, refusing),
            lambda: shards.finish(refusing),
        ):
            with pytest.raises(StorageError):
                refused()
            assert (texts(shards), (tmp_path / "a.hdf5").read_text()) == (["a", "b"], "old")


def test_what_a_killed_process_had_not_completed_is_removed(tmp_path: Path) -> None:
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        shards.add(saying("a"))
        (shards.folder / ".gailkit-0123.tmp").write_text("hal")
        (shards.folder / "whole.hdf5").write_text("all of it, but not yet under its name")
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        assert sorted(path.name for path in shards.folder.iterdir()) == ["000001.hdf5", "lock"]


def test_a_file_to_be_replaced_counts_until_the_first_shard_and_never_after(tmp_path: Path) -> None:
    target = tmp_path / "a.hdf5"
    target.write_text("old")
    shards = Shards(target)
    shards.add(saying("older"))
    shards.replace_target()
    assert shards.paths == []
    killed(shards)
    with closing(Shards(target)) as shards:  # killed before the first shard: the file is all there is
        assert not shards.replacing
        shards.replace_target()
        shards.add(saying("new"))
    with closing(Shards(target)) as shards:
        assert shards.replacing
        shards.finish(saying("new and newer"))
    with closing(Shards(target)) as shards:
        assert (shards.replacing, target.read_text()) == (False, "new and newer")


def test_a_file_counts_again_before_the_shards_that_are_in_it_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at the first shard that is removed: the file must count then, for that shard is in nothing else."""
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        shards.replace_target()
        shards.add(saying("a"))
        unlink = Path.unlink

        def killed(path: Path, missing_ok: bool = False) -> None:
            if path.name == "000001.hdf5":
                raise KeyboardInterrupt
            unlink(path, missing_ok=missing_ok)

        monkeypatch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            shards.finish(saying("whole"))
        assert not shards.replacing
        assert (tmp_path / "a.hdf5").read_text() == "whole"


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "a.hdf5").symlink_to(tmp_path / "far/b.hdf5")
    assert parts_folder(tmp_path / "a.hdf5") == tmp_path / "far/b.hdf5.parts"
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        shards.finish(saying("all"))
    assert (tmp_path / "a.hdf5").is_symlink()
    assert (tmp_path / "far/b.hdf5").read_text() == "all"


def test_files_of_others_in_the_folder_are_no_shards(tmp_path: Path) -> None:
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        (shards.folder / "notes.hdf5").write_text("mine")
        (shards.folder / "1st.hdf5").write_text("mine")
        shards.add(saying("a"))
        assert texts(shards) == ["a"]


@pytest.mark.skipif(not CAN_LOCK, reason="NOT TESTED: this system has no locks that end with a process")
def test_two_recordings_into_one_file_are_one_too_many(tmp_path: Path) -> None:
    with closing(Shards(tmp_path / "a.hdf5")):
        with pytest.raises(InputError, match=r"another recording is writing to .*a\.hdf5"):
            Shards(tmp_path / "a.hdf5")
        Shards(tmp_path / "b.hdf5").close()
    Shards(tmp_path / "a.hdf5").close()


@pytest.mark.skipif(not CAN_LOCK, reason="NOT TESTED: this system has no locks that end with a process")
def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom gailkit.recording.shard_folder import Shards\n"
        "shards = Shards(Path(sys.argv[1]))\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program, tmp_path / "a.hdf5"], timeout=60)
    assert killed.returncode == -9
    assert (tmp_path / "a.hdf5.parts/lock").exists()
    Shards(tmp_path / "a.hdf5").close()


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "a.hdf5.parts").write_text("in the way")
    with pytest.raises(StorageError, match=r"a\.hdf5\.parts could not be written"):
        Shards(tmp_path / "a.hdf5")


@pytest.mark.parametrize("refused", [PermissionError("no"), KeyboardInterrupt()])
def test_a_folder_that_cannot_be_cleared_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: BaseException
) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise refused

    monkeypatch.setattr(Path, "unlink", refusing)
    before = len(os.listdir("/dev/fd")) if Path("/dev/fd").exists() else 0
    with pytest.raises((StorageError, KeyboardInterrupt)):
        Shards(tmp_path / "a.hdf5")
    assert (len(os.listdir("/dev/fd")) if before else 0) == before
    monkeypatch.undo()
    Shards(tmp_path / "a.hdf5").close()  # another one of this process may hold it


def test_a_folder_that_nobody_may_open_need_not_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a folder answers that can be written to and not read; root may read it all the same."""
    opening = os.open

    def forbidding(path: object, flags: int, *more: object, **other: object) -> int:
        if Path(str(path)).is_dir():
            raise PermissionError(errno.EACCES, "no")
        return opening(path, flags, *more, **other)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(os, "open", forbidding)
    with closing(Shards(tmp_path / "a.hdf5")) as shards:
        shards.add(saying("a"))
        shards.replace_newest(None)
        shards.finish(saying("all"))
    assert (tmp_path / "a.hdf5").read_text() == "all"


def test_a_lock_that_is_a_link_makes_no_file_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "a.hdf5.parts"
    folder.mkdir()
    (folder / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        Shards(tmp_path / "a.hdf5")
    assert not (tmp_path / "elsewhere").exists()
