"""A hostile file is refused at once, with DataError, and nothing it points to is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.errors import DataError
from gailkit.untrusted.container import MAX_TEXT
from gailkit.untrusted.source import Span, open_source

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


def rows_of_nothing(file: h5py.File) -> None:
    file.create_dataset("observations", (2**36, 0), "f4")


def endless_rows(file: h5py.File) -> None:
    file.create_dataset("observations", (0, 2**40, 2**20), "f4", chunks=(1, 1, 1), maxshape=(None, None, None))


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
    (eight_terabytes, "declares 87960930222.. bytes"),
    (eight_terabytes_contiguous, "declares 87960930222.. bytes"),
    (more_than_the_file_can_hold, "more than .* bytes of file can hold"),
    (huge_chunk, "the file declares .* bytes of arrays, more than"),
    (other_filter, "filters"),
    (packed_twice, "filters"),
    (oversized_piece, "stored in more bytes than it unpacks to"),
    (endless_rows, "a row of it holds more than"),
    (rows_of_nothing, "its rows hold nothing"),
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


def test_sizes_add_up(tmp_path: Path) -> None:
    """Each array alone is what a file of 1 MiB could unpack to; a dozen of them is not."""
    path = tmp_path / "many.hdf5"
    count, each = 12, 100 * 2**20
    with h5py.File(path, "w") as file:
        for index in range(count):
            file.create_dataset(f"x{index}", (each // 4,), "f4", chunks=(1024,))
        file["filler"] = np.random.default_rng(0).bytes(1) * 100_000
    with open_source(path) as source:
        assert len(source.array("x0", 0, 10)) == len(source.array("x0", 5, 15)) == 10  # counted once
        with pytest.raises(DataError, match=r"with it the file declares \d+ bytes of arrays, more than"):
            for index in range(count):
                source.array(f"x{index}", 0, 1)


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"compression": "lzf", "shuffle": True}])
def test_what_common_writers_do_is_read(tmp_path: Path, options: dict[str, object]) -> None:
    values = np.zeros((50_000, 3), np.float32)  # packs as well as anything can
    with h5py.File(tmp_path / "plain.hdf5", "w") as file:
        file.create_dataset("x", data=values, **options)
    with open_source(tmp_path / "plain.hdf5") as source:
        np.testing.assert_array_equal(source.array("x"), values)


@pytest.mark.parametrize("chunks", [None, (7, 3), (1, 1), (1000, 2)])
@pytest.mark.parametrize("dtype", [">f8", "<i2", "u1", "?"])
def test_any_span_of_rows_is_that_of_the_array(tmp_path: Path, chunks: tuple[int, int] | None, dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 2, (1000, 3)).astype(dtype)
    with h5py.File(tmp_path / "plain.hdf5", "w") as file:
        file.create_dataset("group/x", data=values, chunks=chunks)
    with open_source(tmp_path / "plain.hdf5") as source:
        assert source.children("group") == ["x"] and source.shape("group/x") == (1000, 3)
        spans = [Span("group/x", *span) for span in [(0, 1000), (3, 4), (5, 5), (999, 1000), (990, 2000), (13, 700)]]
        for span, found in zip(spans, source.arrays(spans), strict=True):
            assert found.dtype == np.dtype(dtype).newbyteorder("=") or found.dtype == np.dtype(dtype)
            np.testing.assert_array_equal(found, values[span.start : span.stop])


@pytest.mark.parametrize("plant", [external_link, soft_link, virtual, external_storage])
def test_nothing_hostile_is_reached_through_a_group(hostile: Path, plant: Callable[[h5py.Group], None]) -> None:
    with h5py.File(hostile, "w") as file:
        plant(file.create_group("data/demo_0"))
        file["data/link"] = h5py.ExternalLink(SECRET, "/")
    with open_source(hostile) as source:
        for name in ("data/demo_0/observations", "data/link/observations", "data/link"):
            with pytest.raises(DataError, match=r"was not read|has no data set"):
                source.array(name)


@pytest.mark.parametrize("dtype", [h5py.string_dtype(), h5py.string_dtype(length=MAX_TEXT + 1)])
def test_a_text_that_is_too_long_is_refused(tmp_path: Path, dtype: object) -> None:
    path = tmp_path / "text.hdf5"
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs.create("long", "x" * (MAX_TEXT + 1), dtype=dtype)
        file.attrs["short"] = "x" * 100
    with open_source(path) as source:
        assert source.text("short") == "x" * 100
        with pytest.raises(DataError, match="'long' was not read, because the attribute is not a text of at most"):
            source.text("long")


def test_rows_that_all_point_to_the_same_bytes_are_refused(tmp_path: Path) -> None:
    """Each row of a list of texts is a pointer; those of a hostile file may all lead to one long text."""
    path = tmp_path / "same.hdf5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("runs", (50,), h5py.vlen_dtype(np.uint8), chunks=(50,))
        dataset[0] = np.ones(10_000, np.uint8)
        offset = dataset.id.get_chunk_info(0).byte_offset if dataset.id.get_num_chunks() else None
    content = bytearray(path.read_bytes())
    assert offset is not None
    for row in range(1, 50):
        content[offset + 16 * row : offset + 16 * (row + 1)] = content[offset : offset + 16]
    path.write_bytes(content)
    with open_source(path) as source:
        assert len(source.ragged("runs", 0, 1)) == 1
        with pytest.raises(DataError, match="its rows are longer than the file"):
            source.ragged("runs", 0, 50)


def test_runs_of_bytes_come_row_by_row(tmp_path: Path) -> None:
    runs = [np.arange(length, dtype=np.uint8) for length in (3, 0, 200)]
    with h5py.File(tmp_path / "runs.hdf5", "w") as file:
        dataset = file.create_dataset("runs", (3,), h5py.vlen_dtype(np.uint8))
        for index, run in enumerate(runs):
            dataset[index] = run
        file.create_dataset("words", (2,), h5py.vlen_dtype(np.float64))
    with open_source(tmp_path / "runs.hdf5") as source:
        assert [run.tolist() for run in source.ragged("runs", 0, 3)] == [run.tolist() for run in runs]
        assert [run.tolist() for run in source.ragged("runs", 2, 9)] == [runs[2].tolist()]
        with pytest.raises(DataError, match="'words' was not read, because it is not a list of runs of bytes"):
            source.ragged("words", 0, 1)
