"""Text in columns: numbers survive exactly, and what is no table of numbers is refused by its line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gailkit.errors import DataError
from gailkit.untrusted.container import Damage, Refusal
from gailkit.untrusted.source import open_source
from gailkit.untrusted.table import MAX_LINE, TableContainer

CELLS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
    st.lists(st.floats(), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
)


def read(path: Path, text: str | bytes) -> dict[str, np.ndarray]:
    """The columns of numbers in a file with this content."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    container = TableContainer(path)
    found = {}
    for name in container.children(""):
        entry = container.entry(name)
        if entry is not None and entry.kind == "array":
            pieces = list(container.pieces(name, 0, entry.shape[0]))
            found[name] = np.concatenate([np.empty(0, entry.dtype), *pieces])
    return found


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=st.lists(CELLS, min_size=1, max_size=4), delimiter=st.sampled_from(",;\t"), mark=st.booleans())
def test_values_survive_exactly(
    tmp_path: Path, columns: list[list[int | float | bool]], delimiter: str, mark: bool
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow([f"c{index}" for index in range(len(columns))])
    writer.writerows(zip(*columns, strict=True))
    found = read(tmp_path / "table.csv", ("\ufeff" if mark else "") + text.getvalue())
    assert list(found) == [f"c{index}" for index in range(len(columns))]
    for values, cells in zip(found.values(), columns, strict=True):
        np.testing.assert_array_equal(values, np.array(cells), strict=True)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a,b\n1,2\n3,4\n", {"a": [1, 3], "b": [2, 4]}),
        ('"a";b\r\n1;2.5\r\n\r\n', {"a": [1], "b": [2.5]}),  # quotes, Windows' line ends, an empty line
        (",a\n0,5\n1,6\n", {"a": [5, 6]}),  # numbers of rows that pandas writes have no name
        (" a , b\n 1 , TRUE\n 2 , false\n", {"a": [1, 2], "b": [True, False]}),
        ("a,b\n1,x\n2,y\n", {"a": [1, 2]}),  # a column of texts is no array
        ("a,b\n1,true\n2,0\n", {"a": [1, 2]}),
        ("a,b,c\n1,1_000,٣\n", {"a": [1]}),  # Python would take these for 1000 and 3
        ("a\n100000000000000000000\n", {"a": [1e20]}),  # beyond 64 bits, and exactly a float64
        ("a\n1e400\n", {"a": [np.inf]}),
        ("a,b\n", {"a": [], "b": []}),
    ],
)
def test_what_is_a_column_of_numbers(tmp_path: Path, text: str, expected: dict[str, list[float]]) -> None:
    assert {name: values.tolist() for name, values in read(tmp_path / "t.csv", text).items()} == expected


def test_a_missing_number_is_not_a_number(tmp_path: Path) -> None:
    found = read(tmp_path / "t.csv", "a,b\n,1\n2,3\n")["a"]
    assert np.isnan(found[0]) and found[1] == 2


def test_columns_may_change_kind_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gailkit.untrusted.table._ROWS", 2)
    found = read(tmp_path / "t.csv", "a,b,c,d\n1,1,true,x\n2,2,true,x\n3.5,3,0,1\n4,4,0,1\n5,x,0,1\n")
    assert {name: values.tolist() for name, values in found.items()} == {"a": [1, 2, 3.5, 4, 5]}


@pytest.mark.parametrize(
    "cells", [("1", "2", "9007199254740993", "4", "0.5"), ("9007199254740993", "0.5"), ("", "9007199254740993")]
)
def test_a_whole_number_is_never_rounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: tuple[str, ...]
) -> None:
    """2**53 + 1 is no float64, in the rows that are read together with others or in those above."""
    monkeypatch.setattr("gailkit.untrusted.table._ROWS", 2)
    lines = "".join(f"{cell},{number}\n" for number, cell in enumerate(cells))
    assert list(read(tmp_path / "t.csv", f"name,b\n{lines}")) == ["b"]
    with pytest.raises(Refusal, match="9007199254740993 would be rounded to 9007199254740992"):
        list(TableContainer(tmp_path / "t.csv").pieces("name", 0, 1))


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**62, 2**80, -(2**63)])
def test_one_that_is_a_float_as_well_may_stand_beside_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    for rows in (1, 2):
        monkeypatch.setattr("gailkit.untrusted.table._ROWS", rows)
        assert read(tmp_path / "t.csv", f"a\n{number}\n0.5\n")["a"].tolist() == [number, 0.5]
    with pytest.raises(Refusal, match=f"{2**64 - 1} would be rounded"):
        read(tmp_path / "t.csv", f"a\n{2**64 - 1}\n")
        list(TableContainer(tmp_path / "t.csv").pieces("a", 0, 1))


def test_a_column_of_texts_is_not_handed_over(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,words\n1,hello\n")
    with open_source(tmp_path / "t.csv") as source:
        assert (source.container, source.children()) == ("CSV", ["a", "words"])
        assert source.array("a").tolist() == [1]
        with pytest.raises(DataError, match="'words' was not read, because the column holds texts"):
            source.array("words")


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 fields, and the first line names 2 columns"),
        ("a,b\n1,2,3\n", "line 2 has 3 fields"),
        ("a,a\n1,2\n", "names columns twice: a"),
        ("1,2\n3,4\n", "must name the columns; found numbers: 1, 2"),
        ("", "must name the columns, and is empty"),
        ("\n1,2\n", "must name the columns, and is empty"),
        ("a,b\n1,\0\n", "line 2 holds a NUL"),
        (b"a,b\n1,\xff\n", "no UTF-8 text of columns"),
        ('a,b\n"1,2\n', "unexpected end of data"),
        ("a\n1\n" + "1" * (MAX_LINE + 1), f"line 3 has more than {MAX_LINE} characters"),
        (bytes(range(256)) * 100, "neither HDF5, NPZ nor Arrow"),
    ],
)
def test_what_is_no_table_is_damaged(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(Damage, match=complaint):
        read(tmp_path / "t.csv", text)


def test_a_line_of_ten_megabytes_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_bytes(b"a,b\n" + b"1," * 5_000_000 + b"\n")
    with (
        pytest.raises(DataError, match=r"long\.csv is damaged.*: line 2 has more than"),
        open_source(tmp_path / "long.csv"),
    ):
        pass


def test_no_other_column_is_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    container = TableContainer(tmp_path / "t.csv")
    assert container.entry("b") is None
    with pytest.raises(KeyError):
        list(container.pieces("b", 0, 1))
    (tmp_path / "t.csv").write_text("a\nx\n")
    with pytest.raises(Refusal):
        list(TableContainer(tmp_path / "t.csv").pieces("a", 0, 1))
