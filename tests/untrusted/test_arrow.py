"""Arrow: columns of numbers and of lists come back exactly, and nothing else is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gailkit.errors import DataError
from gailkit.untrusted import arrow
from gailkit.untrusted.arrow import ArrowContainer
from gailkit.untrusted.container import Damage, Refusal
from gailkit.untrusted.source import open_source

pa = pytest.importorskip("pyarrow", reason="NOT TESTED against Arrow: pyarrow is not installed")


def write(path: Path, batches: list[Any], kind: str = "stream") -> Path:
    opening = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with opening(str(path), batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return path


def batch(**columns: Any) -> Any:
    return pa.RecordBatch.from_pydict(columns)


def array(container: ArrowContainer, name: str) -> np.ndarray:
    entry = container.entry(name)
    assert entry is not None and entry.kind == "array"
    pieces = list(container.pieces(name, 0, entry.shape[0]))
    return np.concatenate([np.empty((0, *entry.shape[1:]), entry.dtype), *pieces])


@pytest.mark.parametrize("kind", ["stream", "file"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(st.lists(st.lists(st.floats(), min_size=2, max_size=2), max_size=4), min_size=1, max_size=5))
def test_runs_of_rows_come_back(tmp_path: Path, kind: str, runs: list[list[list[float]]]) -> None:
    lists = pa.array(runs, pa.list_(pa.list_(pa.float64())))
    path = write(tmp_path / "runs.arrow", [batch(obs=lists), batch(obs=lists[::-1]), batch(obs=lists[1:])], kind)
    container = ArrowContainer(path)
    expected = [*runs, *runs[::-1], *runs[1:]]
    offsets, values = array(container, "obs/offsets"), array(container, "obs/values")
    assert np.diff(offsets).tolist() == list(map(len, expected))
    flat = [row for run in expected for row in run]
    np.testing.assert_array_equal(values.reshape(-1, 2), np.array(flat).reshape(-1, 2))


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint16, np.int64, np.float16, np.float32, np.float64])
def test_numbers_of_every_kind(tmp_path: Path, dtype: type[np.generic]) -> None:
    values = np.arange(12).reshape(6, 2).astype(dtype)
    pairs = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 2)
    container = ArrowContainer(write(tmp_path / "n.arrow", [batch(one=values[:, 0].copy(), pairs=pairs)]))
    np.testing.assert_array_equal(array(container, "one"), values[:, 0], strict=True)
    np.testing.assert_array_equal(array(container, "pairs"), values, strict=True)


def test_a_slice_of_fixed_lists(tmp_path: Path) -> None:
    pairs = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(12)), 2)
    container = ArrowContainer(write(tmp_path / "s.arrow", [batch(x=pairs[1:3]), batch(x=pairs[4:])]))
    assert array(container, "x").tolist() == [[2, 3], [4, 5], [8, 9], [10, 11]]


def test_texts_bytes_and_stranger_types_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        "texts": ["a", "b"],
        "bytes": [b"a", b"b"],
        "runs_of_texts": [["a"], ["b"]],
        "records": [{"a": 1}, {"a": 2}],
        "words": pa.array(["a", "b"]).dictionary_encode(),
    }
    path = write(tmp_path / "t.arrow", [batch(number=[1, 2], **names)])
    loaded = []
    monkeypatch.setattr(arrow, "_joined", lambda name, *rest: loaded.append(name) or _joined(name, *rest))
    container = ArrowContainer(path)
    for name in names:
        entry = container.entry(name)
        assert entry is not None and entry.kind == "other"
        assert container.entry(f"{name}/values") is None
        with pytest.raises(Refusal, match="not an array of plain numbers"):
            list(container.pieces(name, 0, 1))
    assert array(container, "number").tolist() == [1, 2]
    assert loaded == ["number"]


_joined = arrow._joined


@pytest.mark.parametrize(
    "values, name, complaint",
    [
        ([1, None], "x", "some of its places are empty"),
        ([[1], None], "x/values", "some of its places are empty"),
        ([[1, None]], "x/values", "some of its places are empty"),
        ([[[1, 2], [3]]], "x/values", "different lengths, from 1 to 2"),
    ],
)
def test_what_has_no_shape_is_refused(tmp_path: Path, values: list[Any], name: str, complaint: str) -> None:
    container = ArrowContainer(write(tmp_path / "x.arrow", [batch(x=values)]))
    with pytest.raises(Refusal, match=complaint):
        array(container, name)


def test_runs_that_lie_outside_the_values_are_damaged(tmp_path: Path) -> None:
    edges = pa.py_buffer(np.array([0, 10**6, 2], np.int32))
    lists = pa.Array.from_buffers(pa.list_(pa.int64()), 2, [None, edges], children=[pa.array([1, 2])])
    container = ArrowContainer(write(tmp_path / "x.arrow", [batch(x=lists)]))
    with pytest.raises(Damage, match="offset"):
        array(container, "x/values")


def test_batches_must_have_one_shape(tmp_path: Path) -> None:
    container = ArrowContainer(write(tmp_path / "x.arrow", [batch(x=[[[1, 2]]]), batch(x=[[[1, 2, 3]]])]))
    with pytest.raises(Refusal, match="different shapes"):
        array(container, "x/values")


def test_no_other_part_is_there(tmp_path: Path) -> None:
    container = ArrowContainer(write(tmp_path / "x.arrow", [batch(x=[1], runs=[[1]])]))
    assert [container.entry(name) for name in ("y", "x/values", "runs/other")] == [None, None, None]
    assert (container.children("x"), container.children("runs")) == ([], ["values", "offsets"])
    with pytest.raises(KeyError):
        list(container.pieces("y", 0, 1))


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.arrow", [batch(x=[1])])
    monkeypatch.setattr(arrow, "pa", None)
    with pytest.raises(Refusal) as refusal:
        ArrowContainer(path)
    assert refusal.value.args == ("x.arrow", "the package pyarrow is missing: pip install 'gailkit[arrow]'")


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_a_truncated_file_is_damaged(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    whole = write(tmp_path / "w.arrow", [batch(obs=[rng.normal(size=3).tolist() for _ in range(9)])], kind).read_bytes()
    refused = 0
    for length in np.linspace(8, len(whole) - 8, 40, dtype=int):
        (tmp_path / "cut.arrow").write_bytes(whole[:length])
        refused += not readable(tmp_path / "cut.arrow")
    assert refused >= 39  # a stream may lack the mark of its end


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_a_changed_byte_is_refused_or_makes_other_numbers(tmp_path: Path, kind: str) -> None:
    """Arrow has no checksums. Whatever its library does then, it happens in a process of its own."""
    whole = write(tmp_path / "w.arrow", [batch(x=np.arange(9.0))], kind).read_bytes()
    for position in np.random.default_rng(0).choice(len(whole), 8, replace=False):
        changed = bytearray(whole)
        changed[position] ^= 0xFF
        (tmp_path / "changed.arrow").write_bytes(changed)
        try:
            with open_source(tmp_path / "changed.arrow") as source:
                numbers = source.array("x")
        except DataError:
            continue
        assert numbers.dtype.kind in "biuf" and numbers.nbytes <= len(whole)


def readable(path: Path) -> bool:
    """Whether all of it could be read; fails where anything but a refusal comes of it."""
    try:
        container = ArrowContainer(path)
        for name in container.children(""):
            for part in container.children(name):
                array(container, f"{name}/{part}")
    except (Damage, Refusal):
        return False
    return True


def test_damage_is_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "x.arrow", [batch(x=np.arange(100.0))])
    path.write_bytes(path.read_bytes()[:-300])
    with open_source(path) as source, pytest.raises(DataError, match=r"x\.arrow is damaged or not laid out"):
        source.array("x")


def test_lists_of_nothing_are_refused(tmp_path: Path) -> None:
    """A few bytes can declare any number of them."""
    lists = pa.Array.from_buffers(pa.list_(pa.int64(), 0), 2**31 - 1, [None], children=[pa.array([], pa.int64())])
    path = write(tmp_path / "z.arrow", [pa.RecordBatch.from_arrays([lists], ["x"])])
    assert path.stat().st_size < 1000
    with (
        open_source(path) as source,
        pytest.raises(DataError, match=r"its rows hold nothing \(shape \(2147483647, 0\)"),
    ):
        source.array("x")
