"""The study of what matters: every variant is one that there is, and its table says what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.study_figure import drawn
from benchmarks.study_table import write_table
from benchmarks.study_variants import VARIANTS, Variant
from gailkit.training.config import TrainConfig
from gailkit.training.settings import config_from_dict


def row(task: str, variant: str, closeness: float, seed: int = 10) -> dict[str, Any]:
    found = {"score": 1.0, "closeness": closeness, "auc": 0.5, "verdict": "indistinguishable"}
    policies = {name: found for name in ("chosen", "last", "averaged")}
    return {"task": task, "variant": variant, "seed": seed, **policies, "steps_to_90": None}


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_has_settings_that_there_are_and_changes_something(variant: Variant) -> None:
    settings = config_from_dict(variant.settings, TrainConfig)
    changed = settings != TrainConfig() or variant.change or variant.parts or variant.cold
    assert bool(changed) is (variant.name != "default")


def test_variants_have_names_of_their_own() -> None:
    assert len({variant.name for variant in VARIANTS}) == len({variant.says for variant in VARIANTS}) == len(VARIANTS)


def test_the_table_holds_medians_and_only_what_was_measured(tmp_path: Path) -> None:
    rows = [row("A-v0", "default", 0.5), row("A-v0", "default", 0.9, 11), row("b:B-v0", "replay", 0.75)]
    write_table(rows, ["A-v0", "b:B-v0", "C-v0"], tmp_path / "study.md")
    lines = (tmp_path / "study.md").read_text().splitlines()
    assert "| variant | A-v0 | B-v0 |" in lines
    assert "| nothing | 0.700 (2) |  |" in lines
    assert "| D sees the policy's last 5 rollouts |  | 0.750 |" in lines
    assert "| nothing | never |  |" in lines  # steps to 90 %
    assert not any(line.startswith("| the policy begins at random") for line in lines)


def test_the_figure_is_the_same_for_the_same_rows() -> None:
    rows = [row("A-v0", "default", 0.5), row("A-v0", "replay", -2.0)]
    assert drawn(rows, ["A-v0"]) == drawn(rows, ["A-v0"])
