"""A folder of somebody else's cannot name the files of the machine that reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gailkit.errors import DataError
from gailkit.untrusted.folder import member


def test_a_member_is_an_ordinary_file_inside(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "deep").mkdir(parents=True)
    for name in ("a", "deep/b"):
        (folder / name).write_text(name)
    (tmp_path / "secret").write_text("secret")
    (folder / "inner").symlink_to(folder / "a")
    (folder / "outer").symlink_to(tmp_path / "secret")
    (folder / "dangling").symlink_to(folder / "nothing")
    assert [member(folder, name).read_text() for name in ("a", "deep/b", "inner")] == ["a", "deep/b", "a"]
    with pytest.raises(DataError, match="outer leads out of its folder"):
        member(folder, "outer")
    with pytest.raises(DataError, match="leads out of its folder"):
        member(folder, "../secret")
    for name in ("dangling", "none", "deep"):
        with pytest.raises(DataError, match=f"has no file {name}"):
            member(folder, name)
