"""A file is read by the format that its content shows, with the options that the format knows and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.demonstrations.file_contents import ReadOptions
from gailkit.demonstrations.formats import FILES, FOLDERS
from gailkit.demonstrations.native.truncated_file import MOST_TIMES
from gailkit.errors import DataError, InputError

Make = Callable[..., Demonstrations]


@pytest.mark.parametrize("option", [{"mask": "train"}, {"obs_keys": ("x",)}, {"columns": {"actions": ("u",)}}])
def test_an_option_that_means_nothing_to_the_format_is_refused(
    make_demonstrations: Make, tmp_path: Path, option: dict[str, object]
) -> None:
    make_demonstrations([3]).save(tmp_path / "d.hdf5")
    with pytest.raises(InputError, match=r"d\.hdf5 is a gailkit native file, which has no .*--"):
        Demonstrations.load(tmp_path / "d.hdf5", ReadOptions(**option))


def test_a_format_is_taken_by_its_name_or_what_is_known_is_listed(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    make_demonstrations([3]).save(path)
    assert len(Demonstrations.load(path, ReadOptions(format="native")).trajectories) == 1
    for name in ("hdf6", "Native"):
        with pytest.raises(InputError, match=f"no format is called '{name}'; known are: native, d4rl, .*minari"):
            Demonstrations.load(path, ReadOptions(format=name))
    with pytest.raises(InputError, match=r"d\.hdf5 is a file, and imitation is not a format of one"):
        Demonstrations.load(path, ReadOptions(format="imitation"))


def test_what_no_format_recognises_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"is of no known format; known are: {', '.join(FOLDERS)}"):
        Demonstrations.load(tmp_path)
    (tmp_path / "x.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(DataError, match=r"x\.hdf5"):
        Demonstrations.load(tmp_path / "x.hdf5")
    assert list(FILES)[-1] == "columns"  # it takes any container of numbers, so that all others go before it


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "x.hdf5").touch()
    with pytest.raises(DataError, match=r"x\.hdf5 is empty"):
        Demonstrations.load(tmp_path / "x.hdf5")


def test_a_file_that_was_cut_says_so_and_names_the_command(make_demonstrations: Make, tmp_path: Path) -> None:
    path = tmp_path / "d.hdf5"
    make_demonstrations([30] * 9).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    here = f"has {len(whole) - 10:,} of {len(whole):,} bytes; gailkit data repair {path} -o"
    with pytest.raises(DataError, match=f"lacks its end: it {here}"):
        Demonstrations.load(path)
    path.write_bytes(whole[: len(whole) // (MOST_TIMES + 1)])
    with pytest.raises(DataError, match=r"lacks its end.* too few for data repair"):
        Demonstrations.load(path)


def test_folders_of_other_commands_are_told_from_demonstrations(tmp_path: Path) -> None:
    run, parts = tmp_path / "run", tmp_path / "d.hdf5.parts"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.json").touch()
    parts.mkdir()
    (parts / "lock").touch()
    with pytest.raises(InputError, match=f"the folder of a run.* gailkit record ENV_ID --policy {run} --episodes N"):
        Demonstrations.load(run)
    with pytest.raises(InputError, match=f"a recording finished.*--append -o {tmp_path / 'd.hdf5'} takes it in"):
        Demonstrations.load(parts)
