"""A hostile file is refused at once, with DataError, and nothing it points to is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations, safety
from gailkit.demonstrations.safety import open_hdf5
from gailkit.errors import DataError, InputError, StorageError

SECRET = "secret.hdf5"


def external_link(file: h5py.File) -> None:
    file["observations"] = h5py.ExternalLink(SECRET, "/observations")


def soft_link(file: h5py.File) -> None:
    file["observations"] = h5py.SoftLink("/elsewhere")


def dangling_soft_link(file: h5py.File) -> None:
    file["observations"] = h5py.SoftLink("/nowhere")


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource(SECRET, "observations", (3, 2))
    file.create_virtual_dataset("observations", layout)


def external_storage(file: h5py.File) -> None:
    file.create_dataset("observations", (3, 2), "f4", external=[(SECRET, 0, 24)])


def strings(file: h5py.File) -> None:
    file["observations"] = np.array(["a", "b", "c"], dtype=object)


def references(file: h5py.File) -> None:
    file.create_dataset("observations", (3,), h5py.ref_dtype)


def records(file: h5py.File) -> None:
    file["observations"] = np.zeros(3, dtype=[("x", "f4"), ("y", "f4")])


def complex_numbers(file: h5py.File) -> None:
    file["observations"] = np.zeros((3, 2), dtype=np.complex64)


def scalar(file: h5py.File) -> None:
    file["observations"] = 1.0


def empty(file: h5py.File) -> None:
    file["observations"] = h5py.Empty("f4")


def group(file: h5py.File) -> None:
    file.create_group("observations")


def eight_terabytes(file: h5py.File) -> None:
    file.create_dataset("observations", (2**41, 1), "f4", chunks=(1024, 1))


def eight_terabytes_contiguous(file: h5py.File) -> None:
    file.create_dataset("observations", (2**41, 1), "f4")


def more_than_the_file_can_hold(file: h5py.File) -> None:
    file.create_dataset("observations", (2**25, 1), "f4", chunks=(1024, 1))


def huge_chunk(file: h5py.File) -> None:
    file.create_dataset("observations", (3, 1), "f8", chunks=(2**28, 2), maxshape=(None, None))
    file.create_dataset("actions", (3, 1), "f8", chunks=(2**28, 3), maxshape=(None, None))


def other_filter(file: h5py.File) -> None:
    file.create_dataset("observations", data=np.zeros((3, 2), "i4"), scaleoffset=3)


def packed_twice(file: h5py.File) -> None:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((3, 2))
    properties.set_deflate(9)
    properties.set_deflate(9)
    h5py.h5d.create(file.id, b"observations", h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple((3, 2)), properties)


def oversized_piece(file: h5py.File) -> None:
    dataset = file.create_dataset("observations", (3, 2), "f4", chunks=(3, 2), compression="gzip")
    dataset.id.write_direct_chunk((0, 0), bytes(5000))


def impossible_booleans(file: h5py.File) -> None:
    raw = np.array([[0, 1], [7, 0]], np.int8).view(np.bool_)
    file["observations"] = raw


HOSTILE: list[tuple[Callable[[h5py.File], None], str]] = [
    (external_link, "a link to somewhere else"),
    (soft_link, "a link to somewhere else"),
    (dangling_soft_link, "a link to somewhere else"),
    (virtual, "another file"),
    (external_storage, "another file"),
    (strings, "plain numbers"),
    (references, "plain numbers"),
    (records, "plain numbers"),
    (complex_numbers, "plain numbers"),
    (scalar, "plain numbers"),
    (empty, "plain numbers"),
    (group, "not an array"),
    (eight_terabytes, "declares 8796093022208 bytes"),
    (eight_terabytes_contiguous, "declares 8796093022208 bytes"),
    (more_than_the_file_can_hold, "more than .* bytes of file can hold"),
    (huge_chunk, "the file declares .* bytes of arrays; accepted are"),
    (other_filter, "filters"),
    (packed_twice, "filters"),
    (oversized_piece, "stored in more bytes than it unpacks to"),
    (impossible_booleans, "neither true nor false"),
]


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a hostile file goes: beside a file with data that it may try to reach."""
    monkeypatch.chdir(tmp_path)
    with h5py.File(SECRET, "w") as file:
        file["observations"] = np.ones((3, 2), np.float32)
    return tmp_path / "hostile.hdf5"


@pytest.mark.parametrize("plant, complaint", HOSTILE, ids=lambda value: getattr(value, "__name__", ""))
def test_a_hostile_array_is_refused(hostile: Path, plant: Callable[[h5py.File], None], complaint: str) -> None:
    with h5py.File(hostile, "w") as file:
        file["elsewhere"] = np.ones((3, 2), np.float32)
        plant(file)
        for name in {"actions", "rewards", "terminals"} - set(file):
            file[name] = np.zeros(3, np.float32)
    with pytest.raises(DataError, match=complaint) as refusal:
        Demonstrations.load(hostile)
    assert str(hostile) in str(refusal.value)


def test_sizes_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "two.hdf5"
    with h5py.File(path, "w") as file:
        file["one"], file["two"] = np.zeros(100), np.zeros(100)
    monkeypatch.setattr(safety, "MAX_BYTES", 1500)
    with open_hdf5(path) as reader:
        assert len(reader.array("one")) == len(reader.array("one")) == 100  # counted once
        with pytest.raises(DataError, match=r"'two' was not read.*1600 bytes.*accepted are 1500"):
            reader.array("two")


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"compression": "lzf", "shuffle": True}])
def test_what_common_writers_do_is_read(tmp_path: Path, options: dict[str, object]) -> None:
    values = np.zeros((50_000, 3), np.float32)  # packs as well as anything can
    with h5py.File(tmp_path / "plain.hdf5", "w") as file:
        file.create_dataset("x", data=values, **options)
    with open_hdf5(tmp_path / "plain.hdf5") as reader:
        np.testing.assert_array_equal(reader.array("x"), values)


@pytest.mark.parametrize("dtype", [h5py.string_dtype(), h5py.string_dtype(length=101)])
def test_a_text_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: object) -> None:
    path = tmp_path / "text.hdf5"
    with h5py.File(path, "w") as file:
        file.attrs.create("long", "x" * 101, dtype=dtype)
        file.attrs["short"] = "x" * 100
    monkeypatch.setattr(safety, "MAX_TEXT", 100)
    with open_hdf5(path) as reader:
        assert reader.text("short") == "x" * 100
        with pytest.raises(DataError, match="'long' is not a text of at most 100 bytes"):
            reader.text("long")


@pytest.mark.parametrize("bug", [TypeError("ours"), KeyError("ours"), OSError("ours")])
def test_a_mistake_of_the_reader_of_a_format_is_not_called_damage(tmp_path: Path, bug: Exception) -> None:
    h5py.File(tmp_path / "whole.hdf5", "w").close()
    with pytest.raises(type(bug), match="ours"), open_hdf5(tmp_path / "whole.hdf5"):
        raise bug
    with pytest.raises(DataError, match=r"whole\.hdf5 holds more than the memory"), open_hdf5(tmp_path / "whole.hdf5"):
        raise MemoryError


def test_other_things_than_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Demonstrations.load(tmp_path / "none.hdf5")
    with pytest.raises(InputError, match="is not a file"):
        Demonstrations.load(tmp_path)
    for content in (b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(100)):
        (tmp_path / "text").write_bytes(content)
        with pytest.raises(DataError, match="text"):
            Demonstrations.load(tmp_path / "text")


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.hdf5"
    path.touch()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StorageError, match=r"mine\.hdf5 cannot be opened: Permission denied"):
        Demonstrations.load(path)
