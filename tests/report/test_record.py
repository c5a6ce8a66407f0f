"""What a report takes from a run folder, which may be anybody's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gymnasium.spaces import Discrete

from gailkit.errors import DataError
from gailkit.health.plan import Plan
from gailkit.report.record import RunRecord
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
    RunFolder.create(tmp_path / "run", description).close()
    return tmp_path / "run"


def test_a_record_of_a_run_is_its_metrics_plan_and_command(run_folder: Path, read: Read) -> None:
    (run_folder / "metrics.jsonl").write_text('{"steps": 1}\n{"steps": 2, "policy/kl": NaN}\n', encoding="utf-8")
    record = RunRecord.read(run_folder)
    assert len(record.rows) == 2 and record.command == "gailkit train X-v0 --out run"
    assert record.plan == Plan(steps=4096, action_components=0)


def test_a_run_without_metrics_has_no_rows(run_folder: Path, read: Read) -> None:
    assert RunRecord.read(run_folder).rows == []


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"[" * 100_000 + b"\n"], ids=["no text", "deep"])
def test_metrics_that_cannot_be_read_are_refused_in_one_sentence(run_folder: Path, content: bytes, read: Read) -> None:
    (run_folder / "metrics.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=r"the metrics in .* cannot be read"):
        RunRecord.read(run_folder)


@pytest.mark.parametrize(
    "description",
    [{}, {"config": 3}, {"config": {"steps": "x"}, "action_space": [], "command": 1}, {"config": {"steps": 10**400}}],
)
def test_a_strange_description_tells_nothing(description: dict[str, Any]) -> None:
    record = RunRecord([], description)
    assert (record.plan, record.command) == (Plan(None, None), None)


@pytest.mark.parametrize("demonstrations, steps", [(None, 4096), ({"digests": []}, 3482)])
def test_an_imitation_keeps_some_of_its_steps_to_choose(demonstrations: Any, steps: int) -> None:
    """0.15 * 4096 = 614.4, and 4096 - 614 = 3482."""
    assert RunRecord([], {"config": {"steps": 4096}, "demonstrations": demonstrations}).plan.steps == steps


@pytest.mark.parametrize(
    "loss, kappa, bound",
    [
        ("adversarial", 0.5, 1.688), ("adversarial", 1.0, 0.659), ("bce", 0.5, None), ("adversarial", 0.2, None),
        ("adversarial", "x", None), ("adversarial", None, None), ("adversarial", 10**400, None),
    ],
)  # fmt: skip
def test_how_sure_the_discriminator_can_be_is_the_best_logit_where_only_the_expert_goes(
    loss: str, kappa: Any, bound: float | None
) -> None:
    """kappa z + sigmoid(-z) = 1: 0.5 * 1.688 + 0.156 and 0.659 + 0.341."""
    found = RunRecord([], {"config": {"loss": loss, "discriminator": {"logit_penalty": kappa}}}).plan.logit_bound
    assert found == (None if bound is None else pytest.approx(bound, abs=5e-4))


def test_a_record_has_what_the_run_chose(run_folder: Path) -> None:
    assert RunRecord.read(run_folder).choice is None
    choice = {"policy": "averaged", "steps": 0, "played": []}
    RunFolder.open(run_folder).save("chosen", {"generator": {}, "choice": choice})
    assert RunRecord.read(run_folder).choice == choice
    RunFolder.open(run_folder).save("chosen", {"generator": {}})
    assert RunRecord.read(run_folder).choice is None
    RunFolder.open(run_folder).checkpoint_path("chosen").write_bytes(b"\x00")
    with pytest.raises(DataError, match=r"chosen.safetensors is damaged"):
        RunRecord.read(run_folder)
