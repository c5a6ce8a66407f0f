"""A write that fails leaves the old file and nothing else."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gailkit.errors import StorageError
from gailkit.storage import PatientFile, write_atomically


def test_the_new_content_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"new and longer", b""):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(StorageError, match=r"file could not be written \(3 bytes\): No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("number", "written"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False)])
def test_a_folder_that_cannot_be_synced_is_no_failure_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, written: bool
) -> None:
    path, fsync = tmp_path / "file", os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    with contextlib.nullcontext() if written else pytest.raises(StorageError, match="Input/output error"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_an_interrupt_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_atomically(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"content"


def test_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "none" / "file", tmp_path / "file" / "file", tmp_path / ("x" * 300)):
        with pytest.raises(StorageError, match="could not be written"):
            write_atomically(path, b"content")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_patient_file_reads_back_what_the_disk_refused(tmp_path: Path) -> None:
    """Any order of writes, seeks and reads gives what an ordinary file would, although the disk takes 10 bytes only."""
    random = np.random.default_rng(0)
    limit = 10

    class Full(io.FileIO):
        def write(self, content: Any) -> int:
            if self.tell() + len(content) > limit:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(content)

    with Full(tmp_path / "patient", "x+") as raw, (tmp_path / "plain").open("x+b") as plain:
        patient = PatientFile(raw)
        for _ in range(300):
            place, content = int(random.integers(60)), random.bytes(int(random.integers(1, 20)))
            if random.random() < 0.6:
                for file in (patient, plain):
                    file.seek(place)
                    assert file.write(content) == len(content)
            else:
                for file in (patient, plain):
                    file.seek(place)
                assert patient.read(len(content)) == plain.read(len(content))
        assert patient.end == plain.seek(0, io.SEEK_END) == patient.seek(0, io.SEEK_END)
        with pytest.raises(OSError, match="No space left on device"):
            patient.check()
