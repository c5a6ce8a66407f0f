"""What a report takes from a run folder, which may be anybody's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gymnasium.spaces import Discrete

from gailkit.errors import DataError
from gailkit.report.record import RunRecord
from gailkit.report.thresholds import Plan
from gailkit.spaces import space_to_json
from gailkit.training.run import RunFolder

Read = Callable[[str], Any]


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    description = {
        "config": {"steps": 4096},
        "action_space": space_to_json(Discrete(2)),
        "command": "gailkit train X-v0 --out run",
    }
    RunFolder.create(tmp_path / "run", description)
    return tmp_path / "run"


def test_a_record_of_a_run_is_its_metrics_plan_and_command(run_folder: Path, read: Read) -> None:
    (run_folder / "metrics.jsonl").write_text('{"steps": 1}\n{"steps": 2, "policy/kl": NaN}\n', encoding="utf-8")
    record = RunRecord.read(run_folder)
    assert len(record.rows) == 2 and record.command == "gailkit train X-v0 --out run"
    assert record.plan == Plan(steps=4096, action_components=0)


def test_a_run_without_metrics_has_no_rows(run_folder: Path, read: Read) -> None:
    assert RunRecord.read(run_folder).rows == []


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000], ids=["no text", "deep"])
def test_metrics_that_cannot_be_read_are_refused_in_one_sentence(run_folder: Path, content: bytes, read: Read) -> None:
    (run_folder / "metrics.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=r"the metrics in .* cannot be read"):
        RunRecord.read(run_folder)


@pytest.mark.parametrize(
    "description", [{}, {"config": 3}, {"config": {"steps": "x"}, "action_space": [], "command": 1}]
)
def test_a_strange_description_tells_nothing(description: dict[str, Any]) -> None:
    record = RunRecord([], description)
    assert (record.plan, record.command) == (Plan(None, None), None)
