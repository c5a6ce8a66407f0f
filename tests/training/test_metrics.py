"""The numbers of a run on disk: each row is there at once, and a crash costs no more than the row it cut off."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from gailkit.training.metrics import MetricsWriter, read_metrics
from gailkit.training.picture import draw_learning


def test_a_row_can_be_read_as_soon_as_it_is_written_and_rows_are_appended(tmp_path: Path) -> None:
    rows = [{"steps": 64.0, "reward/mean": 0.1}, {"steps": 128.0, "reward/mean": 1 / 3}]
    writer = MetricsWriter(tmp_path)
    writer.write(rows[0])
    assert read_metrics(tmp_path) == rows[:1]
    writer.close()
    writer = MetricsWriter(tmp_path)
    writer.write(rows[1])
    writer.close()
    assert read_metrics(tmp_path) == rows


@pytest.mark.parametrize("rest", ["", '{"steps": 3', '{"steps": 3}'])
def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path, rest: str) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"steps": 1}\n{"steps": 2}\n' + rest)
    assert [row["steps"] for row in read_metrics(tmp_path)] == ([1, 2, 3] if rest.endswith("}") else [1, 2])


def test_a_picture_shows_the_numbers_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "learning.svg"
    draw_learning([], path)
    assert not path.exists()
    draw_learning([{"steps": 1.0}, {"steps": 2.0, "reward/mean": 0.5, "episode/true_return": 3.0}], path)
    first = path.read_bytes()
    assert ElementTree.fromstring(first).tag.endswith("svg")
    draw_learning([{"steps": 1.0}, {"steps": 2.0, "reward/mean": 0.4, "episode/true_return": 3.0}], path)
    assert path.read_bytes() != first
