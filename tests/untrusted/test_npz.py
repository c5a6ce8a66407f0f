"""NPZ: what numpy wrote comes back exactly; what a hostile file holds is refused and never executed."""

from __future__ import annotations

import os
import pickle
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gailkit.errors import DataError
from gailkit.untrusted.container import Damage, Refusal
from gailkit.untrusted.npz import NpzContainer
from gailkit.untrusted.source import open_source

NUMBERS = st.sampled_from(["?", "<i1", "<u2", ">i4", "<i8", "<u8", "<f2", ">f4", "<f8"])
ARRAYS = hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))
ROUNDS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def everything(path: Path) -> dict[str, np.ndarray]:
    """All arrays of plain numbers, read in this process."""
    container = NpzContainer(path)
    found = {}
    for name in container.children(""):
        entry = container.entry(name)
        if entry is not None and entry.kind == "array":
            pieces = list(container.pieces(name, 0, entry.shape[0]))
            assert {piece.dtype.str for piece in pieces} <= {entry.dtype}
            found[name] = np.concatenate([np.empty((0, *entry.shape[1:]), entry.dtype), *pieces])
    return found


def member(values: np.ndarray, **header: object) -> bytes:
    """The bytes of ``values`` behind a header that says what it should, but for what ``header`` changes."""
    said = {"descr": values.dtype.str, "fortran_order": False, "shape": values.shape} | header
    text = (repr(said) + "\n").encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + values.tobytes()


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


@ROUNDS
@given(one=ARRAYS, other=ARRAYS, packed=st.booleans())
def test_what_numpy_wrote_comes_back(tmp_path: Path, one: np.ndarray, other: np.ndarray, packed: bool) -> None:
    path = tmp_path / "round.npz"
    (np.savez_compressed if packed else np.savez)(path, one=one, other=np.asfortranarray(other))
    found = everything(path)
    assert list(found) == ["one", "other"]
    for name, values in (("one", one), ("other", other)):
        np.testing.assert_array_equal(found[name], values, strict=False)
        assert found[name].shape == values.shape
        assert found[name].dtype == values.dtype.newbyteorder("=")


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_are_the_same_in_whatever_order_they_are_asked_for(
    tmp_path: Path, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("npz", "container"):
        monkeypatch.setattr(f"gailkit.untrusted.{module}.PIECE_BYTES", 100)
    values = np.random.default_rng(0).normal(size=(50, 3))
    np.savez_compressed(tmp_path / "rows.npz", values=np.asarray(values, order=order))  # type: ignore[call-overload]
    container = NpzContainer(tmp_path / "rows.npz")
    for start, stop in [(10, 20), (20, 30), (45, 99), (0, 50), (7, 7), (3, 4), (3, 5), (49, 50), (0, 1)]:
        found = np.concatenate([np.empty((0, 3)), *container.pieces("values", start, stop)])
        assert np.array_equal(found, values[start:stop])


def test_a_slash_in_a_name_makes_a_group(tmp_path: Path) -> None:
    np.savez(tmp_path / "nested.npz", **{"a/b": np.arange(3), "a/c": np.arange(4), "d": np.arange(5)})
    with open_source(tmp_path / "nested.npz") as source:
        assert (source.container, sorted(source.children()), sorted(source.children("a"))) == (
            "NPZ",
            ["a", "d"],
            ["b", "c"],
        )
        assert source.array("a/c").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (0, 3, 2)])
def test_no_row_at_all_is_an_array(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "none.npz", x=np.empty(shape))
    assert everything(tmp_path / "none.npz")["x"].shape == shape


def test_what_lies_below_a_name(tmp_path: Path) -> None:
    names = ["a/b", "a/c/d", "a", "e/", "f//g", "/h"]
    path = zipped(tmp_path / "t.npz", {f"{name}.npy": member(np.arange(2)) for name in names if name != "e/"})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("e/", b"")
    container = NpzContainer(path)
    assert {name: sorted(container.children(name)) for name in ("", "a", "a/c", "e", "x")} == {
        "": ["a", "e", "f"],
        "a": ["b", "c"],
        "a/c": ["d"],
        "e": [],
        "x": [],
    }
    found = {name: container.entry(name) for name in ("a", "a/c", "a/c/d", "e", "x")}
    assert {name: entry and entry.kind for name, entry in found.items()} == {
        "a": "array",
        "a/c": "group",
        "a/c/d": "array",
        "e": None,
        "x": None,
    }


def test_many_groups_take_no_longer_each(tmp_path: Path) -> None:
    """To scan all members for each of 8,000 groups takes 10 s or more, to look them up a fiftieth of a second."""
    names = [f"episode_{index}/obs" for index in range(8000)]
    container = NpzContainer(zipped(tmp_path / "many.npz", dict.fromkeys(names, b"")))
    started = time.process_time()
    assert all(container.children(name.partition("/")[0]) == ["obs"] for name in names)
    assert time.process_time() - started < 2


def test_members_beyond_reason_are_damage(tmp_path: Path) -> None:
    with pytest.raises(Damage, match="it has 10001 members; accepted are 10000"):
        NpzContainer(zipped(tmp_path / "many.npz", {str(index): b"" for index in range(10_001)}))
    with pytest.raises(Damage, match="lies in more than 15 folders"):
        NpzContainer(zipped(tmp_path / "deep.npz", {"x/" * 30_000: b""}))
    assert NpzContainer(zipped(tmp_path / "flat.npz", {"x/" * 15 + "x": b""})).entry("x/" * 14 + "x") is not None


class Dropper:
    """Unpickled, it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    np.savez(tmp_path / "trap.npz", infos=np.array([Dropper(trap)], dtype=object), obs=np.arange(3))
    zipped(tmp_path / "bare.npz", {"obs.npy": pickle.dumps(Dropper(trap)), "x.npy": member(np.arange(2.0))})
    with open_source(tmp_path / "trap.npz") as source:
        entry = source.entry("infos")
        assert entry is not None and entry.kind == "other"
        assert source.array("obs").tolist() == [0, 1, 2]
        with pytest.raises(DataError, match="'infos' was not read, because it is not an array of plain numbers"):
            source.array("infos")
    with open_source(tmp_path / "bare.npz") as source, pytest.raises(DataError, match=r"bare\.npz is damaged"):
        source.array("obs")
    assert not trap.exists()
    with np.load(tmp_path / "trap.npz", allow_pickle=True) as unsafe:
        assert unsafe["infos"].shape == (1,)
    assert trap.is_dir()  # the trap is a real one


FLOATS = np.arange(6, dtype=np.float64)


@pytest.mark.parametrize(
    "header, complaint",
    [
        ({"shape": (7,)}, "does not fit the 48 bytes behind it"),
        ({"shape": (5,)}, "does not fit"),
        ({"shape": (2**61,)}, "does not fit"),
        ({"shape": (-2, -3)}, "does not fit"),
        ({"shape": (0, 2**62)}, "does not fit"),
        ({"shape": ()}, "not an array of plain numbers"),
        ({"descr": "<c16", "shape": (3,)}, "not an array of plain numbers"),
        ({"descr": "|S8"}, "not an array of plain numbers"),
        ({"descr": "<U2"}, "not an array of plain numbers"),
        ({"descr": "|O"}, "not an array of plain numbers"),
        ({"descr": [("a", "<f8")]}, "not an array of plain numbers"),
        ({"descr": "nonsense"}, "descr is not a valid dtype descriptor"),
        ({"more": 1}, "correct keys"),
        ({"fortran_order": 3}, "fortran_order is not a valid bool"),
        ({"shape": "x" * 20_000}, "Header info length"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, header: dict[str, object], complaint: str) -> None:
    zipped(tmp_path / "lie.npz", {"x.npy": member(FLOATS, **header)})
    container = NpzContainer(tmp_path / "lie.npz")
    with pytest.raises((Refusal, Damage), match=complaint):
        list(container.pieces("x", 0, 3))


@pytest.mark.parametrize("fortran", [False, True])
def test_rows_of_nothing_are_refused(tmp_path: Path, fortran: bool) -> None:
    """A few bytes can declare any number of them."""
    nothing = member(np.empty(0), shape=(2**36, 0), fortran_order=fortran)
    path = zipped(tmp_path / "z.npz", {"x.npy": nothing})
    assert path.stat().st_size < 1000
    with (
        open_source(path) as source,
        pytest.raises(DataError, match=r"its rows hold nothing \(shape \(68719476736, 0\)"),
    ):
        source.array("x")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = bytearray(zipped(tmp_path / "b", {"x.npy": member(np.zeros(10**5))}, zipfile.ZIP_DEFLATED).read_bytes())
    declared = struct.pack("<I", 2**32 - 2**20)
    entry = bomb.rindex(b"PK\x01\x02")
    bomb[entry + 24 : entry + 28] = declared
    (tmp_path / "b").write_bytes(bomb)
    with pytest.raises(Refusal, match=r"more than .* bytes of file can hold"):
        list(NpzContainer(tmp_path / "b").pieces("x", 0, 1))


def test_declared_sizes_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped(tmp_path / "two.npz", {"x.npy": member(np.zeros(10**5)), "y.npy": member(np.zeros(10**5))}, 8)
    monkeypatch.setattr("gailkit.untrusted.npz._SLACK", 0)
    monkeypatch.setattr("gailkit.untrusted.npz._DEFLATE_LIMIT", 10**6 / (tmp_path / "two.npz").stat().st_size)
    container = NpzContainer(tmp_path / "two.npz")
    for _ in range(3):  # counted once
        assert len(list(container.pieces("x", 0, 10))) == 1
    with pytest.raises(Refusal, match="declares 1600"):
        list(container.pieces("y", 0, 10))


def test_other_packings_and_double_names_are_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "lzma.npz", {"x.npy": member(FLOATS)}, zipfile.ZIP_LZMA)
    with pytest.raises(Refusal, match="packed otherwise than by deflate"):
        list(NpzContainer(tmp_path / "lzma.npz").pieces("x", 0, 1))
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("x.npy", member(FLOATS))
        file.writestr("x.npy", member(FLOATS + 1))
    with pytest.raises(Refusal, match="two members of that name"):
        list(NpzContainer(tmp_path / "twice.npz").pieces("x", 0, 1))


def test_impossible_booleans_are_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "b.npz", {"x.npy": member(np.array([0, 1, 7], np.uint8), descr="|b1")})
    with pytest.raises(Refusal, match="neither true nor false"):
        list(NpzContainer(tmp_path / "b.npz").pieces("x", 0, 3))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, np.ndarray]]:
    """The bytes of a file, and the arrays in it."""
    path = tmp_path_factory.mktemp("npz") / "whole.npz"
    rng = np.random.default_rng(1)
    np.savez_compressed(path, obs=rng.normal(size=(40, 3)), act=rng.integers(0, 9, 40))
    return path.read_bytes(), everything(path)


def damaged_or_equal(path: Path, expected: dict[str, np.ndarray]) -> bool:
    """Whether reading was refused; fails unless what was read is as expected."""
    try:
        found = everything(path)
    except (Damage, Refusal):
        return True
    for name in found.keys() & expected.keys():
        np.testing.assert_array_equal(found[name], expected[name], strict=True)
    return found.keys() != expected.keys()


def test_a_truncated_file_is_damaged(tmp_path: Path, whole: tuple[bytes, dict[str, np.ndarray]]) -> None:
    data, expected = whole
    for length in np.linspace(4, len(data) - 1, 40, dtype=int):
        (tmp_path / "cut.npz").write_bytes(data[:length])
        assert damaged_or_equal(tmp_path / "cut.npz", expected)
    (tmp_path / "cut.npz").write_bytes(data)
    assert not damaged_or_equal(tmp_path / "cut.npz", expected)


def test_a_truncated_file_is_one_sentence(tmp_path: Path, whole: tuple[bytes, dict[str, np.ndarray]]) -> None:
    path = tmp_path / "cut.npz"
    path.write_bytes(whole[0][:-30])
    with (
        pytest.raises(DataError, match=r"cut\.npz is damaged or not laid out as it should be: File is not a zip"),
        open_source(path),
    ):
        pass


def test_no_changed_byte_changes_numbers(tmp_path: Path, whole: tuple[bytes, dict[str, np.ndarray]]) -> None:
    """A byte of the data is met by the zip's checksum, one of the zip by what zipfile or the sizes say."""
    data, expected = whole
    refused = 0
    positions = np.random.default_rng(2).choice(len(data), 400, replace=False)
    for position in positions:
        changed = bytearray(data)
        changed[position] ^= 0xFF
        (tmp_path / "changed.npz").write_bytes(changed)
        refused += damaged_or_equal(tmp_path / "changed.npz", expected)
    assert refused > 200
